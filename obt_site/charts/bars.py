"""Bars in the rows of the results table: one axis in the header, grid lines through all rows."""

from __future__ import annotations

from django.utils.safestring import SafeString

from obt_site.charts.figures import series_class
from obt_site.charts.svg import Attr, el, join, nice_top, pct, spoken, text, tick_text, ticks, titled
from obt_site.formatting import finite, is_only_a_range

ROW_MIDDLE_PX = 17
BAR_HEIGHT_PX = 8
CAP_PX = 5
ABOUT_TICKS = 6
ALWAYS_CAPPED_SHARE = 0.004
"""On a wide bar two caps stay apart down to this share of the scale."""


def _marks(highest: float) -> tuple[float, list[float]]:
    top = nice_top(highest, ABOUT_TICKS)
    return top, ticks(0.0, top, ABOUT_TICKS)


def bar_axis(highest: object, unit: str) -> SafeString:
    """The axis for the header: from zero to the round end above ``highest``, the unit at the last tick."""
    top, marks = _marks(finite(highest) or 0.0)
    labels = (_axis_label(index, marks, top, unit) for index in range(len(marks)))
    spoken = el("span", {"class": "sr"}, f"bar from 0 to {tick_text(marks[-1], marks)} {unit}".strip())
    return join((el("svg", {"class": "ch", "aria-hidden": "true"}, join(labels)), spoken))


def _axis_label(index: int, marks: list[float], top: float, unit: str) -> SafeString:
    mark, is_last = marks[index], index == len(marks) - 1
    anchor = "start" if index == 0 else "end" if is_last else "middle"
    words = f"{tick_text(mark, marks)} {unit}".strip() if is_last else tick_text(mark, marks)
    # Counted from the last one, whose unit takes room, every second label gives way on narrow pages.
    gives_way = index > 0 and (len(marks) - 1 - index) % 2 == 1
    return text(words, {"class": "nar-m" if gives_way else None, "x": pct(mark / top), "y": 18, "text-anchor": anchor})


def _grid(highest: float) -> SafeString:
    top, marks = _marks(highest)
    lines = (
        el(
            "line",
            {"class": "g0" if mark == 0 else "g", "x1": pct(mark / top), "x2": pct(mark / top), "y1": 0, "y2": "100%"},
        )
        for mark in marks
    )
    return join(lines)


def bar_grid(highest: object) -> SafeString:
    """Only the grid lines, for the heading row of a group."""
    return el("svg", {"class": "ch", "aria-hidden": "true"}, _grid(finite(highest) or 0.0))


def bar_missing(highest: object, reason: str) -> SafeString:
    """A hatched row: there is no value, and ``reason`` says why (in words beside it, too)."""
    rect = el("rect", {"width": "100%", "height": "100%", "fill": "url(#hx)"})
    attrs: dict[str, Attr] = {"class": "ch", **spoken(reason)}
    return el("svg", attrs, titled(reason), _grid(finite(highest) or 0.0), rect)


def result_bar(
    value: object,
    low: object,
    high: object,
    n: int | None,
    highest: object,
    series: int | None = None,
    label: str = "",
    missing_reason: str = "",
) -> SafeString:
    """A bar from zero to the median with its interval as a whisker, on the scale that ``highest`` makes.

    ``highest`` is the largest interval end of the whole table, the same in every row.  ``series`` is the machine's
    colour, 1 to 6.  Fewer than six samples: dashed whisker without caps.  No value: hatched.
    """
    median, top = finite(value), nice_top(finite(highest) or 0.0, ABOUT_TICKS)
    if median is None:
        return bar_missing(highest, missing_reason or "no value")
    y = ROW_MIDDLE_PX - BAR_HEIGHT_PX / 2
    bar = el("rect", {"class": "bar", "x": "0", "y": y, "width": pct(median / top), "height": BAR_HEIGHT_PX})
    attrs: dict[str, Attr] = {"class": f"ch {series_class(series)}", **spoken(label)}
    return el(
        "svg", attrs, titled(label), _grid(finite(highest) or 0.0), bar, _whisker(finite(low), finite(high), n, top)
    )


def _whisker(low: float | None, high: float | None, n: int | None, top: float) -> SafeString:
    if low is None or high is None:
        return join([])
    start, end, y = low / top, high / top, ROW_MIDDLE_PX
    span: dict[str, Attr] = {"x1": pct(start), "x2": pct(end), "y1": y, "y2": y}
    halo = el("line", {"class": "halo", **span})
    if is_only_a_range(n):
        return join([halo, el("line", {"class": "whk rg", **span})])
    # Too narrow for two caps: one line across the end of the bar.
    caps = (start, end) if end - start >= ALWAYS_CAPPED_SHARE else ((start + end) / 2,)
    return join([halo, el("line", {"class": "whk", **span}), *(_cap(x) for x in caps)])


def _cap(x: float) -> SafeString:
    y1, y2 = ROW_MIDDLE_PX - CAP_PX, ROW_MIDDLE_PX + CAP_PX
    return el("line", {"class": "whk", "x1": pct(x), "x2": pct(x), "y1": y1, "y2": y2})
