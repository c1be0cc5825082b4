"""Cells and a job with a time of their own, for the schedule: hours of measuring in no time."""

from __future__ import annotations

import dataclasses

from agent.obt_agent.contract import CellSpec, PinnedOptions
from agent.obt_agent.measure_outcome import JobFailed
from agent.obt_agent.measure_plan import SHED_REPETITIONS, Expected
from agent.obt_agent.measure_schedule import Schedule
from agent.obt_agent.measure_setting import Setting, setting_of

HARD_LIMIT_TIMES_BUDGET = 1.5


@dataclasses.dataclass
class Clock:
    """Seconds since the job began, and all that happened: `(what, name, when it ended)`."""

    budget_s: float
    now_s: float = 0.0
    log: list[tuple[str, str, float]] = dataclasses.field(default_factory=list)

    def spend(self, what: str, name: str, seconds: float) -> None:
        """Let time pass; raises JobFailed at the job's hard limit, as a stream does in its middle."""
        end_s = self.budget_s * HARD_LIMIT_TIMES_BUDGET
        self.now_s = min(self.now_s + seconds, end_s)
        if self.now_s >= end_s:
            raise JobFailed("budget_exceeded", "The job's time was up in the middle of an answer")
        self.log.append((what, name, self.now_s))

    def of(self, *kinds: str) -> list[str]:
        """The names of what happened, in order."""
        return [name for what, name, _ in self.log if what in kinds]


class TimedCell:
    """A cell whose rounds take `takes_s`, and were predicted to take `predicted_s` until one was seen.

    `precise_at`: valid rounds from which its interval is narrow enough. `invalid`: how many of its first rounds do not
    count.
    """

    def __init__(
        self,
        spec: CellSpec,
        clock: Clock,
        takes_s: float,
        predicted_s: float | None = None,
        precise_at: int = 0,
        invalid: int = 0,
    ) -> None:
        self.spec, self.clock, self.takes_s, self.predicted_s = spec, clock, takes_s, predicted_s
        self.precise_at, self.invalid = precise_at, invalid
        self.setting: Setting = setting_of(spec, PinnedOptions())
        self.expected_s: float | None = None
        self.open, self.begun = True, False
        self.target, self.valid, self.rounds = spec.repetitions, 0, 0
        self.skipped: str | None = None
        self.stopped: str | None = None
        self.seen_s: float | None = None

    @property
    def needed(self) -> int:
        return max(0, self.target - self.valid) if self.open else 0

    @property
    def wants_more(self) -> bool:
        if not self.open or self.valid < self.spec.repetitions:
            return self.open
        return self.valid < (self.spec.max_repetitions or 0) and self.valid < self.precise_at

    @property
    def each_s(self) -> float | None:
        return self.predicted_s if self.seen_s is None else self.seen_s

    def expected(self) -> Expected:
        warmups = 0 if self.begun else self.spec.warmups
        return Expected(self.spec, self.needed, self.each_s, self.valid, warmups, self.setting)

    def next_s(self) -> float | None:
        return None if self.each_s is None else self.each_s * (1 if self.begun else 1 + self.spec.warmups)

    def predict(self) -> None:
        self.expected_s = None if self.each_s is None else self.each_s * (self.spec.warmups + self.target)

    def cut(self) -> None:
        self.target = min(self.target, SHED_REPETITIONS)

    def drop(self, reason: str) -> None:
        self.open = False
        if self.rounds:
            self.stopped = f"budget: {self.valid}"
        else:
            self.skipped = reason

    def give_up_wishes(self) -> None:
        self.open, self.stopped = False, f"budget: {self.valid}"

    def look(self) -> None:
        if not self.needed and not self.wants_more:
            self.open = False
        elif self.rounds - self.valid >= 3 and self.invalid > self.rounds:
            self.open, self.stopped = False, "stopped after 3 samples in a row"

    def begin(self) -> None:
        if not self.begun:
            self.begun = True
            for _ in range(self.spec.warmups):
                self.spend("warmup")

    def take_round(self) -> None:
        self.rounds += 1
        self.spend("round")
        self.valid += self.rounds > self.invalid

    def spend(self, what: str) -> None:
        self.clock.spend(what, self.spec.name, self.takes_s)
        self.seen_s = self.takes_s


class TimedJob:
    """The job around timed cells. `slow`: names of cells that another one stands in for."""

    def __init__(self, clock: Clock, load_s: float = 0.0, stand_ins: dict[str, TimedCell] | None = None) -> None:
        self.clock, self.load_takes_s, self.stand_ins = clock, load_s, stand_ins or {}

    def left_s(self) -> float:
        return self.clock.budget_s - self.clock.now_s

    def load_s(self) -> float:
        return self.load_takes_s

    def enter(self, setting: Setting, before: Setting | None) -> None:
        self.clock.spend("load", str(setting.num_ctx), self.load_takes_s)

    def stand_in(self, cell: TimedCell) -> TimedCell | None:
        found = self.stand_ins.get(cell.spec.name)
        if found is not None:
            cell.drop(f"{found.spec.name} was measured instead.")
        return found

    def planned(self) -> None:
        """Nobody is told."""


def run(cells: list[TimedCell], job: TimedJob) -> Schedule[TimedCell]:
    """The schedule, after it ran."""
    schedule = Schedule(cells, job)
    schedule.run()
    return schedule
