"""The small pictures that stand beside a number: meter, sparkline, whisker, dots, progress, glyphs.

All widths are percentages in attributes, so one picture fits every column.  Where the numbers stand beside it as text
a picture is hidden from screen readers; give ``label`` where it stands alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.safestring import SafeString

from obt_site.charts.svg import el, join, known, nice_range, pct, share, spoken, titled
from obt_site.formatting import finite, is_only_a_range

WHISKER_HEIGHT_PX = 14
CAP_PX = 3.5
DOT_RADIUS_PX = 3.2
SMALLEST_CAPPED_SHARE = 0.03
"""Narrower than this share of the scale, caps would hide behind the dot: the whisker folds into it."""

LARGEST_SERIES = 6
MAX_SPARK_POINTS = 120

SAMPLE_DOT_PITCH_PX = 13
SAMPLE_DOT_CLASS = {"done": "d", "now": "n beat", "todo": None, "left_out": "x"}

_LINE = {"fill": "none", "stroke": "currentColor"}
_FILL = {"fill": "currentColor"}

GLYPHS: dict[str, tuple[str, dict[str, str]]] = {
    "ring": ("circle", {"cx": "5", "cy": "5", "r": "3.6", **_LINE, "stroke-width": "1.8"}),
    "disc": ("circle", {"cx": "5", "cy": "5", "r": "4.3", **_FILL}),
    "live": ("circle", {"class": "beat", "cx": "5", "cy": "5", "r": "4.3", **_FILL}),
    "triangle": ("path", {"d": "M5 .8 9.6 9.2H.4Z", **_FILL}),
    "cross": ("path", {"d": "m1.8 1.8 6.4 6.4M8.2 1.8 1.8 8.2", **_LINE, "stroke-width": "1.6"}),
    "square": ("rect", {"x": "1", "y": "1", "width": "8", "height": "8", "rx": "1", **_FILL}),
    "dashed": (
        "circle",
        {"cx": "5", "cy": "5", "r": "3.8", **_LINE, "stroke-width": "1.2", "stroke-dasharray": "1.7 1.3"},
    ),
    "check": ("path", {"d": "m1.4 5.4 2.4 2.5 4.9-5.6", **_LINE, "stroke-width": "1.7"}),
    "up": ("path", {"d": "M5 1.2 9 8.4H1Z", **_FILL}),
    "down": ("path", {"d": "M5 8.8 9 1.6H1Z", **_FILL}),
    "same": ("path", {"d": "M1.2 3.4h7.6M1.2 6.8h7.6", **_LINE, "stroke-width": "1.6"}),
    "never": ("path", {"d": "M5 1a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM2 8.4 8 1.6", **_LINE, "stroke-width": "1.2"}),
    "pause": ("path", {"d": "M3 1.5v7M7 1.5v7", **_LINE, "stroke-width": "1.8"}),
    "info": ("path", {"d": "M5 4.4v4.4M5 1.6v.2", **_LINE, "stroke-width": "1.8", "stroke-linecap": "round"}),
}
"""Shape before colour: ring idle, live disc, triangle needs a look, cross offline, square failed, dashed not yet."""


def glyph(shape: str, tone: str = "dim", label: str = "") -> SafeString:
    """A 10 px state shape. ``tone`` is good, warn, bad, info, acc or dim; an unknown shape is the dashed ring."""
    name, attrs = GLYPHS.get(shape, GLYPHS["dashed"])
    return el("svg", {"class": f"gl {tone}", "viewBox": "0 0 10 10", **spoken(label)}, el(name, {**attrs}))


def series_class(series: int | None) -> str:
    """The colour class of a machine: 1 to 6 have a colour, all others are grey (and named)."""
    return f"c{series}" if series is not None and 1 <= series <= LARGEST_SERIES else "c0"


def meter(used: object, total: object = 1.0, tone: str = "", label: str = "") -> SafeString:
    """A 4 px bar of ``used`` of ``total`` (same unit). Missing values give a dotted line, not an empty bar."""
    part, whole = finite(used), finite(total)
    if part is None or whole is None or whole <= 0:
        line = el("line", {"class": "no", "x1": "0", "x2": "100%", "y1": "2", "y2": "2"})
        return el("svg", {"class": "meter", **spoken(label)}, line)
    background = el("rect", {"class": "bg", "width": "100%", "height": 4, "rx": 1})
    bar = el("rect", {"class": f"fg {tone}".strip(), "width": pct(part / whole), "height": 4, "rx": 1})
    return el("svg", {"class": "meter", **spoken(label)}, background, bar)


def share_bar(part: object, label: str = "") -> SafeString:
    """The 3 px bar of a matrix cell: its share (0 to 1) of the best in the row."""
    known_part = finite(part)
    background = el("rect", {"class": "bg", "width": "100%", "height": 3})
    bar = el("rect", {"class": "fg", "width": pct(known_part), "height": 3}) if known_part is not None else ""
    return el("svg", {"class": "rb", **spoken(label)}, background, bar)


def thin_out(values: Sequence[float | None], most: int) -> list[float | None]:
    """At most about ``most`` values: each bucket keeps its lowest and its highest, so no peak or dip is lost."""
    if len(values) <= most:
        return list(values)
    kept: list[float | None] = []
    buckets = max(most // 2, 1)
    for index in range(buckets):
        bucket = values[index * len(values) // buckets : (index + 1) * len(values) // buckets]
        numbers = [value for value in bucket if value is not None]
        if len(numbers) < len(bucket):
            kept.append(None)
        kept.extend(sorted({min(numbers), max(numbers)}, key=bucket.index) if numbers else [])
    return kept


def sparkline(
    values: Sequence[object], floor: float = 0.0, ceiling: float = 100.0, tone: str = "", label: str = ""
) -> SafeString:
    """Values at equal steps in time on a fixed scale (use is 0 to 100 %), never stretched to fit.

    ``None`` in ``values`` is a gap in the line.  ``tone`` ``"acc"`` marks what is live.
    """
    points = thin_out([finite(value) for value in values], MAX_SPARK_POINTS)
    attrs = {"class": f"spark {tone}".strip(), "viewBox": "0 0 100 100", "preserveAspectRatio": "none", **spoken(label)}
    runs = _runs(points, floor, ceiling)
    if not runs:
        return el("svg", attrs, el("line", {"class": "no", "x1": 0, "x2": 100, "y1": 98, "y2": 98}))
    return el("svg", attrs, join(_spark_run(run) for run in runs))


def _runs(points: Sequence[float | None], floor: float, ceiling: float) -> list[list[tuple[float, float]]]:
    runs: list[list[tuple[float, float]]] = []
    last = max(len(points) - 1, 1)
    is_open = False
    for index, value in enumerate(points):
        if value is None:
            is_open = False
            continue
        if not is_open:
            runs.append([])
        is_open = True
        height = min(max(share(value, floor, ceiling), 0.0), 1.0)
        runs[-1].append((100 * index / last, 100 - 100 * height))
    return runs


def _spark_run(run: Sequence[tuple[float, float]]) -> SafeString:
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in run)
    fill = f"{run[0][0]:.1f},100 {line} {run[-1][0]:.1f},100"
    return join([el("polygon", {"points": fill}), el("polyline", {"points": line})])


def whisker_ends(
    median: float, low: float | None, high: float | None, samples: Sequence[object] = ()
) -> tuple[float, float]:
    """A scale of its own for one whisker: the spread in the middle third or so, with room on both sides."""
    values = known([median, low, high, *samples])
    spread = (max(values) - min(values)) or abs(median) * 0.02 or 1.0
    return min(values) - spread * 0.9, max(values) + spread * 0.9


def whisker(
    median: object,
    low: object = None,
    high: object = None,
    n: int | None = None,
    floor: float | None = None,
    ceiling: float | None = None,
    samples: Sequence[object] = (),
    series: int | None = None,
    label: str = "",
) -> SafeString:
    """Median dot with its 95 % interval as a capped line, and the samples as small dots.

    Fewer than six samples: dashed, without caps (the text beside it says "range").  An interval too narrow for the
    scale folds into the dot.  An end that lies outside ``floor``–``ceiling`` has no cap, because it does not end there.
    Without ``floor`` and ``ceiling`` the whisker gets its own scale.  No median: a dotted line.
    """
    middle, from_, to = finite(median), finite(low), finite(high)
    attrs = {"class": f"wk {series_class(series)}" if series is not None else "wk", **spoken(label)}
    y = WHISKER_HEIGHT_PX / 2
    if middle is None:
        return el("svg", attrs, el("line", {"class": "no", "x1": "0", "x2": "100%", "y1": y, "y2": y}))
    if floor is None or ceiling is None:
        floor, ceiling = whisker_ends(middle, from_, to, samples)
    bottom, top = floor, ceiling
    dots = (el("circle", {"class": "sm", "cx": pct(share(v, bottom, top)), "cy": y, "r": 1.6}) for v in known(samples))
    axis = el("line", {"class": "ax", "x1": "0", "x2": "100%", "y1": y, "y2": y})
    spread = ""
    if from_ is not None and to is not None:
        spread = _interval_line(share(from_, bottom, top), share(to, bottom, top), y, n)
    dot = el("circle", {"class": "md", "cx": pct(share(middle, bottom, top)), "cy": y, "r": DOT_RADIUS_PX})
    return el("svg", attrs, axis, join(dots), spread, dot)


def _interval_line(start: float, end: float, y: float, n: int | None) -> SafeString:
    is_range = is_only_a_range(n)
    line = el("line", {"class": "iv-l rg" if is_range else "iv-l", "x1": pct(start), "x2": pct(end), "y1": y, "y2": y})
    if is_range or end - start < SMALLEST_CAPPED_SHARE:
        return line
    caps = [
        el("line", {"class": "iv-l", "x1": pct(x), "x2": pct(x), "y1": y - CAP_PX, "y2": y + CAP_PX})
        for x in (start, end)
        if 0 <= x <= 1
    ]
    return join([line, *caps])


def sample_dots(kinds: Sequence[str], label: str = "") -> SafeString:
    """The samples of a cell under way: ``done``, ``now``, ``todo`` or ``left_out`` each."""
    circles = [_sample_dot(kind, 6 + SAMPLE_DOT_PITCH_PX * index) for index, kind in enumerate(kinds)]
    width = max(SAMPLE_DOT_PITCH_PX * len(circles), 1)
    return el("svg", {"class": "dots", "width": width, "height": 12, **spoken(label)}, join(circles))


def _sample_dot(kind: str, x: int) -> SafeString:
    if kind == "left_out":
        return el("path", {"class": "x", "d": f"M{x - 3} 3l6 6m0-6-6 6"})
    is_filled = kind in ("done", "now")
    return el("circle", {"class": SAMPLE_DOT_CLASS.get(kind), "cx": x, "cy": 6, "r": 4 if is_filled else 3.6})


def progress_bar(done: object, running: object = 0.0, failed: object = 0.0, label: str = "") -> SafeString:
    """Shares from 0 to 1 of what is done, running and failed, side by side; nothing known gives an empty track."""
    at = 0.0
    parts = [el("rect", {"class": "p-b", "width": "100%", "height": 8, "rx": 2})]
    for name, value in (("p-d", done), ("p-x", failed), ("p-r", running)):
        width = min(max(finite(value) or 0.0, 0.0), 1.0 - at)
        if width > 0:
            parts.append(el("rect", {"class": name, "x": pct(at), "width": pct(width), "height": 8, "rx": 2}))
        at += width
    return el("svg", {"class": "pbar", **spoken(label)}, titled(label), join(parts))


def own_scale(values: Sequence[object]) -> tuple[float, float]:
    """A round scale around several medians and interval ends, for whiskers that share a column."""
    numbers = known(values)
    return nice_range(numbers) if numbers else (0.0, 1.0)
