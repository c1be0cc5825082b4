"""What a budget leaves of a job's cells: predicted before the first of them, shed in a fixed order, never extrapolated.

The order: repetitions to three, cells of 8,192 tokens, eight requests at a time, four, cells of 2,048 tokens; then
whatever else is not obligatory, the last first. `pp512` and `tg128` always run. Pure; times in seconds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable, Optional

from .contract import CellSpec

# What a short budget leaves of a cell's repetitions.
SHED_REPETITIONS = 3
ALWAYS_RUN = frozenset({"pp512", "tg128"})
LONG_TOKENS = 8192
MIDDLING_TOKENS = 2048

# A slower model would spend minutes on 128 tokens; it gets a cell of its own, which compares with nothing else.
SLOW_DECODE_TOKENS_PER_S = 2.0
SLOW_OUTPUT_TOKENS = 32


@dataclass(frozen=True)
class Expected:
    """A cell that is still to be measured. `rounds`: measured ones still missing; `each_s`: None when unpredictable."""

    spec: CellSpec
    rounds: int
    each_s: Optional[float]

    @property
    def seconds(self) -> float:
        """All that is missing, warm-ups included; 0 while it cannot be predicted."""
        return (self.spec.warmups + self.rounds) * (self.each_s or 0.0)

    def cut(self) -> Expected:
        """The same with no more rounds than a short budget leaves."""
        return dataclasses.replace(self, rounds=min(self.rounds, SHED_REPETITIONS))


@dataclass(frozen=True)
class Shedding:
    """Whether repetitions are cut to three, and by name why a cell is not run."""

    cut: bool
    dropped: dict[str, str]


def obligatory(cells: Sequence[CellSpec]) -> frozenset[str]:
    """The cells that run whatever the budget: two of the suite, the slow variant, or the first of others."""
    slow = f"tg{SLOW_OUTPUT_TOKENS}"
    named = ALWAYS_RUN & {spec.name for spec in cells}
    if "tg128" not in named and slow in {spec.name for spec in cells}:
        named |= {slow}
    return named or frozenset(spec.name for spec in cells[:1])


def shed(cells: Sequence[Expected], left_s: float, load_s: float) -> Shedding:
    """Fit the cells into `left_s`. `load_s`: what each further context length costs."""
    if total_s(cells, load_s) <= left_s:
        return Shedding(False, {})
    kept = [cell.cut() for cell in cells]
    keep = obligatory([cell.spec for cell in cells])
    dropped: dict[str, str] = {}
    for group in _groups(kept, keep):
        together_s = total_s(kept, load_s)
        if together_s <= left_s:
            break
        for cell in group:
            dropped[cell.spec.name] = why_shed(cell.seconds, max(0.0, left_s - together_s + cell.seconds))
        kept = [cell for cell in kept if cell.spec.name not in dropped]
    return Shedding(True, dropped)


def total_s(cells: Sequence[Expected], load_s: float) -> float:
    """Expected seconds of all, and the reloads between context lengths."""
    lengths = {cell.spec.num_ctx for cell in cells}
    return sum(cell.seconds for cell in cells) + load_s * max(0, len(lengths) - 1)


def why_shed(needed_s: float, left_s: float) -> str:
    """The sentence of a cell that there is no time for."""
    return f"skipped: budget (needs about {needed_s:.0f} s, {max(0.0, left_s):.0f} s were left)"


def _groups(cells: Sequence[Expected], keep: frozenset[str]) -> list[list[Expected]]:
    """What is dropped one after the other."""
    groups, left = [], [cell for cell in cells if cell.spec.name not in keep]
    for belongs in _IN_THIS_ORDER:
        groups.append([cell for cell in left if belongs(cell.spec)])
        left = [cell for cell in left if not belongs(cell.spec)]
    return [group for group in groups if group] + [[cell] for cell in reversed(left)]


def _prompt(spec: CellSpec) -> int:
    return spec.depth + spec.prompt_tokens


_IN_THIS_ORDER: tuple[Callable[[CellSpec], bool], ...] = (
    lambda spec: _prompt(spec) >= LONG_TOKENS,
    lambda spec: spec.concurrency >= 8,
    lambda spec: spec.concurrency >= 4,
    lambda spec: _prompt(spec) >= MIDDLING_TOKENS,
)


def slow_variant(spec: CellSpec, decode_rate: Optional[float]) -> Optional[CellSpec]:
    """`tg32` for `tg128` of a model below 2 tok/s; None where the cell can stay as it is."""
    if spec.kind != "decode" or spec.output_tokens <= SLOW_OUTPUT_TOKENS:
        return None
    if decode_rate is None or decode_rate >= SLOW_DECODE_TOKENS_PER_S:
        return None
    name = f"tg{SLOW_OUTPUT_TOKENS}" + (f"@{spec.depth}" if spec.depth else "")
    return dataclasses.replace(spec, name=name, output_tokens=SLOW_OUTPUT_TOKENS)


def why_slow(variant: CellSpec, decode_rate: Optional[float]) -> str:
    """The sentence of the cell that its slow variant stands in for."""
    return f"The model decodes at about {decode_rate or 0.0:.1f} tok/s: {variant.name} was measured instead."
