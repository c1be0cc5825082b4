"""Telemetry: one panel per quantity on one clock, below a row per cell that shows when each of its requests ran.

The requests of the chosen cell stand behind every panel.  Cells may take turns, so a cell is many short phases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from django.utils.safestring import SafeString, mark_safe

from obt_site.charts.empty import empty_picture
from obt_site.charts.samples import elapsed
from obt_site.charts.svg import Attr, el, join, known, nice_range, pct, share, text, tick_text, ticks, titled
from obt_site.formatting import cut_middle, finite, measured

PANEL_HEIGHT_PX = 58
ORDER_HEIGHT_PX = 11
LONGEST_NAME_CHARS = 19
AXIS_HEIGHT_PX = 18
MOST_POINTS = 600
SHORTEST_IN_MINUTES_S = 120
TIME_STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 240, 480)
MOST_TIME_TICKS = 8
SHORTEST_SHARE = 0.0012
"""A request of milliseconds in a run of minutes still shows, as a hair."""
PHASE_CLASS = {"counted": "ph", "warm_up": "ph-w", "left_out": "ph-x"}

PhaseKind = Literal["counted", "warm_up", "left_out"]


@dataclass(frozen=True)
class Phase:
    """A request of the cell ``label``, in seconds since the run began; ``is_chosen`` marks the page's cell."""

    label: str
    start_s: float
    end_s: float
    is_chosen: bool = False
    kind: PhaseKind = "counted"


@dataclass(frozen=True)
class Panel:
    """One quantity: ``points`` are (seconds since the run's start, value or None for a missing reading).

    ``floor`` and ``ceiling`` fix the scale (0 and 100 for use); left out, the scale is round around the values.
    ``note`` is one fact for the right side (``limit 450 W``). ``throttled`` are (start, end) in seconds, drawn amber.
    """

    name: str
    unit: str
    points: Sequence[tuple[float, float | None]]
    floor: float | None = None
    ceiling: float | None = None
    note: str = ""
    throttled: Sequence[tuple[float, float]] = field(default_factory=tuple)
    missing_reason: str = ""


def telemetry_panels(
    panels: Sequence[Panel],
    phases: Sequence[Phase] = (),
    duration_s: float | None = None,
    empty_reason: str = "",
    has_order: bool = True,
) -> SafeString:
    """All panels under one another, on top of them the order of measuring, minutes or seconds below.

    A panel without a single reading keeps its place and says ``missing_reason``.  A ``None`` reading is a gap in the
    line, never a zero.  Long series are thinned so that every peak and dip stays.
    """
    length_s = duration_s or _length_s(panels, phases)
    nothing = empty_picture(empty_reason or "No telemetry was recorded.") if not panels else mark_safe("")  # nosec B308
    if length_s <= 0 or not (panels or (phases and has_order)):
        return nothing
    order = _order(phases, length_s) if has_order else []
    rows = [_panel(panel, phases, length_s) for panel in panels]
    return join([el("div", {"class": "plot tele-p"}, join(order), join(rows), _time_axis(length_s)), nothing])


def _length_s(panels: Sequence[Panel], phases: Sequence[Phase]) -> float:
    ends = [at for panel in panels for at, _ in panel.points] + [phase.end_s for phase in phases]
    return max(known(ends), default=0.0)


def _span(name: str, start_s: float, end_s: float, length_s: float, title: str = "") -> SafeString:
    start, end = max(start_s, 0.0) / length_s, min(end_s, length_s) / length_s
    if end <= start:
        return mark_safe("")  # nosec B308
    rect = {"class": name, "x": pct(start), "width": pct(end - start), "y": "0", "height": "100%"}
    return el("rect", rect, titled(title))


def _order(phases: Sequence[Phase], length_s: float) -> list[SafeString]:
    """A row per cell, in the order of their first requests."""
    rows: dict[str, list[Phase]] = {}
    for phase in phases:
        rows.setdefault(phase.label, []).append(phase)
    return [_order_row(label, mine, length_s) for label, mine in rows.items()]


