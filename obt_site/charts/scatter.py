"""Two metrics against each other: a point per result, and the edge of those that nothing beats in both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from django.utils.safestring import SafeString

from obt_site.charts.empty import empty_picture
from obt_site.charts.figures import series_class
from obt_site.charts.svg import Attr, el, join, nice_range, pct, share, text, tick_text, ticks, titled
from obt_site.formatting import number

HEIGHT_PX = 380
AXIS_HEIGHT_PX = 20
ABOUT_TICKS = 5
LOGARITHMIC_FROM_RATIO = 20.0
"""Beyond this ratio of largest to smallest most points would lie in one corner of a linear scale."""
MOST_LOG_TICKS = 8
NICE_IN_DECADE = (1.0, 2.0, 5.0)
RADIUS_PX, EDGE_RADIUS_PX = 3.6, 5
LABEL_ACROSS, LABEL_UP = 0.05, 0.045
"""How far apart two numbers along the edge have to be, in shares of the picture."""


@dataclass(frozen=True)
class ScatterPoint:
    """One result: where it lies, what it is called on hover, where it leads, its machine's colour (1 to 6)."""

    x: float
    y: float
    title: str
    url: str
    series: int | None = None


@dataclass(frozen=True)
class Axis:
    """What is measured along an axis, and which way is better."""

    word: str
    unit: str
    higher_is_better: bool

    def words(self, arrow: str) -> str:
        """`Decode, tok/s (higher is better →)`."""
        return f"{self.word}, {self.unit} ({'higher' if self.higher_is_better else 'lower'} is better {arrow})"


class Scale:
    """A linear scale with round ends, or a logarithmic one where the values are far apart."""

    def __init__(self, values: Sequence[float]) -> None:
        low, high = min(values), max(values)
        self.is_log = low > 0 and high / low >= LOGARITHMIC_FROM_RATIO
        if self.is_log:
            marks = _log_marks(low, high)
            self.low, self.high = marks[0], marks[-1]
            self.ticks = _few(marks)
        else:
            self.low, self.high = nice_range(values, ABOUT_TICKS)
            self.ticks = ticks(self.low, self.high, ABOUT_TICKS)

    def at(self, value: float) -> float:
        """Its share of the way from the low end to the high one."""
        if self.is_log:
            return share(math.log10(value), math.log10(self.low), math.log10(self.high))
        return share(value, self.low, self.high)

    def word(self, value: float) -> str:
        places = max(0, -math.floor(math.log10(value) + 1e-9)) if self.is_log else 0
        return number(value, places) if self.is_log else tick_text(value, self.ticks)


def _log_marks(low: float, high: float) -> list[float]:
    """1, 2, 5, 10 … from the one at or below `low` to the one at or above `high`."""
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    marks = [mantissa * 10.0**power for power in decades for mantissa in NICE_IN_DECADE]
    first = max(index for index, mark in enumerate(marks) if mark <= low * (1 + 1e-9))
    last = min(index for index, mark in enumerate(marks) if mark >= high * (1 - 1e-9))
    return marks[first : last + 1]


def _few(marks: list[float]) -> list[float]:
    """All of them, or every third: then each is ten times the one before."""
    return marks if len(marks) <= MOST_LOG_TICKS else marks[::3]


def pareto_edge(points: Sequence[tuple[float, float]], x_higher: bool, y_higher: bool) -> list[int]:
    """The places of the points that none is better than in both, from best x to best y; of equal ones the first."""
    sign_x, sign_y = (-1 if x_higher else 1), (-1 if y_higher else 1)
    order = sorted(range(len(points)), key=lambda i: (sign_x * points[i][0], sign_y * points[i][1], i))
    edge: list[int] = []
    best_y = math.inf
    for place in order:
        y = sign_y * points[place][1]
        if y < best_y:
            edge.append(place)
            best_y = y
    return edge


def scatter(
    points: Sequence[ScatterPoint], edge: Sequence[ScatterPoint], x: Axis, y: Axis, empty_reason: str = ""
) -> SafeString:
    """Points with links, those of the `edge` (from best x to best y) on top, numbered and joined by a stepped line.

    On both axes it is said which way is better. Where values differ 20-fold or more the scale is logarithmic.
    """
    every = [*points, *edge]
    if not every:
        return empty_picture(empty_reason or "No result has both numbers.")
    across, up = Scale([point.x for point in every]), Scale([point.y for point in every])
    arrow_up = "↑" if y.higher_is_better else "↓"
    head = el("p", {"class": "sct-y"}, y.words(arrow_up) + (", logarithmic scale" if up.is_log else ""))
    arrow = "→" if x.higher_is_better else "←"
    foot = el("p", {"class": "sct-x"}, x.words(arrow) + (", logarithmic scale" if across.is_log else ""))
    field = _field(points, edge, across, up, f"{y.word} against {x.word}: {len(every)} results")
    plot = el("div", {"class": "plot sct"}, _left(up), field, _bottom(across))
    return join([head, plot, foot])


