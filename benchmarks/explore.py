"""Exploring results: which fit, how many more each filter would let in, in which order, in which groups.

Pure functions over the short results of `benchmarks/shelf.py`. One pass sorts every result into those that all filters
let through and those that a single filter keeps out: from these two come the counts of every menu ("what would I get")
and of every "without" link, whatever is chosen.
"""

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter

from benchmarks.measures import MEASURES
from benchmarks.shelf import Short

Test = Callable[[Short], bool]
Value = str | None

# What can be chosen from a menu, and where a result has it. Any one of the chosen values fits.
DIMENSIONS: dict[str, Callable[[Short], Value]] = {
    "model": attrgetter("model"),
    "client": attrgetter("client"),
    "family": attrgetter("family"),
    "quantization": attrgetter("quantization"),
    "ollama": attrgetter("ollama_version"),
    "suite": attrgetter("suite"),
    "session": attrgetter("session"),
    "outcome": attrgetter("outcome"),
    "valid": lambda one: "true" if one.valid else "false",
}
GROUPS = ("model", "client", "family", "quantization", "ollama")
COLUMN_SORTS: dict[str, Callable[[Short], object]] = {
    "model": lambda one: one.model.casefold(),
    "machine": lambda one: one.client_name.casefold(),
    "family": attrgetter("family"),
    "quantization": attrgetter("quantization"),
    "ollama": lambda one: version_key(one.ollama_version),
    "when": lambda one: -one.number,
    "session": lambda one: None if one.session_number is None else -one.session_number,
}


@dataclass(frozen=True)
class Filters:
    """Which results. `chosen` is by dimension; `simulated` and `outcomes` None are the habits of `benchmarks.listing`:
    real results only as soon as one exists (but all of a session or of results that were asked for), and whatever
    outcome if anything was measured. `until` is not included."""

    chosen: Mapping[str, frozenset[str]] = field(default_factory=dict)
    cell: str | None = None
    simulated: str | None = None  # "true", "false", "any"
    any_outcome: bool = False
    search: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    results: frozenset[str] = frozenset()
    upto: int | None = None  # nothing numbered above: later pages of a list stay what they were
    excluded: str | None = None  # "with", "only"; None: without those that a person has excluded, also of a session

    @property
    def is_pointed(self) -> bool:
        """Whether certain results were asked for, so that nothing is left out by habit."""
        return bool(self.results or self.chosen.get("session"))


@dataclass(frozen=True)
class Found:
    """What fits, newest first, and by filter what it alone keeps out."""

    fitting: Sequence[Short]
    kept_out: Mapping[str, Sequence[Short]]

    def under_others(self, name: str) -> Sequence[Short]:
        """What would fit without this filter."""
        kept = self.kept_out.get(name)
        return [*self.fitting, *kept] if kept else self.fitting


def find(shorts: Iterable[Short], filters: Filters, leaves_simulated_out: bool) -> Found:
    """Sort results into fitting and kept out by one filter only."""
    tests = _tests(filters, leaves_simulated_out)
    fitting: list[Short] = []
    kept_out: dict[str, list[Short]] = {name: [] for name, _ in tests}
    if not tests:
        return Found(list(shorts), kept_out)
    for one in shorts:
        failed = None
        for name, test in tests:
            if not test(one):
                if failed is not None:
                    break
                failed = name
        else:
            (fitting if failed is None else kept_out[failed]).append(one)
    return Found(fitting, kept_out)


def leaves_simulated_out(shorts: Iterable[Short], filters: Filters) -> bool:
    """Whether the simulator's results step back by habit: nothing was said about them, and there is a real one."""
    if filters.simulated is not None or filters.is_pointed:
        return False
    return any(not one.simulated and one.cells and not one.excluded for one in shorts)


def _tests(filters: Filters, leaves_simulated_out: bool) -> list[tuple[str, Test]]:
    tests: list[tuple[str, Test]] = []
    if filters.excluded != "with":
        only = filters.excluded == "only"
        tests.append(("excluded", lambda one: one.excluded is only))
    for name, values in filters.chosen.items():
        tests.append((name, _among(DIMENSIONS[name], values)))
    if "outcome" not in filters.chosen and not filters.any_outcome and not filters.results:
        tests.append(("measured", lambda one: bool(one.cells)))
    if leaves_simulated_out or filters.simulated == "false":
        tests.append(("simulated", lambda one: not one.simulated))
    if filters.simulated == "true":
        tests.append(("simulated", lambda one: one.simulated))
    tests += _ranges(filters)
    return tests


def _ranges(filters: Filters) -> list[tuple[str, Test]]:
    cell, search, since, until = filters.cell, (filters.search or "").casefold(), filters.since, filters.until
    tests: list[tuple[str, Test]] = []
    if cell:
        tests.append(("cell", lambda one: cell in one.cells))
    if search:
        tests.append(("q", lambda one: search in one.model.casefold()))
    if since:
        tests.append(("since", lambda one: one.created_at >= since))
    if until:
        tests.append(("until", lambda one: one.created_at < until))
    if filters.results:
        tests.append(("result", lambda one: one.id in filters.results))
    if (upto := filters.upto) is not None:
        tests.append(("upto", lambda one: one.number <= upto))
    return tests