def _order_row(label: str, phases: Sequence[Phase], length_s: float) -> SafeString:
    chosen = any(phase.is_chosen for phase in phases)
    attrs: dict[str, Attr] = {
        "class": "ch on" if chosen else "ch",
        "height": ORDER_HEIGHT_PX,
        "role": "img",
        "aria-label": f"{label}: {len(phases)} request{'' if len(phases) == 1 else 's'}, "
        f"{elapsed(min(phase.start_s for phase in phases))} to {elapsed(max(phase.end_s for phase in phases))}",
    }
    line = el("line", {"class": "g", "x1": "0", "x2": "100%", "y1": "50%", "y2": "50%"})
    picture = el("svg", attrs, titled(label), line, join(_request(phase, length_s) for phase in phases))
    name = el("span", {"class": "mono strong" if chosen else "mono", "title": label}, _short(label))
    return el("div", {"class": "pn ord"}, picture, el("div", {"class": "pl"}, name))


def _short(label: str) -> str:
    return cut_middle(label, LONGEST_NAME_CHARS)


def _request(phase: Phase, length_s: float) -> SafeString:
    start = min(max(phase.start_s / length_s, 0.0), 1.0 - SHORTEST_SHARE)
    width = max((phase.end_s - phase.start_s) / length_s, SHORTEST_SHARE)
    box: dict[str, Attr] = {"x": pct(start), "width": pct(min(width, 1.0 - start)), "y": 0, "height": ORDER_HEIGHT_PX}
    return el("rect", {"class": PHASE_CLASS[phase.kind], **box})


def _panel(panel: Panel, phases: Sequence[Phase], length_s: float) -> SafeString:
    points = [(at, finite(value)) for at, value in panel.points]
    values = [value for _, value in points if value is not None]
    if not values:
        reason = panel.missing_reason or "Not readable on this system."
        return el("div", {"class": "pn"}, _void(reason), _names(panel, ""))
    scale = _panel_scale(panel, values)
    ends = dict.fromkeys(measured(value, panel.unit) for value in (min(values), max(values)))
    note = panel.note or f"{'–'.join(ends)} {panel.unit}".strip()
    label = f"{panel.name} in {panel.unit or 'its unit'}: {note}"
    chosen = (_span("selb", p.start_s, p.end_s, length_s) for p in phases if p.is_chosen)
    throttled = (_span("thr", start, end, length_s, "throttled") for start, end in panel.throttled)
    marks = _panel_ticks(*scale)
    grid = (el("line", {"class": "g", "x1": "0", "x2": "100%", "y1": _y(v, scale), "y2": _y(v, scale)}) for v in marks)
    attrs: dict[str, Attr] = {"class": "ch", "height": PANEL_HEIGHT_PX, "role": "img", "aria-label": label}
    picture = el("svg", attrs, join(chosen), join(throttled), join(grid), _line(points, scale, length_s))
    return el("div", {"class": "pn"}, _panel_axis(marks, scale), picture, _names(panel, note))


def _void(reason: str) -> SafeString:
    rect = el("rect", {"width": "100%", "height": "100%", "fill": "url(#hx)"})
    words = text(reason, {"x": 8, "y": "50%", "dy": 4})
    return el("svg", {"class": "ch", "height": 26, "role": "img", "aria-label": reason}, rect, words)


def _names(panel: Panel, note: str) -> SafeString:
    small = el("span", {"class": "lbl"}, note) if note else mark_safe("")  # nosec B308
    return el("div", {"class": "pl"}, el("span", {"class": "strong"}, panel.name), small)


def _panel_scale(panel: Panel, values: Sequence[float]) -> tuple[float, float]:
    low, high = nice_range(values, 2)
    floor = low if panel.floor is None else panel.floor
    ceiling = high if panel.ceiling is None else panel.ceiling
    return (floor, ceiling) if ceiling > floor else (floor, floor + 1.0)


