"""What a budget leaves of a job's cells: predicted before the first of them, shed in a fixed order, never extrapolated.

The order: repetitions to three, cells of 8,192 tokens, eight requests at a time, four, cells of 2,048 tokens; then
whatever else is not obligatory, the last first. `pp512` and `tg128` always run. Pure; times in seconds.

The same is done again before every round, with the times seen until then: see `measure_schedule`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable, Optional

from .contract import CellSpec, PinnedOptions
from .measure_setting import Setting, setting_of

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
    """What a cell is still to do. `rounds`: measured ones still missing, `done`: those that count already.

    `each_s`: of one round; None when it cannot be predicted. `warmups`: still to be made, None: all of the cell's.
    `setting`: what it runs with, None: what its own fields say.
    """

    spec: CellSpec
    rounds: int
    each_s: Optional[float]
    done: int = 0
    warmups: Optional[int] = None
    setting: Optional[Setting] = None

    @property
    def seconds(self) -> float:
        """All that is missing, warm-ups included; 0 while it cannot be predicted."""
        warmups = self.spec.warmups if self.warmups is None else self.warmups
        return (warmups + self.rounds) * (self.each_s or 0.0) if self.rounds else 0.0

    def cut(self) -> Expected:
        """The same with no more rounds than a short budget leaves."""
        return dataclasses.replace(self, rounds=min(self.rounds, max(0, SHED_REPETITIONS - self.done)))


@dataclass(frozen=True)
class Shedding:
    """Whether repetitions are cut to three, and by name why a cell is not run."""

    cut: bool
    dropped: dict[str, str]


def obligatory(cells: Sequence[CellSpec]) -> frozenset[str]:
    """The names of those that run whatever the budget: two of the suite, the slow variant, or the first of others.

    Those of a sweep's values are not among them: there may be any number.
    """
    slow = f"tg{SLOW_OUTPUT_TOKENS}"
    named = ALWAYS_RUN & {spec.name for spec in cells}
    if "tg128" not in named and slow in {spec.name for spec in cells}:
        named |= {slow}
    return named or frozenset(spec.name for spec in cells[:1])


def shed(
    cells: Sequence[Expected],
    left_s: float,
    load_s: float,
    keep: Optional[frozenset[str]] = None,
    loaded: Optional[Setting] = None,
) -> Shedding:
    """Fit the cells into `left_s`. `load_s`: what each further setting costs.

    `keep`: the names of the obligatory cells, where there are others beside these. `loaded`: the setting at present.
    """
    if total_s(cells, load_s, loaded) <= left_s:
        return Shedding(False, {})
    kept = [cut for cut in (cell.cut() for cell in cells) if cut.rounds]
    if keep is None:
        keep = obligatory([cell.spec for cell in cells])
    dropped: dict[str, str] = {}
    for group in _groups(kept, keep):
        together_s = total_s(kept, load_s, loaded)
        if together_s <= left_s:
            break
        for cell in group:
            dropped[cell.spec.name] = why_shed(cell.seconds, max(0.0, left_s - together_s + cell.seconds))
        kept = [cell for cell in kept if cell.spec.name not in dropped]
    return Shedding(True, dropped)


def total_s(cells: Sequence[Expected], load_s: float, loaded: Optional[Setting] = None) -> float:
    """Expected seconds of all, and of the loads between settings; one of them costs none, `loaded` or the first."""
    settings = {cell.setting or setting_of(cell.spec, PinnedOptions()) for cell in cells}
    loads = len(settings - {loaded}) if loaded is not None else max(0, len(settings) - 1)
    return sum(cell.seconds for cell in cells) + load_s * loads


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
    """`tg32` for `tg128` of a model below 2 tok/s, a sweep's parameters kept; None where the cell can stay as it is."""
    if spec.kind != "decode" or spec.output_tokens <= SLOW_OUTPUT_TOKENS:
        return None
    if decode_rate is None or decode_rate >= SLOW_DECODE_TOKENS_PER_S:
        return None
    _, bracket, parameters = spec.name.partition("[")
    name = f"tg{SLOW_OUTPUT_TOKENS}" + (f"@{spec.depth}" if spec.depth else "") + bracket + parameters
    return dataclasses.replace(spec, name=name, output_tokens=SLOW_OUTPUT_TOKENS)


def why_slow(variant: CellSpec, decode_rate: Optional[float]) -> str:
    """The sentence of the cell that its slow variant stands in for."""
    return f"The model decodes at about {decode_rate or 0.0:.1f} tok/s: {variant.name} was measured instead."
