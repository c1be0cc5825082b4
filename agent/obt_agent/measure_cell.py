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
from .measure_plan import SHED_REPETITIONS, Expected, why_shed
from .metrics import NS_PER_S
from .rounds import Round, rounds_of, width_of
from .validity import SENTENCES, judge

# A sample that fails a gate is taken again with another nonce, twice.
MAX_INVALID_IN_A_ROW = 3
MAX_TRIES_TIMES_REPETITIONS = 2
# A warm-up also shows how many tokens a prompt of this length has; so often more when it was off.
EXTRA_WARMUPS = 2


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
        self.reserve_s = 0.0  # of the budget, for cells that must still run
        self.samples = judge([sample for sample in store.samples() if sample.cell == spec.name], spec)

    @property
    def complete(self) -> bool:
        """Whether nothing is left to measure."""
        return self.missing == 0

    @property
    def missing(self) -> int:
        """Valid rounds still to be measured."""
        return max(0, self.repetitions - self.valid_rounds())

    def expected(self) -> Expected:
        """What is missing, and how long one round of it takes as far as is known."""
        return Expected(self.spec, self.missing, self.bench.pace.sample_s(self.spec))

    def cut(self, really: bool) -> None:
        """Leave it at three repetitions, when the budget is short."""
        if really:
            self.repetitions = min(self.repetitions, max(SHED_REPETITIONS, self.valid_rounds()))

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
        self.bench.watch.begin()
        begun = time.perf_counter()
        fresh = SHAPES[self.spec.kind].take(self.bench, self.spec, index, warmup)
        # An answer that is not streamed has its first byte at its end.
        first_token = max((sample.timing.ttft_ns or sample.timing.e2e_ns or 0 for sample in fresh), default=0)
        self.bench.pace.took(self.spec.name, time.perf_counter() - begun, first_token)
        fresh = self.bench.watch.end(fresh)
        self.samples = judge([*self.samples, *fresh], self.spec)
        judged = self.samples[-len(fresh) :]
        for sample in judged:
            self.store.keep(sample)
        self.note_phase(judged)
        self.bench.progress.round_ended(self.spec, Round(index, warmup, judged, width_of(self.spec)), self.bench.engine)
        for sample in fresh:
            raise_if_fatal(sample.error)

    def note_phase(self, samples: Sequence[Sample]) -> None:
        """Mark the round's stretch in the telemetry."""
        kind = "warmup" if samples[0].warmup else SHAPES[self.spec.kind].phase
        start_s = min(sample.timing.start_s for sample in samples)
        ends = [sample.timing.start_s + (sample.timing.e2e_ns or 0) / NS_PER_S for sample in samples]
        whole = all(sample.timing.e2e_ns for sample in samples)
        end_s = max(ends) if whole else max(start_s, self.bench.elapsed_s())
        self.bench.recorder.phase(self.spec.name, kind, start_s, end_s, samples[0].index)

    def next_index(self, warmup: bool) -> int:
        """Rounds are numbered through a restart; warm-ups have numbers of their own."""
        return 1 + max((sample.index for sample in self.samples if sample.warmup == warmup), default=-1)

    def rounds(self) -> list[Round]:
        """The measured rounds."""
        return [one for one in rounds_of(self.samples, self.spec) if not one.warmup]

    def valid_rounds(self) -> int:
        """How many rounds count."""
        return sum(one.valid for one in self.rounds())

    def why_stop(self) -> Optional[str]:
        """The sentence for ending before enough samples are valid; None to go on. Raises JobFailed on hard errors."""
        rounds = self.rounds()
        failed = failed_in_a_row(rounds)
        valid = self.valid_rounds()
        if failed >= MAX_INVALID_IN_A_ROW:
            raise_if_repeated(rounds[-1].samples[-1].error)
            return f"stopped after {failed} samples in a row that do not count: {describe(rounds[-1].samples)}"
        if len(rounds) >= MAX_TRIES_TIMES_REPETITIONS * self.repetitions + MAX_INVALID_IN_A_ROW:
            return f"stopped after {len(rounds)} tries with {valid} valid samples: {describe(rounds[-1].samples)}"
        expected_s = self.bench.pace.sample_s(self.spec)
        if valid >= SHED_REPETITIONS and expected_s is not None and expected_s > self.left_s():
            return f"budget: {valid} of {self.spec.repetitions} repetitions, the time for more was used up"
        return None

    def shed_sentence(self) -> Optional[str]:
        """Said when the cell was complete only because fewer repetitions were asked in the end."""
        if self.repetitions == self.spec.repetitions:
            return None
        return f"budget: shortened to {self.repetitions} of {self.spec.repetitions} repetitions"

    def left_s(self) -> float:
        """Seconds of the budget that this cell may use."""
        return self.bench.budget_left_s() - self.reserve_s

    def fit_budget(self) -> Optional[str]:
        """Cut the repetitions to what the budget leaves time for. Returns why it is skipped, None when it fits."""
        each_s = self.bench.pace.sample_s(self.spec)
        if each_s is None or self.complete:
            return None
        left_s = self.left_s()
        if self.expected().seconds <= left_s:
            return None
        needed_s = self.expected().cut().seconds
        if needed_s > left_s:
            return why_shed(needed_s, left_s)
        self.cut(True)
        return None


def failed_in_a_row(rounds: Sequence[Round]) -> int:
    """How many rounds at the end do not count."""
    failed = 0
    for one in reversed(rounds):
        if one.valid:
            break
        failed += 1
    return failed


def describe(samples: Sequence[Sample]) -> str:
    """The gates these samples failed, in words."""
    flags = dict.fromkeys(flag for sample in samples for flag in sample.flags if flag != "error")
    errors = dict.fromkeys(sample.error.message for sample in samples if sample.error is not None)
    return " ".join([*errors, *(SENTENCES[flag] for flag in flags)])
