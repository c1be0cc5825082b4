"""The session's time line: a shared axis of clock times, and one row of job blocks per machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from django.utils.safestring import SafeString, mark_safe

from obt_site.charts.svg import Attr, el, join, pct, share, spoken, text, titled
from obt_site.formatting import clock, duration, iso

BLOCK_HEIGHT_PX = 28
AXIS_HEIGHT_PX = 20
TICK_STEPS_S = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
MOST_TICKS = 8
NEAR_NOW_SHARE = 0.05
"""A tick this close to the mark of now gives way to it."""

SMALLEST_BLOCK_SHARE = 0.012
"""A block of a second in a session of hours still shows, as a sliver."""

SMALLEST_LABELLED_SHARE = 0.04
"""Narrower blocks keep their name in the title only: two letters of it would say nothing."""

BlockState = Literal["done", "running", "queued", "failed", "lost", "cancelled"]

_BLOCK_CLASS: dict[str, str] = {
    "done": "blk-d",
    "running": "blk-r",
    "queued": "blk-q",
    "failed": "blk-x",
    "lost": "blk-l",
    "cancelled": "blk-c",
}
_TEXT_CLASS: dict[str, str | None] = {"done": "b1", "running": "b2", "failed": "b1", "lost": "b1"}


@dataclass(frozen=True)
class LaneBlock:
    """A job on the time line. ``start_s`` and ``end_s`` are seconds since the epoch, the end being expected or real.

    ``done_share`` (0 to 1) fills a running block.  ``has_left_out`` marks its corner amber.  ``note`` joins the title.
    """

    label: str
    start_s: float
    end_s: float
    state: BlockState = "queued"
    done_share: float | None = None
    has_left_out: bool = False
    note: str = ""


def lane_blocks(
    blocks: Sequence[LaneBlock], start_s: float, end_s: float, now_s: float | None = None, label: str = ""
) -> SafeString:
    """The blocks of one machine between ``start_s`` and ``end_s`` (epoch seconds), with a line at now.

    Clipped labels are whole in the title.  The words of the lane stand beside it, so the picture is silent unless
    ``label`` is given.
    """
    drawn = (_block(block, start_s, end_s) for block in blocks)
    attrs: dict[str, Attr] = {"class": "ch", "width": "100%", "height": BLOCK_HEIGHT_PX, **spoken(label)}
    return el("svg", attrs, _now(start_s, end_s, now_s), join(drawn))


def _now(start_s: float, end_s: float, now_s: float | None) -> SafeString:
    if now_s is None or not start_s <= now_s <= end_s:
        return mark_safe("")  # nosec B308
    x = pct(share(now_s, start_s, end_s))
    return el("line", {"class": "now", "x1": x, "x2": x, "y1": -8, "y2": BLOCK_HEIGHT_PX + 8})


def _block(block: LaneBlock, start_s: float, end_s: float) -> SafeString:
    at = min(max(share(block.start_s, start_s, end_s), 0.0), 1.0 - SMALLEST_BLOCK_SHARE)
    end = min(share(block.end_s, start_s, end_s), 1.0)
    box: dict[str, Attr] = {
        "x": pct(at),
        "y": "0",
        "width": pct(max(end - at, SMALLEST_BLOCK_SHARE)),
        "height": BLOCK_HEIGHT_PX,
        "class": "clip",
    }
    is_wide = end - at >= SMALLEST_LABELLED_SHARE
    return el("svg", box, titled(_block_title(block)), _block_body(block), _block_label(block) if is_wide else "")


def _block_title(block: LaneBlock) -> str:
    took = duration(max(block.end_s - block.start_s, 0.0))
    left_out = "some samples left out" if block.has_left_out else ""
    return ", ".join(part for part in (block.label, block.state, took, left_out, block.note) if part)


def _rect(name: str, width: str = "100%") -> SafeString:
    return el("rect", {"class": name, "x": 0.5, "y": 0.5, "width": width, "height": BLOCK_HEIGHT_PX - 1, "rx": 2})


def _block_body(block: LaneBlock) -> SafeString:
    # An opaque block first: the line at now must not shine through the part that is still to come.
    parts = [_rect("blk-o"), _rect(_BLOCK_CLASS.get(block.state, "blk-q"))]
    if block.state == "running" and block.done_share is not None:
        parts.append(_rect("blk-f", pct(block.done_share)))
    if block.has_left_out:
        parts.append(el("path", {"class": "wmk", "d": "M.5.5h9l-9 9z"}))
    if block.state == "failed":
        parts.append(el("path", {"class": "xmk", "d": "m7 10 8 8m0-8-8 8"}))
    return join(parts)


def _block_label(block: LaneBlock) -> SafeString:
    x = 22 if block.state == "failed" else 7
    return text(block.label, {"class": _TEXT_CLASS.get(block.state), "x": x, "y": 18})


def time_axis(start_s: float, end_s: float, now_s: float | None = None) -> SafeString:
    """Clock times between two epoch seconds, with now in blue.

    The server writes UTC; ``data-at`` lets the browser rewrite each label in its own zone.
    """
    marks = [_tick(at, start_s, end_s) for at in _tick_times(start_s, end_s) if not _is_near(at, now_s, start_s, end_s)]
    if now_s is not None and start_s <= now_s <= end_s:
        marks.append(_label(now_s, start_s, end_s, "nowt"))
    return el("svg", {"class": "ch", "height": AXIS_HEIGHT_PX, "aria-hidden": "true"}, join(marks))


def _tick_times(start_s: float, end_s: float) -> list[float]:
    length = max(end_s - start_s, 1.0)
    step = next((step for step in TICK_STEPS_S if length / step <= MOST_TICKS), TICK_STEPS_S[-1])
    first = int(-(-start_s // step))
    return [float(index * step) for index in range(first, int(end_s // step) + 1)][: 2 * MOST_TICKS]


def _is_near(at: float, now_s: float | None, start_s: float, end_s: float) -> bool:
    return now_s is not None and abs(share(at, start_s, end_s) - share(now_s, start_s, end_s)) < NEAR_NOW_SHARE


def _tick(at: float, start_s: float, end_s: float) -> SafeString:
    x = pct(share(at, start_s, end_s))
    return join([el("line", {"class": "g", "x1": x, "x2": x, "y1": 15, "y2": 20}), _label(at, start_s, end_s)])


def _label(at: float, start_s: float, end_s: float, name: str | None = None) -> SafeString:
    when = datetime.fromtimestamp(at, UTC)
    where = share(at, start_s, end_s)
    anchor = "start" if where < 0.03 else "end" if where > 0.97 else "middle"
    with_seconds = end_s - start_s <= MOST_TICKS * TICK_STEPS_S[1]
    attrs: dict[str, Attr] = {
        "class": name,
        "x": pct(where),
        "y": 11,
        "text-anchor": anchor,
        "data-at": iso(when),
        "data-time": "seconds" if with_seconds else "clock",
    }
    return text(clock(when, with_seconds).removesuffix(" UTC"), attrs)
