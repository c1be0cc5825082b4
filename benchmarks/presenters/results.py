"""The results page: what fits the address, in its order and groups, with the numbers and the menus around them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agent.obt_agent import metrics
from benchmarks import explore, shelf
from benchmarks.explore import Order
from benchmarks.measures import MEASURES
from benchmarks.presenters import results_filters as filters
from benchmarks.presenters import results_rows, stored
from benchmarks.presenters.figures import metric_word
from benchmarks.presenters.results_chart import Scatter, scatter_of
from benchmarks.presenters.results_filters import Chip, Dropped, Menu, Names
from benchmarks.presenters.results_query import Query
from benchmarks.presenters.results_rows import ResultRow
from benchmarks.shelf import Short

LONG_ROWS = 300
ROWS_TO_COMPARE = 2  # in a group, on average
MOST_APART = 8.0  # between the highest values of two groups on one scale
MAIN_METRICS = ("decode_rate", "prefill_rate", "ttft", "load_time", "energy_per_output_token")


@dataclass(frozen=True)
class Group:
    """Rows under one head. `best` and `middle` are of the whole group, `count` too, wherever a page cuts it."""

    label: str
    about: str
    url: str | None
    rows: Sequence[ResultRow]
    count: int
    measured: int
    best: float | None
    middle: float | None
    is_continued: bool
    highest: float  # where the scale of its bars ends


@dataclass(frozen=True)
class ResultList:
    """Everything the results page shows."""

    query: Query
    names: Names
    chips: Sequence[Chip]
    menus: Sequence[Menu]
    groups: Sequence[Group]
    scatter: Scatter | None
    count: int  # rows of this view
    first: int  # place of the first row on this page, from 1
    last: int
    total: int  # results there are
    highest: float  # of the whole page
    own_scales: bool  # each group's bars have a scale of their own
    top: int  # the newest result's number when this list was begun
    newer: int  # results since then
    available: Sequence[str]  # metrics that any of these results has
    simulated_hidden: int
    excluded_hidden: int
    dropped: Sequence[Dropped]

    @property
    def nothing_at_all(self) -> bool:
        return self.total == 0

    @property
    def is_full(self) -> bool:
        """Whether there may be older results than the ones kept at hand."""
        return self.total >= shelf.MOST

    @property
    def is_long(self) -> bool:
        """Whether rows out of sight should not be laid out."""
        return self.last - self.first > LONG_ROWS

    @property
    def metric_word(self) -> str:
        return metric_word(self.query.metric.name)

    @property
    def formula(self) -> str:
        return metrics.FORMULAS[self.query.metric.name]

    @property
    def previous_url(self) -> str | None:
        page = min(self.query.page, self.last_page + 1)
        return self.query.page_url(page - 1, self.top) if page > 1 else None

    @property
    def next_url(self) -> str | None:
        return self.query.page_url(self.query.page + 1, self.top) if self.last < self.count else None

    @property
    def last_page(self) -> int:
        return max(1, -(-self.count // self.query.size))


def result_list(query: Query) -> ResultList:
    """The page of results this query asks for."""
    shorts = shelf.every()
    clients = stored.machines()
    machines = {str(client.id): client.name for client in clients}
    series = stored.series_of(clients)
    names = filters.names_of(shorts, machines)
    hides = explore.leaves_simulated_out(shorts, query.filters)
    found = explore.find(shorts, query.filters, hides)
    fitting = explore.latest(found.fitting) if query.only_latest else found.fitting
    groups = _grouped(fitting, query)
    start = (query.page - 1) * query.size
    cut = _cut(groups, start, query.size)
    shown = [one for _, items, _ in cut for one in items]
    rows = {
        row.id: row
        for row in results_rows.rows(
            shown, query.metric, query.filters.cell, query.more_metrics, names.machines, series
        )
    }
    highest = [_highest(rows[one.id] for one in items) for _, items, _ in cut]
    own_scales = query.group is not None and _apart(query, highest, len(rows))
    top = query.filters.upto if query.filters.upto is not None else (shorts[0].number if shorts else 0)
    kept = explore.rows(found.kept_out.get("simulated", ()), query.only_latest) if hides else 0
    return ResultList(
        query=query,
        names=names,
        chips=filters.chips(query, names),
        menus=filters.menus(query, found, names),
        groups=[
            _group(*part, rows, query, names, own if own_scales else max(highest))
            for part, own in zip(cut, highest, strict=True)
        ],
        scatter=_scatter(fitting, query, names.machines, series),
        count=len(fitting),
        first=start + 1 if shown else 0,
        last=start + len(shown),
        total=len(shorts),
        highest=max(highest, default=0.0),
        own_scales=own_scales,
        top=top,
        newer=sum(one.number > top for one in shorts[:1000]),
        available=available(found.fitting),
        simulated_hidden=kept,
        excluded_hidden=_left_out(found, query),
        dropped=[] if fitting else filters.what_to_drop(query, found, names),
    )


def _left_out(found: explore.Found, query: Query) -> int:
    """How many rows more there were with what a person has excluded."""
    if query.filters.excluded:
        return 0
    return explore.rows(found.kept_out.get("excluded", ()), query.only_latest)


def fitting_rows(query: Query) -> list[Short]:
    """Every row of the view, in its order: what an export has."""
    shorts = shelf.every()
    found = explore.find(shorts, query.filters, explore.leaves_simulated_out(shorts, query.filters))
    fitting = explore.latest(found.fitting) if query.only_latest else found.fitting
    return [one for group in _grouped(fitting, query) for one in group.items]


def _grouped(fitting: Sequence[Short], query: Query) -> list[explore.Group]:
    cell, metric = query.filters.cell, query.metric.name
    if query.group is None:
        items = explore.ordered(fitting, query.order or Order("when"), cell)
        return [explore.Group(None, items, None, None, 0)] if items else []
    return explore.grouped(fitting, query.group, metric, cell, query.order)


def _cut(groups: Iterable[explore.Group], start: int, size: int) -> list[tuple[explore.Group, Sequence[Short], bool]]:
    """The part of each group that lies on this page, and whether it began on an earlier one."""
    cut = []
    at = 0
    for group in groups:
        low, high = max(start - at, 0), min(start + size - at, len(group.items))
        if low < high:
            cut.append((group, group.items[low:high], low > 0))
        at += len(group.items)
    return cut


def _group(
    group: explore.Group, items: Sequence[Short], is_continued: bool, rows: Mapping[str, ResultRow],
    query: Query, names: Names, highest: float,
) -> Group:  # fmt: skip
    label = "" if query.group is None else names.of(query.group, group.value) if group.value else "not known"
    url = query.url(**{query.group: group.value}) if query.group and group.value else None
    return Group(
        label=label,
        about=_about(group.items[0]) if query.group == "model" else "",
        url=url,
        rows=[rows[one.id] for one in items],
        count=len(group.items),
        measured=group.measured,
        best=group.best,
        middle=group.middle,
        is_continued=is_continued,
        highest=highest,
    )


def _about(one: Short) -> str:
    return ", ".join(part for part in (one.parameter_size, one.quantization) if part)


def _highest(rows: Iterable[ResultRow]) -> float:
    ends = [row.spread.high or row.spread.median for row in rows if row.spread]
    return max(ends, default=0.0)


def _apart(query: Query, highest: Sequence[float], rows: int) -> bool:
    """Whether groups need scales of their own: as asked, else where bars of one would vanish beside another's, and
    most groups have bars to compare: alone on its own scale a bar says nothing."""
    if query.scale is not None:
        return query.scale == "group"
    known = [each for each in highest if each > 0]
    return len(known) > 1 and max(known) / min(known) > MOST_APART and rows >= ROWS_TO_COMPARE * len(highest)


def available(shorts: Iterable[Short]) -> list[str]:
    """The metrics that any of these results has."""
    layouts = {id(one.layout): one.layout for one in shorts}
    having = {metric for layout in layouts.values() for metric in layout.best}
    return [name for name in MEASURES if name in having]


def _scatter(
    fitting: Sequence[Short], query: Query, machines: Mapping[str, str], series: Mapping[str, int]
) -> Scatter | None:
    if query.chart != "scatter":
        return None
    return scatter_of(fitting, query.x, query.y, query.filters.cell, machines, series)
