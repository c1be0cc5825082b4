"""Changes in the rows of a comparison: one axis centred on 0, the zone too small to count shaded, raw points around.

All changes are shares of the base's median: 0.05 is 5 % more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.utils.safestring import SafeString, mark_safe

from obt_site.charts.svg import Attr, el, join, known, nice_top, pct, spoken, text, tick_text, ticks, titled
from obt_site.formatting import finite

HEIGHT_PX = 46
MIDDLE_PX, BASE_PX, OTHER_PX = 23, 9, 37
CAP_PX = 4.5
EDGE_PX = 4
ABOUT_TICKS = 6
SMALLEST_SCALE, LARGEST_SCALE = 0.05, 2.0
MOST_POINTS = 40
"""Of each side in one row: more could not be told apart."""


def change_scale(spreads: Iterable[Sequence[object]], points: Iterable[object] = ()) -> float:
    """The half-width of the axis that holds all changes with their intervals, and the points next to them."""
    widest = max((abs(value) for spread in spreads for value in known(spread)), default=0.0)
    scattered = max(map(abs, known(points)), default=0.0)
    wanted = max(widest * 1.05, min(scattered, 2 * widest), SMALLEST_SCALE)
    return min(nice_top(wanted, ABOUT_TICKS // 2), LARGEST_SCALE)


def change_axis(scale: float) -> SafeString:
    """The axis for the header, in percent."""
    marks = [100 * mark for mark in ticks(-scale, scale, ABOUT_TICKS)]
    return el("svg", {"class": "ch", "aria-hidden": "true"}, join(_label(mark, marks, scale) for mark in marks))


def _label(mark: float, marks: Sequence[float], scale: float) -> SafeString:
    is_last = mark == marks[-1]
    words = f"{'+' if mark > 0 else ''}{tick_text(mark + 0.0, marks)}{' %' if is_last else ''}"
    at = _at(mark / 100, scale)
    anchor = "start" if at < 0.02 else "end" if at > 0.98 else "middle"
    gives_way = mark != 0 and 0.02 <= at <= 0.98
    return text(words, {"class": "nar-m" if gives_way else None, "x": pct(at), "y": 18, "text-anchor": anchor})


def change_grid(scale: float, zone: float) -> SafeString:
    """Only the background, for the heading row of a group."""
    return el("svg", {"class": "ch", "aria-hidden": "true"}, _background(scale, zone))


def change_missing(scale: float, zone: float, reason: str) -> SafeString:
    """A hatched row: nothing can be said, and ``reason`` says why (in words beside it, too)."""
    rect = el("rect", {"width": "100%", "height": "100%", "fill": "url(#hx)"})
    return el("svg", {"class": "ch", "role": "img", "aria-label": reason}, titled(reason), rect)


def change_row(
    change: object,
    low: object,
    high: object,
    tone: str,
    base: Sequence[float],
    other: Sequence[float],
    scale: float,
    zone: float,
    label: str = "",
) -> SafeString:
    """A change with its interval; the values of the base above it as rings, those compared with it below as discs.

    ``tone``: good, bad, or nothing.  Without an interval the change is a ring, since nothing was tested.  What lies
    beyond the axis is an arrow at its edge.
    """
    parts = [
        _background(scale, zone),
        join(_point(value, BASE_PX, "pa", scale) for value in thinned(base)),
        join(_point(value, OTHER_PX, "pb", scale) for value in thinned(other)),
    ]
    if (middle := finite(change)) is not None:
        parts += [_interval(finite(low), finite(high), scale), _median(middle, finite(low) is not None, scale)]
    attrs: dict[str, Attr] = {"class": f"ch chg {tone}".strip(), "height": HEIGHT_PX, **spoken(label)}
    return el("svg", attrs, titled(label), join(parts))


def thinned(values: Sequence[float]) -> list[float]:
    """At most MOST_POINTS of the values, the lowest and the highest always among them."""
    if len(values) <= MOST_POINTS:
        return list(values)
    ordered = sorted(values)
    return [ordered[round(index * (len(ordered) - 1) / (MOST_POINTS - 1))] for index in range(MOST_POINTS)]


def _at(value: float, scale: float) -> float:
    return 0.5 + value / (2 * scale)


def _background(scale: float, zone: float) -> SafeString:
    start, end = max(_at(-zone, scale), 0.0), min(_at(zone, scale), 1.0)
    shaded = el("rect", {"class": "zone", "x": pct(start), "width": pct(end - start), "y": 0, "height": "100%"})
    lines = (
        el("line", {"class": "g0" if abs(mark) < scale / 1e6 else "g", **_up(_at(mark, scale))})
        for mark in ticks(-scale, scale, ABOUT_TICKS)
    )
    return join([shaded, *lines])


def _up(at: float) -> dict[str, Attr]:
    return {"x1": pct(at), "x2": pct(at), "y1": 0, "y2": "100%"}


def _interval(low: float | None, high: float | None, scale: float) -> SafeString:
    if low is None or high is None:
        return mark_safe("")  # nosec B308
    start, end = _at(low, scale), _at(high, scale)
    line = el("line", {"class": "iv-l", "x1": pct(start), "x2": pct(end), "y1": MIDDLE_PX, "y2": MIDDLE_PX})
    caps = (
        el(
            "line",
            {"class": "iv-l", "x1": pct(x), "x2": pct(x), "y1": MIDDLE_PX - CAP_PX, "y2": MIDDLE_PX + CAP_PX},
        )
        for x in (start, end)
        if 0 <= x <= 1
    )
    return join([line, *caps])


def _median(change: float, tested: bool, scale: float) -> SafeString:
    at = _at(change, scale)
    if not 0 <= at <= 1:
        return _arrow(at > 1, MIDDLE_PX, "ar")
    return el("circle", {"class": "md" if tested else "md few", "cx": pct(at), "cy": MIDDLE_PX, "r": 4})


def _point(value: float, y: float, name: str, scale: float) -> SafeString:
    at = _at(value, scale)
    if not 0 <= at <= 1:
        return _arrow(at > 1, y, f"{name} ar")
    return el("circle", {"class": name, "cx": pct(at), "cy": y, "r": 2.2})


def _arrow(is_right: bool, y: float, name: str) -> SafeString:
    way = -EDGE_PX if is_right else EDGE_PX
    path = el("path", {"class": name, "d": f"M{way} {-EDGE_PX}L0 0L{way} {EDGE_PX}"})
    return el("svg", {"class": "ov", "x": pct(1.0 if is_right else 0.0), "y": y}, path)