def _panel_ticks(floor: float, ceiling: float) -> list[float]:
    return [floor, (floor + ceiling) / 2, ceiling] if (ceiling - floor) % 2 == 0 else ticks(floor, ceiling, 2)


def _y(value: float, scale: tuple[float, float]) -> str:
    return pct(1 - share(value, *scale))


def _panel_axis(marks: Sequence[float], scale: tuple[float, float]) -> SafeString:
    labels = (_panel_label(mark, marks, scale) for mark in marks)
    return el("svg", {"class": "ch ya", "height": PANEL_HEIGHT_PX, "aria-hidden": "true"}, join(labels))


def _panel_label(mark: float, marks: Sequence[float], scale: tuple[float, float]) -> SafeString:
    # Labels at the ends stay inside the panel: the next one begins a few pixels away.
    place = share(mark, *scale)
    inward = 1 if place < 0.1 else 8 if place > 0.9 else 4
    return text(tick_text(mark, marks), {"x": "100%", "y": _y(mark, scale), "dy": inward, "text-anchor": "end"})


def _line(points: Sequence[tuple[float, float | None]], scale: tuple[float, float], length_s: float) -> SafeString:
    runs: list[list[str]] = [[]]
    for at, value in thin_in_time(points, length_s, MOST_POINTS):
        if value is None:
            runs.append([])
            continue
        height = min(max(share(value, *scale), 0.0), 1.0)
        runs[-1].append(f"{100 * at / length_s:.2f},{100 - 100 * height:.1f}")
    lines = (el("polyline", {"class": "ln2", "points": " ".join(run)}) for run in runs if run)
    attrs: dict[str, Attr] = {
        "viewBox": "0 0 100 100",
        "preserveAspectRatio": "none",
        "width": "100%",
        "height": "100%",
    }
    return el("svg", attrs, join(lines))


def thin_in_time(
    points: Sequence[tuple[float, float | None]], length_s: float, most: int
) -> list[tuple[float, float | None]]:
    """At most about ``most`` points: each slice of time keeps its lowest and highest reading, and its gaps."""
    if len(points) <= most:
        return list(points)
    slices: dict[int, list[tuple[float, float | None]]] = {}
    for point in points:
        slices.setdefault(int(point[0] / length_s * most / 2), []).append(point)
    kept: list[tuple[float, float | None]] = []
    for slice_ in slices.values():
        read = [(value, at) for at, value in slice_ if value is not None]
        gap = next((point for point in slice_ if point[1] is None), None)
        ends = {(at, value) for value, at in (min(read), max(read))} if read else set()
        kept += sorted([*ends, *([gap] if gap else [])], key=lambda point: point[0])
    return kept


def _time_axis(length_s: float) -> SafeString:
    unit_s, unit = (60.0, "min") if length_s >= SHORTEST_IN_MINUTES_S else (1.0, "s")
    length = length_s / unit_s
    step = next((step for step in TIME_STEPS if length / step <= MOST_TIME_TICKS), TIME_STEPS[-1])
    marks = [float(step * index) for index in range(int(length / step) + 1)]
    labels = (_time_label(mark, marks, length, unit) for mark in marks)
    return el("svg", {"class": "ch xa", "height": AXIS_HEIGHT_PX, "aria-hidden": "true"}, join(labels))


def _time_label(mark: float, marks: Sequence[float], length: float, unit: str) -> SafeString:
    is_last = mark == marks[-1]
    words = f"{tick_text(mark, marks)} {unit}" if is_last else tick_text(mark, marks)
    anchor = "start" if mark == 0 else "end" if is_last and mark / length > 0.95 else "middle"
    return text(words, {"x": pct(mark / length), "y": 14, "text-anchor": anchor})
