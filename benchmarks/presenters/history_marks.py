"""What changed between two results of one model on one machine: its digest, Ollama, the suite, the hardware."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from benchmarks.presenters import environment
from benchmarks.presenters.compare_sides import of_result
from benchmarks.shelf import Short
from obt_site.formatting import aware, short_digest

MOST_COMPARED = 20  # results on each side of a mark


@dataclass(frozen=True)
class Changed:
    """Something that is not what it was: `Ollama`, `0.30.2`, `0.33.1`."""

    what: str
    before: str
    after: str


@dataclass(frozen=True)
class Mark:
    """What changed between two results, and where the two stretches around it are compared."""

    number: int
    changes: Sequence[Changed]
    after: datetime
    before: datetime
    compare_url: str

    @property
    def at_s(self) -> float:
        """Half way between the two: nobody saw when it happened."""
        return (aware(self.after).timestamp() + aware(self.before).timestamp()) / 2

    @property
    def name(self) -> str:
        return ", ".join(f"{one.what} {one.after}" for one in self.changes)

    @property
    def sentence(self) -> str:
        return "; ".join(f"{one.what}: {one.before}, then {one.after}" for one in self.changes)


def marks(shown: Sequence[Short], gear: Mapping[str, Mapping[str, Any]]) -> dict[str, Mark]:
    """Where something changed, by the id of the first result after it. `shown`: oldest first."""
    found: list[tuple[Short, Short, list[Changed]]] = []
    facts = {identity: _facts(content) for identity, content in gear.items()}
    for before, after in pairwise(shown):
        if changes := _changes(before, after, facts):
            found.append((before, after, changes))
    starts = [0, *(shown.index(after) for _, after, _ in found), len(shown)]
    return {
        after.id: Mark(
            number=place,
            changes=changes,
            after=before.created_at,
            before=after.created_at,
            compare_url=_compare_url(shown, *starts[place - 1 : place + 2]),
        )
        for place, (before, after, changes) in enumerate(found, 1)
    }


def _compare_url(shown: Sequence[Short], start: int, middle: int, end: int) -> str:
    base = [one.id for one in shown[start:middle]][-MOST_COMPARED:]
    other = [one.id for one in shown[middle:end]][-MOST_COMPARED:]
    return f"{reverse('compare')}?{urlencode({'base': of_result(*base), 'with': of_result(*other)})}"


def _changes(before: Short, after: Short, facts: Mapping[str, Mapping[str, str]]) -> list[Changed]:
    plain = (
        ("Answered by", _answered(before), _answered(after)),
        ("Model", short_digest(before.digest), short_digest(after.digest)),
        ("Ollama", before.ollama_version, after.ollama_version),
        ("Suite", before.suite_version, after.suite_version),
    )
    found = [
        Changed(what, one or "unknown", two or "unknown") for what, one, two in plain if one != two and one and two
    ]
    if before.hardware_config == after.hardware_config:
        return found
    one, two = facts.get(before.hardware_config or "", {}), facts.get(after.hardware_config or "", {})
    if not one or not two:
        return found
    differ = [what for what in {**one, **two} if one.get(what) != two.get(what)]
    return found + [Changed(what, one.get(what, "none"), two.get(what, "none")) for what in differ]


def _answered(one: Short) -> str:
    return "the simulator" if one.simulated else "Ollama"


def _facts(content: Mapping[str, Any]) -> dict[str, str]:
    """The hardware in words; what several GPUs have is joined."""
    found: dict[str, list[str]] = {}
    for what, value, _ in environment.hardware_facts(content):
        found.setdefault(what, []).append(value or "not readable")
    return {what: ", ".join(values) for what, values in found.items()}
