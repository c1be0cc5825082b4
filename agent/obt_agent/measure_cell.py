"""One cell while it is measured: what it has, what it still needs, one round at a time, and how it ends.

When its rounds are taken is `measure_schedule`'s; here a round is measured, kept, judged and told.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Optional, Protocol

from .cancel import Released
from .cells import SHAPES
from .cells_bench import Bench
from .contract import CellRun, CellSpec, Sample
from .measure_outcome import raise_if_fatal, raise_if_repeated
from .measure_plan import SHED_REPETITIONS, Expected
from .measure_precision import is_precise, why_enough, why_no_time
from .metrics import HEADLINE, NS_PER_S
from .rounds import Round, makespan_ns, round_metrics, rounds_of, width_of
from .validity import SENTENCES, judge

# A sample that fails a gate is taken again with another nonce, twice.
MAX_INVALID_IN_A_ROW = 3
# A warm-up also shows how many tokens a prompt of this length has; so often more when it was off.
EXTRA_WARMUPS = 2
NOT_REACHED = "The job ended before this cell."


class Store(Protocol):
    """The part of `spool.JobStore` that the engine needs."""

    def samples(self) -> list[Sample]: ...

    def keep(self, sample: Sample) -> None: ...


class CellRunner:
    """One cell of one job. Samples kept from before a restart count; warm-ups are made again.

    `target`: valid rounds it needs. `expected_s`: what it was predicted to take, in all and with its warm-ups.
    """

    def __init__(self, bench: Bench, spec: CellSpec, store: Store) -> None:
        self.bench = bench
        self.spec = spec
        self.store = store
        self.setting = bench.setting(spec)
        self.target = spec.repetitions
        self.expected_s: Optional[float] = None
        self.open = True
        self.begun = False
        self.samples = judge([sample for sample in store.samples() if sample.cell == spec.name], spec)
        # Of rounds from before a restart only their answers' times are known.
        self.took_s = sum((makespan_ns(one) or 0) / NS_PER_S for one in rounds_of(self.samples, spec))
        self._stopped: Optional[str] = None
        self._skipped: Optional[str] = None

    # -- what it has and needs ---------------------------------------------------------------------------------------

    def rounds(self) -> list[Round]:
        """The measured rounds."""
        return [one for one in rounds_of(self.samples, self.spec) if not one.warmup]

    def valid_rounds(self) -> list[Round]:
        """Those that count."""
        return [one for one in self.rounds() if one.valid]

    def values(self) -> list[float]:
        """The headline of each round that counts."""
        name = HEADLINE[self.spec.kind]
        found = [round_metrics(one, self.spec, self.bench.engine)[name].value for one in self.valid_rounds()]
        return [value for value in found if value is not None]

    @property
    def needed(self) -> int:
        """Valid rounds that must still be measured."""
        return max(0, self.target - len(self.valid_rounds())) if self.open else 0

    @property
    def wants_more(self) -> bool:
        """Whether it would go on beyond what it needs: to its repetitions, or until it is precise."""
        valid = len(self.valid_rounds())
        if not self.open or valid < self.spec.repetitions:
            return self.open
        return valid < (self.spec.max_repetitions or 0) and not is_precise(self.spec, self.values())

    def expected(self) -> Expected:
        """What it still needs, and how long one round of it takes as far as is known."""
        warmups = 0 if self.begun else self.spec.warmups
        each_s = self.bench.pace.sample_s(self.spec)
        return Expected(self.spec, self.needed, each_s, len(self.valid_rounds()), warmups, self.setting)

    def next_s(self) -> Optional[float]:
        """Seconds for the next round, and for the warm-ups before it if they are still to be made."""
        each_s = self.bench.pace.sample_s(self.spec)
        return None if each_s is None else each_s * (1 if self.begun else 1 + self.spec.warmups)

    def predict(self) -> None:
        """Note what it should take in all, as far as is known now."""
        each_s = self.bench.pace.sample_s(self.spec)
        self.expected_s = None if each_s is None else each_s * (self.spec.warmups + self.target)

    # -- how it ends -------------------------------------------------------------------------------------------------

    def cut(self) -> None:
        """Need three repetitions only: the budget is short."""
        self.target = min(self.target, SHED_REPETITIONS)

    def drop(self, reason: str) -> None:
        """End it: there is no time for what it needs. Without a measured round it counts as skipped."""
        if self.rounds():
            self.end(why_no_time(self.spec, self.values()))
        else:
            self.skip(reason)

    def skip(self, reason: str) -> None:
        """End it without a number, and say so at once."""
        self._skipped = reason
        self.end(None)
        self.bench.progress.note(self.spec, f"{self.spec.name}: {reason}")

    def give_up_wishes(self) -> None:
        """End it with what it needs: there is no time for more."""
        self.end(why_no_time(self.spec, self.values()))

    def look(self) -> None:
        """End it if it is complete or hopeless. Raises JobFailed for an error that came back with every retry."""
        if not self.needed and not self.wants_more:
            adaptive = (self.spec.max_repetitions or 0) > self.spec.repetitions
            self.end(why_enough(self.spec, self.values()) if adaptive else None)
            return
        reason = self.why_hopeless()
        if reason is not None:
            self.end(reason)

    def end(self, stopped: Optional[str]) -> None:
        """No more rounds. `stopped`: why, None where nothing is to be said."""
        self.open = False
        self._stopped = stopped
        self.bench.progress.plan(self.spec, 0)

    def why_hopeless(self) -> Optional[str]:
        """The sentence for ending before enough rounds are valid; None to go on. Raises JobFailed on hard errors."""
        rounds = self.rounds()
        failed, valid = failed_in_a_row(rounds), len(self.valid_rounds())
        if failed >= MAX_INVALID_IN_A_ROW:
            raise_if_repeated(rounds[-1].samples[-1].error)
            return f"stopped after {failed} samples in a row that do not count: {describe(rounds[-1].samples)}"
        if len(rounds) - valid >= self.spec.repetitions + MAX_INVALID_IN_A_ROW:
            return f"stopped after {len(rounds)} tries with {valid} valid samples: {describe(rounds[-1].samples)}"
        return None

    def so_far(self, why: Optional[str] = None) -> CellRun:
        """The cell with what it has. `why`: the sentence of the whole job's end, for a cell that was not done."""
        stopped, skipped = self._stopped, self._skipped
        if self.open and (self.begun or self.samples):
            stopped = why or NOT_REACHED
        elif self.open:
            skipped = NOT_REACHED
        took_s = self.took_s if self.samples else None
        return CellRun(self.spec, list(self.samples), skipped, stopped, self.expected_s, took_s)

    # -- its rounds --------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The warm-ups, once; and up to two more while the prompt's length is still being found."""
        if self.begun:
            return
        self.begun = True
        self.bench.progress.cell(self.spec)
        for done in range(self.spec.warmups + EXTRA_WARMUPS if self.spec.warmups else 0):
            if done >= self.spec.warmups and "prompt_off_target" not in self.samples[-1].flags:
                return
            self.take(warmup=True)

    def take_round(self) -> None:
        """One measured round."""
        self.take(warmup=False)

    def take(self, warmup: bool) -> None:
        """One round: measured, kept, judged, told. Raises JobFailed, Stopped or Released."""
        if self.bench.cancel.finishing:
            raise Released
        self.bench.check()
        index = self.next_index(warmup)
        self.bench.progress.sample_begins(self.spec, index, warmup)
        self.bench.watch.begin()
        begun = time.perf_counter()
        fresh = SHAPES[self.spec.kind].take(self.bench, self.spec, index, warmup)
        fresh = self.bench.watch.end(fresh)
        self.samples = judge([*self.samples, *fresh], self.spec)
        judged = self.samples[-len(fresh) :]
        for sample in judged:
            self.store.keep(sample)
        self.note_time(judged, time.perf_counter() - begun)
        self.note_phase(judged)
        self.bench.progress.round_ended(self.spec, Round(index, warmup, judged, width_of(self.spec)), self.bench.engine)
        for sample in fresh:
            raise_if_fatal(sample.error)

    def note_time(self, samples: Sequence[Sample], seconds: float) -> None:
        """What the round took in all. An answer that is not streamed has its first byte at its end."""
        first_token_ns = max(sample.timing.ttft_ns or sample.timing.e2e_ns or 0 for sample in samples)
        self.bench.pace.took(self.spec.name, seconds, first_token_ns)
        self.took_s += seconds

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
