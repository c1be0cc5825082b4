"""Comparing two sets of results, cell by cell: what changed, by how much, how certainly, or why nothing can be said.

What against what: `benchmarks/pairing.py`. By default a comparison is about what its two filters name differently;
every other condition must be equal, else the verdict is "not comparable" and the reasons name it. Of a side that holds
several conditions one is used, the newest with a comparable partner; how many results that leaves out is told.

Which values: the medians of sessions, one per session, when there are enough on both sides for a test. Otherwise the
samples of the newest session of each side. They show repeatability inside one session, which is no ground for a claim
about machines, so machines are compared by sessions only. Samples of several sessions are never pooled.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from agent.obt_agent.statistics import Summary, summarise
from benchmarks import conditions, listing, pairing, statistics
from benchmarks.conditions import Difference
from benchmarks.documents import Result
from benchmarks.listing import Page, ResultFilters
from benchmarks.measured import Samples
from benchmarks.pairing import HIGHER_IS_BETTER, Entry, Place
from benchmarks.statistics import Change, RankTest, Verdict
from obt_site.errors import Invalid

MOST_RESULTS = 100  # read on each side, the newest
MOST_ROWS = 200  # each may read two cells' samples, about 10 ms each
BY_SESSIONS, BY_SAMPLES = "session medians", "samples"


@dataclass(frozen=True)
class Side:
    """What one side brought to a row: the results used, newest first, how many were left out, and its values."""

    used: Sequence[Result]
    left_out: int
    values: Sequence[float]

    @property
    def summary(self) -> Summary | None:
        return summarise(self.values)


@dataclass(frozen=True)
class Row:
    """One cell of one pair. What has no number is None, and `reasons` say why.

    `varied`: the differences that the comparison is about; `stopping`: those that make it impossible. `compared`:
    BY_SESSIONS or BY_SAMPLES.
    """

    place: Place
    unit: str
    base: Side | None
    other: Side | None
    verdict: Verdict
    reasons: Sequence[str] = ()
    varied: Sequence[Difference] = ()
    stopping: Sequence[Difference] = ()
    compared: str | None = None
    change: Change | None = None
    test: RankTest | None = None
    p_corrected: float | None = None


@dataclass(frozen=True)
class Comparison:
    """The rows by pair and cell. `more`: which side had more results than MOST_RESULTS. `base` and `other`: all that
    were looked at, newest first."""

    about: Sequence[str]
    rows: Sequence[Row]
    base: Sequence[Result]
    other: Sequence[Result]
    base_has_more: bool
    other_has_more: bool


@dataclass(frozen=True)
class _Pair:
    """A row whose two sides may be compared, with the entries of one condition on each."""

    row: Row
    ours: Sequence[Entry]
    theirs: Sequence[Entry]
    matched: tuple[int, int]
    by_sessions: bool


def compare(
    base: ResultFilters, other: ResultFilters, about: Iterable[str] | None = None, metric: str | None = None
) -> Comparison:
    """`other` against `base`. `about`: conditions.GROUPS that may differ, None what the filters name differently (of
    results named by id: what they differ in); `metric`: one of HIGHER_IS_BETTER, None each cell's headline. Raises
    Invalid for more than MOST_ROWS cells."""
    return against(base, [other], about, metric)[0]


def against(
    base: ResultFilters, others: Sequence[ResultFilters], about: Iterable[str] | None = None, metric: str | None = None
) -> list[Comparison]:
    """The same of several sets against one. The raw samples are read at once; every p is corrected for all tests."""
    asked = None if about is None else frozenset(about)
    first, *following = _read([base, *others])
    groups = [_groups(base, one, first, page, asked) for one, page in zip(others, following, strict=True)]
    tables = [
        _prepared(first.items, page.items, about_what, metric, (base.cell, one.cell))
        for one, page, about_what in zip(others, following, groups, strict=True)
    ]
    if (cells := sum(map(len, tables))) > MOST_ROWS:
        raise Invalid(f"These are {cells} cells; at most {MOST_ROWS} are compared at a time. Add cell= or model=.")
    judged = _judged(_tested([row for table in tables for row in table]))
    return [
        Comparison(
            about=[group for group in conditions.GROUPS if group in about_what],
            rows=[judged.pop(0) for _ in table],
            base=first.items,
            other=page.items,
            base_has_more=first.next is not None,
            other_has_more=page.next is not None,
        )
        for table, page, about_what in zip(tables, following, groups, strict=True)
    ]


def _read(sides: Sequence[ResultFilters]) -> list[Page[Result]]:
    """The newest results of each side; those that are only named by their ids in one query."""
    if not all(side.ids is not None and side == ResultFilters(ids=side.ids) for side in sides):
        return [listing.results(side, None, MOST_RESULTS) for side in sides]
    every = listing.results(ResultFilters(ids=tuple(each for side in sides for each in side.ids or ())), None, 10**6)
    whole = [[one for one in every.items if one.id in (side.ids or ())] for side in sides]
    return [
        Page(one[:MOST_RESULTS], one[MOST_RESULTS - 1].number if len(one) > MOST_RESULTS else None) for one in whole
    ]


def _groups(
    base: ResultFilters, other: ResultFilters, first: Page[Result], second: Page[Result], asked: frozenset[str] | None
) -> frozenset[str]:
    if asked is not None:
        return asked
    if base.ids is not None and other.ids is not None:
        return pairing.apart(first.items, second.items)
    return pairing.told_apart(base, other)


def _prepared(
    base: Sequence[Result],
    other: Sequence[Result],
    about: frozenset[str],
    metric: str | None,
    only: tuple[str | None, str | None],
) -> list[Row | _Pair]:
    ours = pairing.entries(base, about, metric, only[0])
    theirs = pairing.entries(other, about, metric, only[1])
    return [_paired(place, ours.get(place, []), theirs.get(place, []), about) for place in {**ours, **theirs}]


def _paired(place: Place, base: Sequence[Entry], other: Sequence[Entry], about: frozenset[str]) -> Row | _Pair:
    """What can be compared, or the row that says why not."""
    unit = str([*base, *other][0].cell["metrics"][place.metric]["unit"])
    by_medians = Row(place, unit, _medians(base, place), _medians(other, place), Verdict.NOT_COMPARABLE)
    wrong = [*pairing.obstacles("base", base, place, about), *pairing.obstacles("with", other, place, about)]
    if wrong:
        return replace(by_medians, reasons=wrong)
    ours, theirs, differing = pairing.partners(base, other, about)
    stopping = pairing.forbidden(differing, about)
    row = replace(by_medians, varied=[one for one in differing if one not in stopping], stopping=stopping)
    if stopping:
        return replace(row, reasons=[one.sentence for one in stopping])
    by_sessions = "machine" in about or statistics.enough(len(ours), len(theirs))
    return _Pair(row, ours, theirs, (len(base), len(other)), by_sessions)


def _tested(pairs: Sequence[Row | _Pair]) -> list[Row]:
    """The rows with their values, change and p; `_judged` gives the verdict."""
    by_samples = [pair for pair in pairs if isinstance(pair, _Pair) and not pair.by_sessions]
    newest = [side[0] for pair in by_samples for side in (pair.ours, pair.theirs)]
    samples = Samples((entry.result, entry.cell["cell"]) for entry in newest)
    return [pair if isinstance(pair, Row) else _measured(pair, samples) for pair in pairs]


def _measured(pair: _Pair, samples: Samples) -> Row:
    def side(entries: Sequence[Entry], matched: int) -> Side:
        read = _medians(entries, pair.row.place) if pair.by_sessions else _newest(entries, pair.row.place, samples)
        assert read is not None
        return replace(read, left_out=matched - len(read.used))

    gone = [] if pair.by_sessions else _without_samples(pair, samples)
    if gone:
        pair = replace(pair, by_sessions=True)
    ours, theirs = side(pair.ours, pair.matched[0]), side(pair.theirs, pair.matched[1])
    compared = BY_SESSIONS if pair.by_sessions else BY_SAMPLES
    row = replace(pair.row, base=ours, other=theirs, compared=compared, verdict=Verdict.TOO_FEW)
    base, other = ours.values, theirs.values
    if base and other:
        row = replace(row, change=statistics.change(base, other))
    if not statistics.enough(len(base), len(other)):
        return replace(row, reasons=[*gone, _too_few(len(base), len(other), pair.by_sessions)])
    return replace(row, test=statistics.mann_whitney(base, other))


def _without_samples(pair: _Pair, samples: Samples) -> list[str]:
    """A sentence where a side that has a number has lost the samples it was made of: its medians must do then."""
    place, newest = pair.row.place, {side[0].result.number: side[0].result for side in (pair.ours, pair.theirs)}
    gone = [number for number, one in newest.items() if not samples.stored(one, place.cell)]
    if not gone:
        return []
    which = f"result {gone[0]}" if len(gone) == 1 else f"results {gone[0]} and {gone[1]}"
    return [f"The raw samples of {which} are not stored, so only medians can be compared."]


def _judged(rows: Sequence[Row]) -> list[Row]:
    """The rows with their p corrected for all tests of this comparison, and the verdict of those tested."""
    ps = iter(statistics.corrected([row.test.p for row in rows if row.test]))
    judged = []
    for row in rows:
        if row.test and row.base and row.other:
            p, better = next(ps), HIGHER_IS_BETTER[row.place.metric]
            said = statistics.verdict(row.base.values, row.other.values, p, higher_is_better=better)
            row = replace(row, p_corrected=p, verdict=said)
        judged.append(row)
    return judged


def _medians(entries: Sequence[Entry], place: Place) -> Side | None:
    if not entries:
        return None
    return Side([entry.result for entry in entries], 0, [entry.median(place.metric) for entry in entries])


def _newest(entries: Sequence[Entry], place: Place, samples: Samples) -> Side:
    newest = entries[0].result
    return Side([newest], 0, samples.values(newest, place.cell, place.metric))


def _too_few(base: int, other: int, by_sessions: bool) -> str:
    what = BY_SESSIONS if by_sessions else BY_SAMPLES
    return f"{base} against {other} {what} are too few to show any difference; 4 against 4 can."
