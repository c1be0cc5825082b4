from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from agent.obt_agent.cancel import CANCELLED, Cancel, Released
from agent.obt_agent.contract import Gpu
from agent.obt_agent.measure_idle import LEAST_BUDGET_S, measure_idle
from agent.obt_agent.measure_outcome import Stopped
from agent.obt_agent.probes import Reading
from agent.obt_agent.telemetry import Recorder


class OneValue:
    """A probe that reads one quantity."""

    every_s, in_series = 0.0, True

    def __init__(self, name: str) -> None:
        self.name = name

    def read(self) -> Reading:
        return Reading({self.name: 35.0}, {}, {})

    def gpus(self) -> list[Gpu]:
        return []


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recording = Recorder([OneValue("gpu_0_power_w")], interval_ms=20)
    recording.start(time.perf_counter())
    yield recording
    recording.stop()


def test_the_idle_time_is_marked_in_the_recording(recorder: Recorder) -> None:
    t0 = time.perf_counter()
    assert measure_idle(recorder, Cancel(), lambda: time.perf_counter() - t0, LEAST_BUDGET_S, idle_s=0.3)
    (phase,) = recorder.stop().phases
    assert (phase.cell, phase.kind) == ("idle", "idle")
    assert phase.end_s - phase.start_s >= 0.3


def test_where_no_power_can_be_read_nobody_waits() -> None:
    recording = Recorder([OneValue("gpu_0_utilisation_percent")])
    recording.start(time.perf_counter())
    assert not measure_idle(recording, Cancel(), time.perf_counter, LEAST_BUDGET_S)
    assert recording.stop().phases == []


def test_a_short_budget_is_not_spent_on_it(recorder: Recorder) -> None:
    assert not measure_idle(recorder, Cancel(), time.perf_counter, LEAST_BUDGET_S - 1)


def test_a_cancelled_job_does_not_wait_for_it(recorder: Recorder) -> None:
    cancel = Cancel()
    cancel.set(CANCELLED)
    with pytest.raises(Stopped):
        measure_idle(recorder, cancel, time.perf_counter, LEAST_BUDGET_S)


def test_an_agent_that_is_to_stop_gives_the_job_back_at_once(recorder: Recorder) -> None:
    cancel = Cancel()
    cancel.finish_soon()
    with pytest.raises(Released):
        measure_idle(recorder, cancel, time.perf_counter, LEAST_BUDGET_S)
