"""The scatter of the results page: two metrics against each other, with those that nothing beats in both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.urls import reverse

from benchmarks.measures import Measure
from benchmarks.presenters.figures import metric_word
from benchmarks.shelf import Short
from obt_site.charts import Axis, ScatterPoint, pareto_edge
from obt_site.formatting import cut_middle, measured

MOST_POINTS = 400  # each is a link; more would weigh more than the rest of the page
MOST_NAMED = 12
COLOURS = 6


@dataclass(frozen=True)
class Point:
    """A result that has both numbers, or neither drawn nor counted."""

    short: Short
    machine: str
    x: float
    y: float
    series: int | None
    number: int | None = None  # its place along the edge

    @property
    def url(self) -> str:
        return reverse("result", args=[self.short.id])


@dataclass(frozen=True)
class Scatter:
    """What the chart draws and says. `drawn` are the newest points and the whole edge."""

    x: Axis
    y: Axis
    points: Sequence[ScatterPoint]
    edge: Sequence[ScatterPoint]
    drawn: Sequence[Point]
    named: Sequence[Point]  # the first of the edge
    edge_count: int
    count: int
    without: int  # results that lack one of the two
    colours: Sequence[tuple[int, str]]  # machines that have a colour
    grey: Sequence[str]  # those beyond the sixth

    @property
    def grey_names(self) -> str:
        return ", ".join(cut_middle(name, 30) for name in self.grey)

    @property
    def is_capped(self) -> bool:
        return self.count > len(self.drawn)


def axis(measure: Measure) -> Axis:
    return Axis(metric_word(measure.name), measure.unit, measure.higher_is_better)


def scatter_of(
    shorts: Sequence[Short], x: Measure, y: Measure, cell: str | None,
    machines: Mapping[str, str], series: Mapping[str, int],
) -> Scatter:  # fmt: skip
    """The scatter of all results of the view, newest first; the edge is that of all, also of those not drawn."""
    having = [
        (one, at_x, at_y)
        for one in shorts
        if (at_x := one.median(x.name, cell)) is not None and (at_y := one.median(y.name, cell)) is not None
    ]
    edge = pareto_edge([(at_x, at_y) for _, at_x, at_y in having], x.higher_is_better, y.higher_is_better)
    number = {place: index for index, place in enumerate(edge, start=1)}

    def point(place: int) -> Point:
        one, at_x, at_y = having[place]
        name = machines.get(one.client, one.client_name)
        return Point(one, name, at_x, at_y, series.get(one.client), number.get(place))

    on_edge = [point(place) for place in edge]
    others = [point(place) for place in range(min(len(having), MOST_POINTS)) if place not in number]
    drawn = [*on_edge, *others]
    return Scatter(
        axis(x), axis(y), [_drawn(each, x, y) for each in others], [_drawn(each, x, y) for each in on_edge],
        drawn, on_edge[:MOST_NAMED], len(on_edge), len(having), len(shorts) - len(having), *_legend(drawn),
    )  # fmt: skip


def _drawn(point: Point, x: Measure, y: Measure) -> ScatterPoint:
    numbers = f"{measured(point.x, x.unit)} {x.unit}, {measured(point.y, y.unit)} {y.unit}"
    title = f"{cut_middle(point.short.model, 60)} on {cut_middle(point.machine, 40)}: {numbers}"
    return ScatterPoint(point.x, point.y, title, point.url, point.series)


def _legend(drawn: Sequence[Point]) -> tuple[list[tuple[int, str]], list[str]]:
    names = {(point.series, point.machine) for point in drawn}
    coloured = sorted((series, name) for series, name in names if series is not None and series <= COLOURS)
    grey = sorted({name for series, name in names if series is None or series > COLOURS}, key=str.casefold)
    return coloured, grey
