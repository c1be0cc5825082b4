from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from agent.obt_agent import wire
from agent.obt_agent.contract import Gpu, Telemetry
from agent.obt_agent.probes import Reading
from agent.obt_agent.probes.host import HostProbe
from agent.obt_agent.telemetry import Recorder, gaps_in


class Counting:
    """A probe that counts its readings, and does what a test says at each."""

    def __init__(self, every_s: float = 0.0, in_series: bool = True, name: str = "count_bytes") -> None:
        self.every_s, self.in_series, self.name = every_s, in_series, name
        self.count = 0
        self.at_each: Callable[[int], Any] = lambda count: None

    def read(self) -> Reading:
        self.count += 1
        said = self.at_each(self.count)
        return said if isinstance(said, Reading) else Reading({self.name: float(self.count)}, {}, {})

    def gpus(self) -> list[Gpu]:
        return []


def until(what: Callable[[], Any], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.005)


def test_it_records_on_its_schedule_in_the_jobs_own_time() -> None:
    probe, t0 = Counting(), time.perf_counter() - 100
    recorder = Recorder([probe], interval_ms=20, of_this_machine=True)
    recorder.start(t0)
    until(lambda: probe.count >= 12)
    telemetry = recorder.stop()
    assert 100 < telemetry.t_s[0] < 101
    steps = sorted(b - a for a, b in pairwise(telemetry.t_s))
    assert steps[len(steps) // 2] == pytest.approx(0.02, abs=0.005)
    (series,) = telemetry.series
    assert (series.name, series.unit) == ("count_bytes", "B")
    assert len(series.values) == len(telemetry.t_s)
    assert telemetry.of_this_machine is True


def test_the_first_reading_is_discarded() -> None:
    probe = Counting()
    recorder = Recorder([probe], interval_ms=10)
    recorder.start(time.perf_counter())
    until(lambda: probe.count >= 3)
    assert recorder.stop().series[0].values[0] == 2.0


def test_the_cpus_share_is_there_from_the_first_point() -> None:
    recorder = Recorder([HostProbe()], interval_ms=50)
    recorder.start(time.perf_counter())
    until(lambda: recorder.latest().cpu_percent is not None)
    telemetry = recorder.stop()
    series = {one.name: one.values for one in telemetry.series}
    assert series["cpu_percent"][0] is not None
    assert "cpu_percent" not in telemetry.missing


def test_a_late_reading_leaves_a_gap_and_nothing_is_made_up() -> None:
    probe = Counting()
    probe.at_each = lambda count: time.sleep(0.3) if count == 4 else None
    recorder = Recorder([probe], interval_ms=20)
    recorder.start(time.perf_counter())
    until(lambda: probe.count >= 8)
    telemetry = recorder.stop()
    assert max(b - a for a, b in pairwise(telemetry.t_s)) > 0.25
    assert telemetry.missing["gaps"].startswith("Gaps between readings: 1, the longest 0.3 s")


def test_gaps_are_distances_the_interval_does_not_explain() -> None:
    assert gaps_in([0.0, 0.2, 0.4, 1.4, 1.6], 0.2) == [pytest.approx(1.0)]
    assert gaps_in([], 0.2) == []


def test_a_slow_probe_is_read_at_its_own_rate_and_is_none_in_between() -> None:
    fast, slow = Counting(), Counting(every_s=0.15, name="slow_w")
    recorder = Recorder([fast, slow], interval_ms=10)
    recorder.start(time.perf_counter())
    until(lambda: slow.count >= 4)
    telemetry = recorder.stop()
    values = {one.name: one.values for one in telemetry.series}
    assert values["slow_w"].count(None) > len(values["slow_w"]) / 2
    assert [v for v in values["slow_w"] if v is not None][:2] == [2.0, 3.0]
    assert None not in values["count_bytes"]


def test_what_is_not_for_the_series_is_still_the_latest_reading() -> None:
    recorder = Recorder([Counting(in_series=False, name="disk_free_bytes")], interval_ms=10)
    recorder.start(time.perf_counter())
    assert recorder.latest().disk_free_bytes == 1
    assert recorder.stop().series == []


def test_a_value_missing_at_times_is_none_there_and_its_reason_is_kept_when_it_never_came() -> None:
    probe = Counting()
    probe.at_each = lambda count: (
        Reading({}, {"x_w": "asleep"}, {}) if count % 2 else Reading({"x_w": 1.0}, {"y_w": "never"}, {})
    )
    recorder = Recorder([probe], interval_ms=10, missing={"nvidia": "none"})
    recorder.start(time.perf_counter())
    until(lambda: probe.count >= 8)
    telemetry = recorder.stop()
    assert set(telemetry.series[0].values) == {None, 1.0}
    assert telemetry.missing["nvidia"] == "none"
    assert "x_w" not in telemetry.missing


def test_memory_is_bounded_by_thinning_and_the_interval_says_so() -> None:
    probe = Counting()
    recorder = Recorder([probe], interval_ms=2, max_points=20)
    recorder.start(time.perf_counter())
    until(lambda: probe.count >= 60)
    telemetry = recorder.stop()
    assert len(telemetry.t_s) < 20
    assert telemetry.interval_ms >= 4
    assert telemetry.t_s == sorted(telemetry.t_s)
    assert len(telemetry.series[0].values) == len(telemetry.t_s)


def test_a_probe_that_fails_once_does_not_end_the_recording() -> None:
    probe = Counting()

    def fail(count: int) -> None:
        if count == 3:
            raise RuntimeError("of the tests")

    probe.at_each = fail
    recorder = Recorder([probe], interval_ms=10)
    recorder.start(time.perf_counter())
    until(lambda: probe.count >= 6)
    assert 4.0 in recorder.stop().series[0].values


def test_phases_are_kept_in_the_jobs_time() -> None:
    recorder = Recorder([])
    recorder.phase("tg128", "warmup", 1.0, 2.0)
    recorder.phase("tg128", "sample", 2.0, 3.0, 0)
    phases = recorder.stop().phases
    assert [(p.kind, p.start_s, p.index) for p in phases] == [("warmup", 1.0, None), ("sample", 2.0, 0)]


def test_starting_and_stopping_twice_changes_nothing() -> None:
    probe = Counting()
    recorder = Recorder([probe], interval_ms=10)
    recorder.start(time.perf_counter())
    threads = threading.active_count()
    recorder.start(0.0)
    assert threading.active_count() == threads
    until(lambda: probe.count >= 3)
    first = recorder.stop()
    assert recorder.stop() == first


def test_a_recording_fits_the_contract() -> None:
    recorder = Recorder([HostProbe()], interval_ms=10)
    recorder.start(time.perf_counter())
    until(lambda: recorder.latest().cpu_percent is not None)
    telemetry = recorder.stop()
    assert wire.decode(Telemetry, wire.loads(wire.dumps(telemetry))) == telemetry
    assert not any(isinstance(v, float) and math.isnan(v) for s in telemetry.series for v in s.values)


def test_a_reading_of_this_machine_costs_far_less_than_its_interval() -> None:
    probe = HostProbe()
    probe.read()
    begun = time.thread_time()
    for _ in range(20):
        probe.read()
    assert (time.thread_time() - begun) / 20 < 0.01