def _field(
    points: Sequence[ScatterPoint], edge: Sequence[ScatterPoint], across: Scale, up: Scale, label: str
) -> SafeString:
    grid = [
        *(el("line", {"class": "g", "x1": "0", "x2": "100%", "y1": _y(v, up), "y2": _y(v, up)}) for v in up.ticks),
        *(el("line", {"class": "g", "x1": _x(v, across), "x2": _x(v, across), "y1": "0", "y2": "100%"})
          for v in across.ticks),
    ]  # fmt: skip
    line = (_step(a, b, across, up) for a, b in pairwise(edge))
    dots = (_dot(point, across, up) for point in points)
    named = _apart(edge, across, up)
    best = (_best(point, place, place in named, across, up) for place, point in enumerate(edge, start=1))
    attrs: dict[str, Attr] = {"class": "ch ov", "height": HEIGHT_PX, "role": "group", "aria-label": label}
    return el("svg", attrs, join(grid), join(line), join(dots), join(best))


def _x(value: float, across: Scale) -> str:
    return pct(across.at(value))


def _y(value: float, up: Scale) -> str:
    return pct(1 - up.at(value))


def _step(a: ScatterPoint, b: ScatterPoint, across: Scale, up: Scale) -> SafeString:
    """From one point of the edge to the next by the corner that both of them beat: nothing lies between in fact."""
    # a is better across, so b's x is the worse one; b is better up, so a's y is.
    corner_x, corner_y = _x(b.x, across), _y(a.y, up)
    first = {"class": "edge", "x1": _x(a.x, across), "y1": corner_y, "x2": corner_x, "y2": corner_y}
    second = {"class": "edge", "x1": corner_x, "y1": corner_y, "x2": corner_x, "y2": _y(b.y, up)}
    return join([el("line", {**first}), el("line", {**second})])


def _dot(point: ScatterPoint, across: Scale, up: Scale) -> SafeString:
    place: dict[str, Attr] = {"cx": _x(point.x, across), "cy": _y(point.y, up), "r": RADIUS_PX}
    dot = el("circle", {"class": f"dot {series_class(point.series)}", **place}, titled(point.title))
    # The keyboard reaches every result in the table; hundreds of stops here would be a wall.
    return el("a", {"href": point.url, "tabindex": -1, "aria-label": point.title}, dot)


def _apart(edge: Sequence[ScatterPoint], across: Scale, up: Scale) -> set[int]:
    """The numbers (from 1) that can stand beside their points without lying on one another."""
    named: set[int] = set()
    last: tuple[float, float] | None = None
    for place, point in enumerate(edge, start=1):
        at = (across.at(point.x), up.at(point.y))
        if last is None or abs(at[0] - last[0]) > LABEL_ACROSS or abs(at[1] - last[1]) > LABEL_UP:
            named.add(place)
            last = at
    return named


def _best(point: ScatterPoint, place: int, is_named: bool, across: Scale, up: Scale) -> SafeString:
    x, y = _x(point.x, across), _y(point.y, up)
    dot = el("circle", {"class": f"best {series_class(point.series)}", "cx": x, "cy": y, "r": EDGE_RADIUS_PX},
             titled(f"{place}: {point.title}"))  # fmt: skip
    to_left = across.at(point.x) > 0.9
    name: dict[str, Attr] = {"class": "t1", "x": x, "y": y, "dx": -8 if to_left else 8, "dy": -6}
    anchored = text(str(place) if is_named else "", {**name, "text-anchor": "end" if to_left else "start"})
    return join([el("a", {"href": point.url, "aria-label": f"{place}: {point.title}"}, dot), anchored])


def _left(up: Scale) -> SafeString:
    words = (text(up.word(v), {"x": "100%", "y": _y(v, up), "dy": 4, "text-anchor": "end"}) for v in up.ticks)
    return el("svg", {"class": "ch ya ov", "height": HEIGHT_PX, "aria-hidden": "true"}, join(words))


def _bottom(across: Scale) -> SafeString:
    words = (
        text(across.word(v), {"x": _x(v, across), "y": 15, "text-anchor": _anchor(across.at(v))}) for v in across.ticks
    )
    return el("svg", {"class": "ch xa ov", "height": AXIS_HEIGHT_PX, "aria-hidden": "true"}, join(words))


def _anchor(at: float) -> str:
    return "end" if at > 0.97 else "start" if at < 0.03 else "middle"
