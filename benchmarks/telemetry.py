"""Making a long recording small enough to keep and draw, without losing what people look for in it. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace

from agent.obt_agent.contract import Phase, Series, Telemetry

MOST_POINTS = 4000  # twenty minutes at 200 ms stay as they are


def downsample(telemetry: Telemetry, limit: int = MOST_POINTS) -> Telemetry:
    """The recording with at most `limit` points of time; the same object when it has no more.

    Kept always: the first and last point, each series' minimum and maximum, and the points on both sides of every
    phase border (so there can be more than `limit` when these alone are more). The rest is spread evenly over time.
    Values are never averaged: every point that is left was read.
    """
    if len(telemetry.t_s) <= limit:
        return telemetry
    kept = must_keep(telemetry)
    chosen = sorted(kept | spread(len(telemetry.t_s), kept, limit - len(kept)))
    return replace(
        telemetry,
        t_s=[telemetry.t_s[i] for i in chosen],
        series=[replace(series, values=[series.values[i] for i in chosen]) for series in telemetry.series],
    )


def must_keep(telemetry: Telemetry) -> set[int]:
    """The positions no reader may miss."""
    found = {0, len(telemetry.t_s) - 1}
    for series in telemetry.series:
        found |= extremes(series)
    for phase in telemetry.phases:
        found |= around_borders(telemetry.t_s, phase)
    return found


def extremes(series: Series) -> set[int]:
    """Where a series is least and greatest, for the first time each; nothing for a series without values."""
    known = [(value, position) for position, value in enumerate(series.values) if value is not None]
    if not known:
        return set()
    return {min(known)[1], max(known, key=lambda one: (one[0], -one[1]))[1]}


def around_borders(t_s: Sequence[float], phase: Phase) -> set[int]:
    """The last point before and the first after the phase's beginning and end, or on them."""
    last = len(t_s) - 1
    borders = set()
    for at_s in (phase.start_s, phase.end_s):
        borders |= {max(0, bisect_right(t_s, at_s) - 1), min(last, bisect_left(t_s, at_s))}
    return borders


def spread(count: int, taken: set[int], wanted: int) -> set[int]:
    """`wanted` positions below `count` that are not taken, as evenly as those left allow; none below 1."""
    free = [position for position in range(count) if position not in taken]
    if wanted <= 0 or not free:
        return set()
    return {free[i * len(free) // wanted] for i in range(wanted)} if wanted < len(free) else set(free)
