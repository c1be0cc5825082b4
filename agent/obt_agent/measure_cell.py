"""Running one cell: warm-ups of the same shape, then samples until enough are valid, or tries or time are used up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Optional, Protocol

from .cancel import Released
from .cells import SHAPES
from .cells_bench import Bench
from .contract import CellRun, CellSpec, Sample
from .measure_outcome import raise_if_fatal, raise_if_repeated
from .metrics import NS_PER_S
from .validity import SENTENCES, is_valid, judge

# A sample that fails a gate is taken again with another nonce, twice.
MAX_INVALID_IN_A_ROW = 3
MAX_TRIES_TIMES_REPETITIONS = 2
# A warm-up also shows how many tokens a prompt of this length has; so often more when it was off.
EXTRA_WARMUPS = 2
# What a short budget leaves of a cell's repetitions.
SHED_REPETITIONS = 3


class Store(Protocol):
    """The part of `spool.JobStore` that the engine needs."""

    def samples(self) -> list[Sample]: ...

    def keep(self, sample: Sample) -> None: ...


class CellRunner:
    """One cell of one job. Samples kept from before a restart count; warm-ups are made again."""

    def __init__(self, bench: Bench, spec: CellSpec, store: Store) -> None:
        self.bench = bench
        self.spec = spec
        self.store = store
        self.repetitions = spec.repetitions
        self.samples = judge([sample for sample in store.samples() if sample.cell == spec.name], spec)

    @property
    def complete(self) -> bool:
        """Whether nothing is left to measure."""
        return self.valid_rounds() >= self.repetitions

    def run(self) -> CellRun:
        """Measure. Raises JobFailed, Stopped or Released; `so_far` then has what was measured."""
        if self.complete:
            return self.so_far(None)
        self.bench.progress.cell(self.spec)
        self.warm_up()
        reason = None
        while not self.complete:
            reason = self.why_stop()
            if reason is not None:
                break
            self.take(warmup=False)
        return self.so_far(reason or self.shed_sentence())

    def so_far(self, stopped: Optional[str]) -> CellRun:
        """The cell with what it has."""
        return CellRun(spec=self.spec, samples=list(self.samples), stopped=stopped)

    def warm_up(self) -> None:
        """The cell's warm-ups, and up to two more while the prompt's length is still being found."""
        for done in range(self.spec.warmups + EXTRA_WARMUPS if self.spec.warmups else 0):
            if done >= self.spec.warmups and "prompt_off_target" not in self.samples[-1].flags:
                return
            self.take(warmup=True)

    def take(self, warmup: bool) -> None:
        """One round: measured, kept, judged, told."""
        if self.bench.cancel.finishing:
            raise Released
        self.bench.check()
        index = self.next_index(warmup)
        self.bench.progress.sample_begins(self.spec, index, warmup)
        begun = time.perf_counter()
        fresh = SHAPES[self.spec.kind].take(self.bench, self.spec, index, warmup)
        first_token = max((sample.timing.ttft_ns or 0 for sample in fresh), default=0)
        self.bench.pace.took(self.spec.name, time.perf_counter() - begun, first_token)
        self.samples = judge([*self.samples, *fresh], self.spec)
        for sample in self.samples[-len(fresh) :]:
            self.store.keep(sample)
            self.note_phase(sample)
            self.bench.progress.sample(self.spec, sample, self.bench.engine)
        for sample in fresh:
            raise_if_fatal(sample.error)

    def note_phase(self, sample: Sample) -> None:
        """Mark the sample's stretch in the telemetry."""
        kind = "warmup" if sample.warmup else SHAPES[self.spec.kind].phase
        start_s = sample.timing.start_s
        lasted_s = (sample.timing.e2e_ns or 0) / NS_PER_S
        end_s = start_s + lasted_s if lasted_s else max(start_s, self.bench.elapsed_s())
        self.bench.recorder.phase(self.spec.name, kind, start_s, end_s, sample.index)

    def next_index(self, warmup: bool) -> int:
        """Rounds are numbered through a restart; warm-ups have numbers of their own."""
        return 1 + max((sample.index for sample in self.samples if sample.warmup == warmup), default=-1)

    def rounds(self) -> list[list[Sample]]:
        """The measured samples by index; a round has several when they ran at the same time."""
        measured = [sample for sample in self.samples if not sample.warmup]
        return [[one for one in measured if one.index == index] for index in sorted({one.index for one in measured})]

    def valid_rounds(self) -> int:
        """How many rounds count: those whose samples are all valid."""
        return sum(all(is_valid(sample) for sample in one) for one in self.rounds())

    def why_stop(self) -> Optional[str]:
        """The sentence for ending before enough samples are valid; None to go on. Raises JobFailed on hard errors."""
        rounds = self.rounds()
        failed = failed_in_a_row(rounds)
        valid = self.valid_rounds()
        if failed >= MAX_INVALID_IN_A_ROW:
            raise_if_repeated(rounds[-1][-1].error)
            return f"stopped after {failed} samples in a row that do not count: {describe(rounds[-1])}"
        if len(rounds) >= MAX_TRIES_TIMES_REPETITIONS * self.repetitions + MAX_INVALID_IN_A_ROW:
            return f"stopped after {len(rounds)} tries with {valid} valid samples: {describe(rounds[-1])}"
        expected_s = self.bench.pace.sample_s(self.spec)
        if valid >= SHED_REPETITIONS and expected_s is not None and expected_s > self.bench.budget_left_s():
            return f"budget: {valid} of {self.spec.repetitions} repetitions, the time for more was used up"
        return None

    def shed_sentence(self) -> Optional[str]:
        """Said when the cell was complete only because fewer repetitions were asked in the end."""
        if self.repetitions == self.spec.repetitions:
            return None
        return f"budget: shortened to {self.repetitions} of {self.spec.repetitions} repetitions"

    def fit_budget(self) -> Optional[str]:
        """Cut the repetitions to what the budget leaves time for. Returns why it is skipped, None when it fits."""
        each_s = self.bench.pace.sample_s(self.spec)
        if each_s is None or self.complete:
            return None
        left_s = self.bench.budget_left_s()
        missing = self.repetitions - self.valid_rounds()
        if (self.spec.warmups + missing) * each_s <= left_s:
            return None
        fewer = min(SHED_REPETITIONS, self.repetitions)
        needed_s = (self.spec.warmups + max(0, fewer - self.valid_rounds())) * each_s
        if needed_s > left_s:
            return f"skipped: budget (needs about {needed_s:.0f} s, {max(0.0, left_s):.0f} s were left)"
        self.repetitions = fewer
        return None


def failed_in_a_row(rounds: Sequence[Sequence[Sample]]) -> int:
    """How many rounds at the end do not count."""
    failed = 0
    for one in reversed(rounds):
        if all(is_valid(sample) for sample in one):
            break
        failed += 1
    return failed


def describe(samples: Sequence[Sample]) -> str:
    """The gates these samples failed, in words."""
    flags = dict.fromkeys(flag for sample in samples for flag in sample.flags if flag != "error")
    errors = dict.fromkeys(sample.error.message for sample in samples if sample.error is not None)
    return " ".join([*errors, *(SENTENCES[flag] for flag in flags)])
