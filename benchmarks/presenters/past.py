"""What was changed on a machine, and when: its hardware and its Ollama, from what it reported and what was measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from agents import hardware
from agents.documents import Client
from agents.hardware import Change
from benchmarks.presenters import stored
from benchmarks.shelf import Short

MOST_SHOWN = 20
Seen = tuple[datetime, str]  # since when, what


@dataclass(frozen=True)
class Past:
    """One moment at which something became another. `at` is when it was noticed first."""

    at: datetime
    changes: Sequence[Change]


def past_of(client: Client, results: Sequence[Short]) -> list[Past]:
    """Newest first; one question for all hardware contents. `results` are the machine's, newest first."""
    reported = [(each["at"], each["config"]) for each in client.hardware_history]
    measured = [(one.created_at, one.hardware_config) for one in results if one.hardware_config]
    configs = _steps([*reported, *measured])
    contents = stored.hardware_of(config for _, config in configs)
    found = [_hardware(at, contents.get(before), contents.get(after)) for (_, before), (at, after) in _pairs(configs)]
    versions = _steps([(one.created_at, one.ollama_version) for one in results if one.ollama_version])
    found += [Past(at, [Change("Ollama", before, after)]) for (_, before), (at, after) in _pairs(versions)]
    kept = [each for each in found if each is not None and each.changes]
    return sorted(kept, key=lambda each: each.at, reverse=True)[:MOST_SHOWN]


def _hardware(at: datetime, before: Mapping[str, object] | None, after: Mapping[str, object] | None) -> Past | None:
    return Past(at, hardware.differences(before, after)) if before and after else None


def _steps(seen: Sequence[Seen]) -> list[Seen]:
    """In order of time, only where it is not what it was before."""
    steps: list[Seen] = []
    for at, what in sorted(seen, key=lambda one: one[0]):
        if not steps or steps[-1][1] != what:
            steps.append((at, what))
    return steps


def _pairs(steps: Sequence[Seen]) -> list[tuple[Seen, Seen]]:
    return list(pairwise(steps))
