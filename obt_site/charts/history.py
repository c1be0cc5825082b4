"""One number over months: points with their intervals on a true time axis, and named marks where something changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from django.utils.safestring import SafeString, mark_safe

from obt_site.charts.empty import empty_picture
from obt_site.charts.svg import Attr, el, join, known, nice_range, pct, share, text, tick_text, ticks, titled
from obt_site.formatting import cut_middle, is_only_a_range

HEIGHT_PX = 240
AXIS_HEIGHT_PX = 18
NAME_ROW_PX, MOST_NAME_ROWS = 15, 3
CAP_PX = 3.5
EDGE_SHARE = 0.02
MOST_TICKS = 8
LONGEST_NAME_CHARS = 26
CHAR_SHARE = 0.009  # of a narrow chart
LONG_GAP_TIMES = 4.0
"""A pause this many times the usual one breaks the line: nothing is known of what lies in it."""
DAY_S, HOUR_S = 86400.0, 3600.0
HOURS, DAYS, MONTHS = (1, 2, 3, 6, 12), (1, 2, 5, 7, 14), (1, 2, 3, 6, 12, 24, 60)


@dataclass(frozen=True)
class HistoryPoint:
    """One result: when (epoch seconds), its number with the interval, and whether it counts.

    A result without a number keeps its place in time as a cross on the floor.  ``label`` is read on hover.
    """

    at_s: float
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    is_valid: bool = True
    label: str = ""
    url: str = ""


@dataclass(frozen=True)
class HistoryMark:
    """Something that changed between two results; ``name`` stands above the line, ``label`` is read on hover."""

    at_s: float
    number: int
    name: str
    label: str = ""


def history_chart(
    points: Sequence[HistoryPoint], marks: Sequence[HistoryMark], unit: str, empty_reason: str = ""
) -> SafeString:
    """Oldest point first. The vertical scale is cut and round; time is to scale, so a pause is as wide as it was."""
    values = known(value for one in points for value in (one.value, one.low, one.high))
    if not values:
        return empty_picture(empty_reason or "No result has this number.")
    scale, span = nice_range(values), _span(points)
    names, rows = _names(marks, span)
    return el(
        "div",
        {"class": "plot hist-p"},
        el("svg", {"class": "ch", "height": rows * NAME_ROW_PX + 3, "aria-hidden": "true"}, names),
        _scale(scale),
        _field(points, marks, unit, scale, span),
        _axis(span),
    )


def _span(points: Sequence[HistoryPoint]) -> tuple[float, float]:
    start, end = points[0].at_s, points[-1].at_s
    room = (end - start) * EDGE_SHARE or HOUR_S
    return start - room, end + room


def _y(value: float, scale: tuple[float, float]) -> str:
    return pct(1 - share(value, *scale))


def _scale(scale: tuple[float, float]) -> SafeString:
    values = ticks(*scale)
    labels = (
        text(tick_text(v, values), {"x": "100%", "y": _y(v, scale), "dy": 4, "text-anchor": "end"}) for v in values
    )
    return el("svg", {"class": "ch ya", "height": HEIGHT_PX, "aria-hidden": "true"}, join(labels))


def _field(
    points: Sequence[HistoryPoint],
    marks: Sequence[HistoryMark],
    unit: str,
    scale: tuple[float, float],
    span: tuple[float, float],
) -> SafeString:
    grid = (
        el("line", {"class": "g", "x1": "0", "x2": "100%", "y1": _y(v, scale), "y2": _y(v, scale)})
        for v in ticks(*scale)
    )
    attrs: dict[str, Attr] = {
        "class": "ch hist",
        "height": HEIGHT_PX,
        "role": "group",
        "aria-label": f"{len(points)} results over time in {unit or 'its unit'}, {len(marks)} changes marked",
    }
    return el(
        "svg",
        attrs,
        join(grid),
        join(_mark(one, span) for one in marks),
        _lines(points, marks, scale, span),
        join(_point(one, scale, span) for one in points),
    )


def _mark(one: HistoryMark, span: tuple[float, float]) -> SafeString:
    at = pct(share(one.at_s, *span))
    return el("line", {"class": "mk", "x1": at, "x2": at, "y1": -4, "y2": "100%"}, titled(one.label or one.name))


def _lines(
    points: Sequence[HistoryPoint],
    marks: Sequence[HistoryMark],
    scale: tuple[float, float],
    span: tuple[float, float],
) -> SafeString:
    """Through neighbours that nothing parts: no change between them, no result without a number, no long pause."""
    gaps = sorted(b.at_s - a.at_s for a, b in pairwise(points))
    longest = LONG_GAP_TIMES * gaps[len(gaps) // 2] if gaps else 0.0
    runs: list[list[HistoryPoint]] = [[]]
    for one in points:
        before = runs[-1][-1] if runs[-1] else None
        is_parted = before is not None and (
            one.at_s - before.at_s > longest or any(before.at_s < mark.at_s <= one.at_s for mark in marks)
        )
        if one.value is None or not one.is_valid:
            runs.append([])
        elif is_parted:
            runs.append([one])
        else:
            runs[-1].append(one)
    lines = (
        " ".join(f"{100 * share(one.at_s, *span):.2f},{100 - 100 * share(one.value or 0.0, *scale):.2f}" for one in run)
        for run in runs
        if len(run) > 1
    )
    attrs: dict[str, Attr] = {
        "viewBox": "0 0 100 100",
        "preserveAspectRatio": "none",
        "width": "100%",
        "height": "100%",
    }
    return el("svg", attrs, join(el("polyline", {"class": "hl", "points": line}) for line in lines))


def _point(one: HistoryPoint, scale: tuple[float, float], span: tuple[float, float]) -> SafeString:
    at = pct(share(one.at_s, *span))
    if one.value is None or not one.is_valid:
        y = pct(1.0) if one.value is None else _y(one.value, scale)
        cross = el("path", {"class": "pt-x", "d": "M-4-4 4 4M4-4-4 4"}, titled(one.label))
        return _linked(one, el("svg", {"x": at, "y": y, "class": "ov"}, cross))
    dot = el("circle", {"class": "pt", "cx": at, "cy": _y(one.value, scale), "r": 4}, titled(one.label))
    return _linked(one, join([_whisker(one, at, scale), dot]))


def _whisker(one: HistoryPoint, at: str, scale: tuple[float, float]) -> SafeString:
    if one.low is None or one.high is None or one.low == one.high:
        return mark_safe("")  # nosec B308
    y1, y2 = _y(one.low, scale), _y(one.high, scale)
    is_range = is_only_a_range(one.n)
    line = el("line", {"class": "whk rg" if is_range else "whk", "x1": at, "x2": at, "y1": y1, "y2": y2})
    if is_range:
        return line
    cap = el("path", {"class": "whk", "d": f"M{-CAP_PX} 0H{CAP_PX}"})
    return join([line, *(el("svg", {"class": "ov", "x": at, "y": y}, cap) for y in (y1, y2))])


def _linked(one: HistoryPoint, picture: SafeString) -> SafeString:
    return el("a", {"href": one.url, "aria-label": one.label}, picture) if one.url else picture


def _names(marks: Sequence[HistoryMark], span: tuple[float, float]) -> tuple[SafeString, int]:
    """The number of each mark and its name, in as many rows as they need; where there is no room, the number alone."""
    ends: list[float] = []
    placed = []
    for one in marks:
        at = share(one.at_s, *span)
        name = cut_middle(one.name, LONGEST_NAME_CHARS)
        row = next((row for row, end in enumerate(ends) if end <= at), len(ends))
        fits = row < MOST_NAME_ROWS
        words = f"{one.number} {name}" if fits else str(one.number)
        row = min(row, MOST_NAME_ROWS - 1)
        is_late = at + CHAR_SHARE * len(words) > 1.0
        if row == len(ends):
            ends.append(0.0)
        ends[row] = at if is_late else at + CHAR_SHARE * (len(words) + 2)
        placed.append((one, words, row, at, is_late))
    rows = max(len(ends), 1)
    return join(_name(*each, rows) for each in placed), rows


def _name(one: HistoryMark, words: str, row: int, at: float, is_late: bool, rows: int) -> SafeString:
    y = (row + 1) * NAME_ROW_PX - 3
    anchor = "end" if is_late else "start"
    whole = text(words, {"class": "nar", "x": pct(at), "y": y, "text-anchor": anchor})
    alone = text(str(one.number), {"class": "wid", "x": pct(at), "y": rows * NAME_ROW_PX - 3, "text-anchor": "middle"})
    return join([whole, alone])


# -- the time axis ---------------------------------------------------------------------------------------------------


def _axis(span: tuple[float, float]) -> SafeString:
    labels = []
    for when, words in time_ticks(*span):
        at = share(when, *span)
        anchor = "start" if at < 0.03 else "end" if at > 0.97 else "middle"
        labels.append(text(words, {"x": pct(at), "y": 14, "text-anchor": anchor}))
    return el("svg", {"class": "ch xa", "height": AXIS_HEIGHT_PX, "aria-hidden": "true"}, join(labels))


def time_ticks(start_s: float, end_s: float) -> list[tuple[float, str]]:
    """Round moments of UTC between two, at most MOST_TICKS, with their words: hours, days or months."""
    length_s = end_s - start_s
    for step in HOURS:
        if length_s / (step * HOUR_S) <= MOST_TICKS:
            return _every(start_s, end_s, step * HOUR_S, "%H:%M")
    for step in DAYS:
        if length_s / (step * DAY_S) <= MOST_TICKS:
            return _every(start_s, end_s, step * DAY_S, "%-d %b")
    step = next((step for step in MONTHS if length_s / (step * 30 * DAY_S) <= MOST_TICKS), MONTHS[-1])
    return _months(start_s, end_s, step)


def _every(start_s: float, end_s: float, step_s: float, form: str) -> list[tuple[float, str]]:
    first = -(-start_s // step_s) * step_s
    count = int((end_s - first) // step_s) + 1
    return [(at, f"{_moment(at):{form}}") for at in (first + index * step_s for index in range(count))]


def _months(start_s: float, end_s: float, step: int) -> list[tuple[float, str]]:
    at = _moment(start_s).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    found = []
    while at.timestamp() <= end_s:
        months = at.year * 12 + at.month - 1
        if at.timestamp() >= start_s and months % step == 0:
            found.append((at.timestamp(), f"{at:%b %Y}"))
        at = at.replace(year=(months + 1) // 12, month=(months + 1) % 12 + 1)
    return found


def _moment(at_s: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at_s)
