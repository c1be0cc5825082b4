"""Which results stand against which in a comparison, and what keeps them from being compared.

Results pair up by machine and model, except in what the comparison is about (groups of `benchmarks/conditions.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import conditions, measures
from benchmarks.conditions import Difference
from benchmarks.documents import Result
from benchmarks.listing import ResultFilters

# Only speed is compared: for each metric, whether more of it is better.
COMPARED = (
    "decode_rate",
    "prefill_rate",
    "output_throughput",
    "goodput",
    "item_rate",
    "input_token_rate",
    "ttft",
    "ttfo",
    "itl",
    "icl",
    "e2e_latency",
    "load_time",
    "ttft_spread",
    "queueing",
)
HIGHER_IS_BETTER = {name: name in measures.HIGHER_IS_BETTER for name in COMPARED}
NAMES_THE_MODEL = ("model", "digest", "family", "quantization")
MOST_NAMED = 3  # machines or models that a reason lists


@dataclass(frozen=True)
class Place:
    """One row of a comparison. `client` (an id) or `model` is None where the comparison is about it."""

    client: str | None
    model: str | None
    cell: str
    metric: str


@dataclass(frozen=True)
class Entry:
    """One cell of one result that has a number for its place."""

    result: Result
    cell: Mapping[str, Any]
    metric: str

    @property
    def conditions(self) -> dict[str, str]:
        """Goodput counts by stated limits, so they are a condition of it; of no other metric."""
        own = {**(self.result.conditions or {}), **(self.cell.get("conditions") or {})}
        return {**own, "limits": _limits(self.cell)} if self.metric == "goodput" else own

    @property
    def key(self) -> str:
        """Entries of equal conditions have equal keys."""
        return conditions.key(self.conditions)

    def median(self, metric: str) -> float:
        return float(self.cell["metrics"][metric]["median"])


def told_apart(base: ResultFilters, other: ResultFilters) -> frozenset[str]:
    """What two filters name differently, as groups of conditions: machine, model, Ollama, or nothing."""
    found = {"machine"} if base.client != other.client else set()
    if base.ollama_version != other.ollama_version:
        found.add("ollama")
    if any(getattr(base, name) != getattr(other, name) for name in NAMES_THE_MODEL):
        found.add("model")
    return frozenset(found)


def apart(base: Sequence[Result], other: Sequence[Result]) -> frozenset[str]:
    """What a comparison of two sets of results is about that someone picked one by one: whatever their newest differ
    in, and machine or model where no two are the same."""
    if not base or not other:
        return frozenset()
    named = (("machine", "client"), ("model", "model"))
    found = {group for group, name in named if not {one[name] for one in base} & {one[name] for one in other}}
    differing = conditions.differences(base[0].conditions or {}, other[0].conditions or {})
    return frozenset(found | {one.group for one in differing if one.group in conditions.GROUPS})


def entries(
    results: Sequence[Result], about: frozenset[str], metric: str | None, only: str | None
) -> dict[Place, list[Entry]]:
    """Cells with a number, by their place; in the order of `results` (newest first), one per session.

    `metric` None: each cell's headline. `only`: this cell and no other.
    """
    found: dict[Place, list[Entry]] = {}
    taken: set[tuple[Any, ...]] = set()
    for result in results:
        client = None if "machine" in about else str(result.client)
        model = None if "model" in about else result.model
        for cell in result.cells:
            place = Place(client, model, cell["cell"], metric or cell["headline"])
            once = (place, result.session, result.client, result.model)
            if once in taken or only not in (None, place.cell) or not _has_number(cell, place.metric):
                continue
            taken.add(once)
            found.setdefault(place, []).append(Entry(result, cell, place.metric))
    return found


def partners(
    base: Sequence[Entry], other: Sequence[Entry], about: frozenset[str]
) -> tuple[list[Entry], list[Entry], list[Difference]]:
    """The entries of one condition on each side, and in what the two conditions differ.

    They are the newest two that may be compared; where no two may, the newest of each side.
    """
    ours, theirs = _by_conditions(base), _by_conditions(other)
    pairs = [(one, two, conditions.differences(one[0].conditions, two[0].conditions)) for two in theirs for one in ours]
    return next((pair for pair in pairs if not forbidden(pair[2], about)), pairs[0])


def forbidden(differing: Sequence[Difference], about: frozenset[str]) -> list[Difference]:
    """The differences that make a comparison about this impossible."""
    return [one for one in differing if not conditions.allowed(one, about)]


def obstacles(word: str, side: Sequence[Entry], place: Place, about: frozenset[str]) -> list[str]:
    """What is wrong with one side before the other is looked at, as sentences; `word` names the side."""
    if not side:
        return [f"“{word}” has no number for {place.cell} here."]
    found = []
    for group, what, names in (
        ("machine", "machines", [entry.result.client_name or "unnamed" for entry in side]),
        ("model", "models", [entry.result.model for entry in side]),
    ):
        several = list(dict.fromkeys(names))
        if group in about and len(several) > 1:
            listed = ", ".join(several[:MOST_NAMED]) + (" …" if len(several) > MOST_NAMED else "")
            found.append(f"“{word}” holds several {what}: {listed}. Name one of them.")
    return found


def _by_conditions(side: Sequence[Entry]) -> list[list[Entry]]:
    groups: dict[str, list[Entry]] = {}
    for entry in side:
        groups.setdefault(entry.key, []).append(entry)
    return list(groups.values())


def _limits(cell: Mapping[str, Any]) -> str:
    """`ttft_ms 500, itl_ms 50`"""
    stated = (cell.get("limits") or {}).items()
    return ", ".join(f"{name} {value:g}" for name, value in stated if value is not None) or "none"


def _has_number(cell: Mapping[str, Any], metric: str) -> bool:
    return metric in HIGHER_IS_BETTER and metric in (cell.get("metrics") or {})
