"""The fleet page: every machine, what needs a look, and the latest results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.presenters.fleet_query import ALWAYS_OFFERED, SHOWS, SORTS, FleetQuery
from benchmarks.presenters.ground import LatestResult, ground, latest_of
from benchmarks.presenters.machines import MachineRow, Sentence
from obt_site import publishing

LATEST_RESULTS = 6


@dataclass(frozen=True)
class Show:
    """One part of the fleet: its word, how many machines are in it, and its address."""

    word: str
    count: int
    url: str
    is_on: bool


@dataclass(frozen=True)
class Fleet:
    """Everything the fleet page shows. `labels`, `systems` and `gpus` are what can be filtered by."""

    query: FleetQuery
    rows: Sequence[MachineRow]
    total: int
    summary: str
    shows: Sequence[Show]
    labels: Sequence[str]
    systems: Sequence[str]
    gpus: Sequence[str]
    needs: Sequence[Sentence]
    latest: Sequence[LatestResult]
    reference_model: str | None
    reference_scale: float
    has_models: bool
    has_results: bool
    open_work: bool

    @property
    def sorts(self) -> Sequence[tuple[str, str]]:
        return [(name, word) for name, (word, _) in SORTS.items()]

    @property
    def show_word(self) -> str:
        return SHOWS[self.query.show][0].lower()

    @property
    def order(self) -> tuple[str, ...]:
        return tuple(each.id for each in self.rows)


def fleet(query: FleetQuery, in_sight: Sequence[str] = ()) -> Fleet:
    """The fleet as stored now. Machines that are `in_sight` (ids) stay there, whatever became of them."""
    found = ground()
    labels = sorted({label for each in found.rows for label in each.labels}, key=str.casefold)
    systems = sorted({each.system for each in found.rows if each.system})
    gpus = sorted({each.gpu for each in found.rows}, key=str.casefold)
    query = query.known(labels, systems, gpus)
    return Fleet(
        query=query,
        rows=query.arranged(found.rows, in_sight),
        total=len(found.rows),
        summary=found.summary,
        shows=_shows(found.counts, query),
        labels=labels,
        systems=systems,
        gpus=gpus,
        needs=() if publishing.to_a_stranger() else found.needs,
        latest=[latest_of(one) for one in found.results[:LATEST_RESULTS]],
        reference_model=found.reference_model,
        reference_scale=max((each.high or each.value or 0.0 for each in found.references.values()), default=0.0),
        has_models=found.has_models,
        has_results=bool(found.results),
        open_work=bool(found.jobs),
    )


def _shows(counts: Mapping[str, int], query: FleetQuery) -> list[Show]:
    shows = []
    for name, (word, states) in SHOWS.items():
        count = sum(number for state, number in counts.items() if not states or state in states)
        if count or name in ALWAYS_OFFERED or name == query.show:
            shows.append(Show(word, count, query.asked.url(show=None if name == "all" else name), name == query.show))
    return shows
