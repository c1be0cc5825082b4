"""One cell's samples in the order they ran: what counted, what was warm-up, what was left out and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from django.utils.safestring import SafeString, mark_safe

from obt_site.charts.empty import empty_picture
from obt_site.charts.svg import Attr, el, join, known, nice_range, pct, share, text, tick_text, ticks, titled
from obt_site.formatting import MISSING, finite, is_only_a_range, measured

HEIGHT_PX = 196
AXIS_HEIGHT_PX = 18
TIMES_HEIGHT_PX = 14
SMALLEST_LABEL_GAP_PX = 13
MOST_NAMED_SAMPLES = 24
"""Beyond this many samples the axis names only some of them."""
MOST_TIMES, MOST_TIMES_ON_PHONES = 14, 7

Kind = Literal["counted", "warm_up", "left_out"]


@dataclass(frozen=True)
class SamplePoint:
    """One request. ``label`` stands on the axis (``w1``, ``1``, ``2`` …), ``value`` is in the chart's unit.

    ``reason`` says in words why a sample was left out; a left-out sample may have no value at all.  ``start_s`` is when
    it began, seconds since the run did; ``others_before`` how many requests of other cells ran since the point before.
    """

    label: str
    value: float | None
    kind: Kind = "counted"
    reason: str = ""
    start_s: float | None = None
    others_before: int = 0


def samples_chart(
    samples: Sequence[SamplePoint],
    unit: str,
    median: float | None = None,
    low: float | None = None,
    high: float | None = None,
    empty_reason: str = "",
) -> SafeString:
    """Samples as points in time order, median as a line, 95 % interval as a band, with axis and legend.

    Points are at equal steps, so that a short cell in a long run can be read; below each stands when it began, and a
    dashed line parts two between which other cells were measured.

    The scale is cut (points, not bars) and round.  Median, low and high are those of the counted samples and come from
    the caller.  With fewer than six counted samples the band is two dashed lines and is called a range.
    """
    values = known([sample.value for sample in samples])
    if not values:
        return empty_picture(empty_reason or _why_nothing(samples))
    floor, ceiling = nice_range(known([*values, median, low, high]))
    n = sum(sample.kind == "counted" and sample.value is not None for sample in samples)
    plot = el(
        "div",
        {"class": "plot"},
        _scale(floor, ceiling),
        _field(samples, unit, (median, low, high), (floor, ceiling), n),
        _side(median, low, high, unit, (floor, ceiling), n),
        _axis(samples),
    )
    return join([plot, _legend(samples)])


def _why_nothing(samples: Sequence[SamplePoint]) -> str:
    reasons = [sample.reason for sample in samples if sample.reason]
    return f"No sample gave a value: {reasons[0]}." if reasons else "No samples yet."


def _y(value: float, scale: tuple[float, float]) -> str:
    return pct(1 - share(value, *scale))


def _scale(floor: float, ceiling: float) -> SafeString:
    values = ticks(floor, ceiling)
    labels = (
        text(tick_text(v, values), {"x": "100%", "y": _y(v, (floor, ceiling)), "dy": 4, "text-anchor": "end"})
        for v in values
    )
    return el("svg", {"class": "ch ya", "height": HEIGHT_PX, "aria-hidden": "true"}, join(labels))


def _field(
    samples: Sequence[SamplePoint],
    unit: str,
    spread: tuple[float | None, float | None, float | None],
    scale: tuple[float, float],
    n: int,
) -> SafeString:
    grid = (
        el("line", {"class": "g", "x1": "0", "x2": "100%", "y1": _y(v, scale), "y2": _y(v, scale)})
        for v in ticks(*scale)
    )
    points = (_point(sample, (index + 0.5) / len(samples), unit, scale) for index, sample in enumerate(samples))
    attrs: dict[str, Attr] = {
        "class": "ch",
        "height": HEIGHT_PX,
        "role": "img",
        "aria-label": _in_words(samples, unit, spread, n),
    }
    parted = (_parting(sample, index / len(samples)) for index, sample in enumerate(samples) if sample.others_before)
    return el("svg", attrs, join(grid), join(parted), _spread(spread, scale, n), join(points))


def _parting(sample: SamplePoint, at: float) -> SafeString:
    count = sample.others_before
    words = f"{count} request{'' if count == 1 else 's'} of other cells ran between these two"
    return el("line", {"class": "part", "x1": pct(at), "x2": pct(at), "y1": 0, "y2": "100%"}, titled(words))


def _in_words(
    samples: Sequence[SamplePoint], unit: str, spread: tuple[float | None, float | None, float | None], n: int
) -> str:
    warm_ups = sum(sample.kind == "warm_up" for sample in samples)
    left_out = sum(sample.kind == "left_out" for sample in samples)
    words = f"{len(samples)} requests in time order: {n} counted, {warm_ups} warm-up, {left_out} left out"
    return words if spread[0] is None else f"{words}; median {measured(spread[0], unit)} {unit}"


def _spread(spread: tuple[float | None, float | None, float | None], scale: tuple[float, float], n: int) -> SafeString:
    median, low, high = spread
    parts: list[SafeString] = []
    if low is not None and high is not None and is_only_a_range(n):
        parts += [el("line", _across("ivr", value, scale)) for value in (low, high)]
    elif low is not None and high is not None:
        top, bottom = 1 - share(high, *scale), 1 - share(low, *scale)
        band = {"class": "ivb", "x": "0", "width": "100%", "y": pct(top), "height": pct(bottom - top)}
        parts.append(el("rect", band))
    if median is not None:
        parts.append(el("line", _across("med", median, scale)))
    return join(parts)


def _across(name: str, value: float, scale: tuple[float, float]) -> dict[str, Attr]:
    return {"class": name, "x1": "0", "x2": "100%", "y1": _y(value, scale), "y2": _y(value, scale)}


def _point(sample: SamplePoint, at: float, unit: str, scale: tuple[float, float]) -> SafeString:
    value = finite(sample.value)
    title = titled(f"{sample.label}: {measured(value, unit)} {unit}{', ' + sample.reason if sample.reason else ''}")
    # A request without a value keeps its place in time: its cross stands on the floor of the chart.
    y = pct(1.0) if value is None else _y(value, scale)
    if sample.kind == "left_out" or value is None:
        cross = el("path", {"class": "pt-x", "d": "M-4-4 4 4M4-4-4 4"}, title)
        return el("svg", {"x": pct(at), "y": y, "class": "ov"}, cross)
    if sample.kind == "warm_up":
        return el("circle", {"class": "pt-w", "cx": pct(at), "cy": y, "r": 4}, title)
    return el("circle", {"class": "pt", "cx": pct(at), "cy": y, "r": 4.2}, title)


def _side(
    median: float | None, low: float | None, high: float | None, unit: str, scale: tuple[float, float], n: int
) -> SafeString:
    if median is None:
        return mark_safe("")  # nosec B308
    middle = HEIGHT_PX * (1 - share(median, *scale))
    labels = [text(f"median {measured(median, unit)}", {"class": "t1", "x": 10, "y": f"{middle:.1f}", "dy": 4})]
    for value, push in ((high, -1), (low, 1)):
        if value is not None:
            y = HEIGHT_PX * (1 - share(value, *scale))
            apart = min(y, middle - SMALLEST_LABEL_GAP_PX) if push < 0 else max(y, middle + SMALLEST_LABEL_GAP_PX)
            word = f"{measured(value, unit)}{' range' if is_only_a_range(n) else ''}"
            labels.append(text(word, {"x": 10, "y": f"{apart:.1f}", "dy": 4}))
    picture = el("svg", {"class": "ch", "height": HEIGHT_PX}, join(labels))
    return el("div", {"class": "side-l", "aria-hidden": "true"}, picture)


def _axis(samples: Sequence[SamplePoint]) -> SafeString:
    every = -(-len(samples) // MOST_NAMED_SAMPLES)
    labels = (
        text(
            sample.label,
            {"class": _axis_class(sample), "x": pct((index + 0.5) / len(samples)), "y": 14, "text-anchor": "middle"},
        )
        for index, sample in enumerate(samples)
        if index % every == 0
    )
    times = _times(samples)
    height = AXIS_HEIGHT_PX + (TIMES_HEIGHT_PX if times else 0)
    return el("svg", {"class": "ch xa", "height": height, "aria-hidden": "true"}, join(labels), join(times))


def _times(samples: Sequence[SamplePoint]) -> list[SafeString]:
    """When each sample began; only some where there is no room for all, fewer still on phones."""
    if any(sample.start_s is None for sample in samples):
        return []
    every, on_phones = -(-len(samples) // MOST_TIMES), -(-len(samples) // MOST_TIMES_ON_PHONES)
    return [
        text(
            elapsed(sample.start_s or 0.0),
            {
                "class": "nar" if index % on_phones else None,
                "x": pct((index + 0.5) / len(samples)),
                "y": AXIS_HEIGHT_PX + 10,
                "text-anchor": "middle",
            },
        )
        for index, sample in enumerate(samples)
        if index % every == 0 or index % on_phones == 0
    ]


def elapsed(seconds: float) -> str:
    """Time since the run began: ``0:07``, ``12:30``, ``1:02:03``."""
    whole = int(seconds)
    minutes = f"{whole // 60 % 60:02d}" if whole >= 3600 else f"{whole // 60}"
    return f"{whole // 3600}:{minutes}:{whole % 60:02d}" if whole >= 3600 else f"{minutes}:{whole % 60:02d}"


def _axis_class(sample: SamplePoint) -> str | None:
    return "tw1" if sample.kind == "left_out" else None


def _legend(samples: Sequence[SamplePoint]) -> SafeString:
    kinds = {sample.kind for sample in samples}
    entries: list[SafeString] = []
    if "counted" in kinds:
        entries.append(_entry(el("circle", {"class": "pt", "cx": 7, "cy": 6, "r": 4}), "counted"))
    if "warm_up" in kinds:
        entries.append(_entry(el("circle", {"class": "pt-w", "cx": 7, "cy": 6, "r": 4}), "warm-up, never counted"))
    cross = el("path", {"class": "pt-x", "d": "M3 2l8 8M11 2l-8 8"})
    entries += [_entry(cross, words) for words in left_out_in_words(samples)]
    if any(sample.others_before for sample in samples):
        line = el("line", {"class": "part", "x1": 7, "x2": 7, "y1": 0, "y2": 12})
        entries.append(_entry(line, "other cells were measured in between"))
    if samples and all(sample.start_s is not None for sample in samples):
        entries.append(el("span", {}, "below: minutes and seconds since the run began"))
    return el("div", {"class": "legend"}, join(entries))


def _entry(mark: SafeString, words: str) -> SafeString:
    picture = el("svg", {"class": "ch", "viewBox": "0 0 14 12", "aria-hidden": "true"}, mark)
    return el("span", {}, picture, words)


def left_out_in_words(samples: Iterable[SamplePoint]) -> list[str]:
    """One line per reason: ``left out: samples 3 and 5, output stopped early``."""
    by_reason: dict[str, list[str]] = {}
    for sample in samples:
        if sample.kind == "left_out":
            by_reason.setdefault(sample.reason or "reason not recorded", []).append(sample.label or MISSING)
    return [f"left out: {named(labels)}, {reason}" for reason, labels in by_reason.items()]


def named(labels: Sequence[str]) -> str:
    """``sample 3``, ``samples 3 and 5``."""
    if len(labels) == 1:
        return f"sample {labels[0]}"
    return f"samples {', '.join(labels[:-1])} and {labels[-1]}"