def _among(read: Callable[[Short], Value], values: frozenset[str]) -> Test:
    return lambda one: read(one) in values


# -- one per model and machine ---------------------------------------------------------------------------------------


def latest(shorts: Iterable[Short]) -> list[Short]:
    """Of each model on each machine the newest valid result, or the newest where none is valid; newest first. What the
    simulator answered is a thing of its own."""
    kept: dict[tuple[str, str, bool], Short] = {}
    for one in shorts:
        place = (one.model, one.client, one.simulated)
        have = kept.get(place)
        if have is None or (one.valid, one.number) > (have.valid, have.number):
            kept[place] = one
    return sorted(kept.values(), key=lambda one: -one.number)


def places(shorts: Iterable[Short], only_latest: bool) -> list[int]:
    """For each result the row it belongs to: those of one model on one machine share one where only the latest show."""
    if not only_latest:
        return [one.number for one in shorts]
    known: dict[tuple[str, str, bool], int] = {}
    return [known.setdefault((one.model, one.client, one.simulated), len(known)) for one in shorts]


def counts(shorts: Iterable[Short], dimension: str, at: Iterable[int]) -> Counter[str]:
    """How many rows each value of a dimension would give, with the `places` of these results; what a result does not
    know is not offered."""
    pairs = set(zip(map(DIMENSIONS[dimension], shorts), at, strict=True))
    return Counter(value for value, _ in pairs if value)


def cell_counts(shorts: Iterable[Short], at: Iterable[int]) -> Counter[str]:
    """The same for the cells that were asked for, of which a result has many."""
    rows_of: dict[frozenset[str], set[int]] = {}
    for cells, place in set(zip(map(attrgetter("cells"), shorts), at, strict=True)):
        rows_of.setdefault(cells, set()).add(place)
    names = {cell for cells in rows_of for cell in cells}
    return Counter(
        {name: len(set().union(*(at for having, at in rows_of.items() if name in having))) for name in names}
    )


def rows(shorts: Sequence[Short], only_latest: bool) -> int:
    """How many rows these results make."""
    return len(set(places(shorts, only_latest)))


# -- order and groups ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Order:
    """By which metric or column. Best, first in the alphabet, newest come first; `reverse` turns that around."""

    key: str
    reverse: bool = False


@dataclass(frozen=True)
class Group:
    """Rows with one value of a dimension. `best` and `middle` are of their medians; None without any."""

    value: Value
    items: Sequence[Short]
    best: float | None
    middle: float | None
    measured: int


def ordered(shorts: Iterable[Short], order: Order, cell: str | None) -> list[Short]:
    """Sorted; what has no value is last both ways, and equals keep the newest first."""
    read = _reader(order.key, cell)
    keyed = [(read(one), one) for one in shorts]
    known = [pair for pair in keyed if pair[0] is not None]
    known.sort(key=lambda pair: -pair[1].number)
    known.sort(key=lambda pair: pair[0], reverse=order.reverse)  # type: ignore[arg-type,return-value]
    missing = sorted((one for value, one in keyed if value is None), key=lambda one: -one.number)
    return [one for _, one in known] + missing


def _reader(key: str, cell: str | None) -> Callable[[Short], object]:
    measure = MEASURES.get(key)
    if measure is None:
        return COLUMN_SORTS[key]
    sign = -1 if measure.higher_is_better else 1
    return lambda one: None if (value := one.median(key, cell)) is None else sign * value


def grouped(shorts: Sequence[Short], by: str, metric: str, cell: str | None, order: Order | None) -> list[Group]:
    """Groups of a dimension. Under an order a group stands where its first row does; without one the newest group is
    first, and its rows are by the metric, best first."""
    read = DIMENSIONS[by]
    groups: dict[Value, list[Short]] = {}
    for one in ordered(shorts, order or Order("when"), cell):
        groups.setdefault(read(one), []).append(one)
    inside = order or Order(metric)
    return [_group(value, ordered(items, inside, cell), metric, cell) for value, items in groups.items()]


def _group(value: Value, items: Sequence[Short], metric: str, cell: str | None) -> Group:
    known = [median for one in items if (median := one.median(metric, cell)) is not None]
    if not known:
        return Group(value, items, None, None, 0)
    best = max(known) if MEASURES[metric].higher_is_better else min(known)
    return Group(value, items, best, statistics.median(known), len(known))


def version_key(version: str | None) -> tuple[tuple[int, str], ...] | None:
    """Versions in the order they were published: newest first."""
    if version is None:
        return None
    parts = version.replace("-", ".").split(".")
    return tuple((-int(part), "") if part.isdecimal() and len(part) < 10 else (1, part) for part in parts)
