"""How often a cell is repeated: until its interval is narrow enough, or its most repetitions are used up. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from .contract import CellSpec
from .metrics import HEADLINE
from .statistics import half_width, summarise

# Half the 95 % interval's width, as a share of the median, at which a cell is precise.
DECODE_HALF_WIDTH = 0.02
OTHER_HALF_WIDTH = 0.05


def wanted_half_width(spec: CellSpec) -> float:
    """How narrow this cell's interval should be, as a share of the median: decoding repeats best."""
    return DECODE_HALF_WIDTH if HEADLINE[spec.kind] == "decode_rate" else OTHER_HALF_WIDTH


def found_half_width(values: Sequence[float]) -> Optional[float]:
    """Half the interval's width as a share of the median; None while there is no interval."""
    summary = summarise(values)
    return None if summary is None else half_width(summary)


def is_precise(spec: CellSpec, values: Sequence[float]) -> bool:
    """Whether the headline's values so far are as close together as they should be."""
    found = found_half_width(values)
    return found is not None and found <= wanted_half_width(spec)


def why_enough(spec: CellSpec, values: Sequence[float]) -> str:
    """The sentence of an adaptive cell that ended by itself. `values`: the headline of each round that counts."""
    if is_precise(spec, values):
        return f"precise: {_interval(values)} after {len(values)} repetitions ({_asked(spec)})"
    return f"enough: {len(values)} repetitions are the most, {_interval(values)} ({_asked(spec)})"


def why_no_time(spec: CellSpec, values: Sequence[float]) -> str:
    """The sentence of a cell that would have gone on, had there been time that no other cell needs."""
    if len(values) < spec.repetitions:
        return f"budget: {len(values)} of {spec.repetitions} repetitions, the time for more was used up"
    return f"budget: no time for more than {len(values)} repetitions, {_interval(values)} ({_asked(spec)})"


def _interval(values: Sequence[float]) -> str:
    found = found_half_width(values)
    return "there is no interval of the median" if found is None else f"the interval is ±{100 * found:.1f} %"


def _asked(spec: CellSpec) -> str:
    return f"asked: ±{100 * wanted_half_width(spec):.0f} %"
