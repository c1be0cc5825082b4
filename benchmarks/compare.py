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
from benchmarks import conditions, listing, measured, pairing, statistics
from benchmarks.conditions import Difference
from benchmarks.documents import Result
from benchmarks.listing import ResultFilters
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

    `varied`: the differences that the comparison is about. `compared`: BY_SESSIONS or BY_SAMPLES.
    """

    place: Place
    unit: str
    base: Side | None
    other: Side | None
    verdict: Verdict
    reasons: Sequence[str] = ()
    varied: Sequence[Difference] = ()
    compared: str | None = None
    change: Change | None = None
    test: RankTest | None = None
    p_corrected: float | None = None


@dataclass(frozen=True)
class Comparison:
    """The rows by pair and cell. `more`: which side had more results than MOST_RESULTS."""

    about: Sequence[str]
    rows: Sequence[Row]
    base_has_more: bool
    other_has_more: bool


def compare(
    base: ResultFilters, other: ResultFilters, about: Iterable[str] | None = None, metric: str | None = None
) -> Comparison:
    """`other` against `base`. `about`: conditions.GROUPS that may differ, None what the filters name differently;
    `metric`: one of HIGHER_IS_BETTER, None each cell's headline. Raises Invalid for more than MOST_ROWS cells."""
    groups = pairing.told_apart(base, other) if about is None else frozenset(about)
    first, second = (listing.results(filters, None, MOST_RESULTS) for filters in (base, other))
    ours = pairing.entries(first.items, groups, metric, base.cell)
    theirs = pairing.entries(second.items, groups, metric, other.cell)
    places = {**ours, **theirs}
    if len(places) > MOST_ROWS:
        raise Invalid(
            f"These are {len(places)} cells; at most {MOST_ROWS} are compared at a time. Add cell= or model=."
        )
    rows = [_row(place, ours.get(place, []), theirs.get(place, []), groups) for place in places]
    return Comparison(
        about=[group for group in conditions.GROUPS if group in groups],
        rows=_judged(rows),
        base_has_more=first.next is not None,
        other_has_more=second.next is not None,
    )


def _row(place: Place, base: Sequence[Entry], other: Sequence[Entry], about: frozenset[str]) -> Row:
    unit = str([*base, *other][0].cell["metrics"][place.metric]["unit"])
    by_medians = Row(place, unit, _medians(base, place), _medians(other, place), Verdict.NOT_COMPARABLE)
    wrong = [*pairing.obstacles("base", base, place, about), *pairing.obstacles("with", other, place, about)]
    if wrong:
        return replace(by_medians, reasons=wrong)
    ours, theirs, differing = pairing.partners(base, other, about)
    stopping = pairing.forbidden(differing, about)
    row = replace(by_medians, varied=[one for one in differing if one not in stopping])
    if stopping:
        return replace(row, reasons=[one.sentence for one in stopping])
    by_sessions = "machine" in about or statistics.enough(len(ours), len(theirs))
    read = _medians if by_sessions else _samples
    sides = (_without(read(ours, place), len(base)), _without(read(theirs, place), len(other)))
    return _tested(row, sides, by_sessions)


def _tested(row: Row, sides: tuple[Side, Side], by_sessions: bool) -> Row:
    """The row with its values, change and p; `_judged` gives the verdict."""
    compared = BY_SESSIONS if by_sessions else BY_SAMPLES
    row = replace(row, base=sides[0], other=sides[1], compared=compared, verdict=Verdict.TOO_FEW)
    base, other = sides[0].values, sides[1].values
    if base and other:
        row = replace(row, change=statistics.change(base, other))
    if not statistics.enough(len(base), len(other)):
        return replace(row, reasons=[_too_few(len(base), len(other), by_sessions)])
    return replace(row, test=statistics.mann_whitney(base, other))


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


def _samples(entries: Sequence[Entry], place: Place) -> Side | None:
    newest = entries[0].result
    return Side([newest], 0, measured.values(newest, place.cell, place.metric))


def _without(side: Side | None, matched: int) -> Side:
    assert side is not None
    return replace(side, left_out=matched - len(side.used))


def _too_few(base: int, other: int, by_sessions: bool) -> str:
    what = BY_SESSIONS if by_sessions else BY_SAMPLES
    return f"{base} against {other} {what} are too few to show any difference; 4 against 4 can."
