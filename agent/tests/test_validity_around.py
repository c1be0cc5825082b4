"""The gates on what went on around a sample: each on a sample that fails it and on one that just does not."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from agent.obt_agent.contract import CellSpec, Placement, Sample, Surroundings
from agent.obt_agent.validity import judge

from .test_validity import CHAT, GOOD, LOAD, PREFILL, RAW, flags, with_raw

TG = CellSpec("tg128", "decode", 6, 1, 32, 128, 4096)
SEEN = Surroundings(
    server_version="0.24.0",
    server_process="77@1700000000.00",
    clock_step_s=0.0001,
    telemetry_gap_s=0.21,
    telemetry_interval_s=0.2,
    throttle=[],
    expiry_off_s=0.004,
)


def around(sample: Sample = GOOD, **changes: Any) -> Sample:
    return dataclasses.replace(sample, surroundings=dataclasses.replace(SEEN, **changes))


def test_ordinary_surroundings_fail_no_gate_and_unknown_ones_neither() -> None:
    assert flags(around()) == []
    assert flags(dataclasses.replace(GOOD, surroundings=Surroundings())) == []


@pytest.mark.parametrize(
    "reason",
    ["gpu_0.hw_slowdown", "gpu_1.sw_thermal_slowdown", "gpu_0.hw_thermal_slowdown", "gpu_0.hw_power_brake_slowdown"],
)
def test_a_gpu_slowed_down_by_heat_or_power_supply_is_throttled(reason: str) -> None:
    assert flags(around(throttle=[reason])) == ["throttled"]


@pytest.mark.parametrize("reason", ["gpu_0.sw_power_cap", "gpu_0.sync_boost"])
def test_a_gpu_at_its_own_power_limit_is_not(reason: str) -> None:
    assert flags(around(throttle=[reason])) == []


def test_a_hot_cpu_does_not_slow_a_model_that_is_wholly_on_the_gpu() -> None:
    assert flags(around(throttle=["cpu.thermal"])) == []


@pytest.mark.parametrize("placement", [None, Placement(1000, 0), Placement(1000, 600)])
def test_a_hot_cpu_slows_a_model_that_is_on_it_in_part_or_perhaps(placement: Placement | None) -> None:
    sample = around(dataclasses.replace(GOOD, placement=placement), throttle=["cpu.thermal"])
    assert [one.flags for one in judge([sample], CHAT)] == [["throttled"]]


def test_a_hot_gpu_does_not_slow_a_model_in_main_memory() -> None:
    sample = around(dataclasses.replace(GOOD, placement=Placement(1000, 0)), throttle=["gpu_0.hw_slowdown"])
    assert [one.flags for one in judge([sample], CHAT)] == [[]]


@pytest.mark.parametrize(("gap_s", "interval_s", "flagged"), [(1.0, 0.2, False), (1.01, 0.2, True), (1.9, 0.8, False)])
def test_more_than_a_second_without_a_reading_is_a_gap(gap_s: float, interval_s: float, flagged: bool) -> None:
    sample = around(telemetry_gap_s=gap_s, telemetry_interval_s=interval_s)
    assert flags(sample) == (["telemetry_gap"] if flagged else [])


@pytest.mark.parametrize(("step_s", "flagged"), [(0.1, False), (-0.1, False), (0.11, True), (-3600.0, True)])
def test_a_clock_that_was_set_is_a_step_in_either_direction(step_s: float, flagged: bool) -> None:
    assert flags(around(clock_step_s=step_s)) == (["clock_step"] if flagged else [])


def test_a_long_sample_may_drift_by_a_thousandth() -> None:
    long = dataclasses.replace(GOOD, timing=dataclasses.replace(GOOD.timing, e2e_ns=300 * 10**9))
    assert flags(around(long, clock_step_s=0.35)) == []
    assert flags(around(long, clock_step_s=0.45)) == ["clock_step"]


def test_the_first_sample_after_a_restart_is_flagged_and_the_next_is_not() -> None:
    anew = around(server_process="78@1700000100.00")
    judged = judge([around(), around(), anew, dataclasses.replace(anew)], CHAT)
    assert [one.flags for one in judged] == [[], [], ["server_restarted"], []]


def test_a_process_that_was_not_seen_once_is_not_a_restart() -> None:
    judged = judge([around(), around(server_process=None), around()], CHAT)
    assert [one.flags for one in judged] == [[], [], []]


def test_samples_of_another_version_of_ollama_stay_flagged() -> None:
    newer = around(server_version="0.25.0", server_process="80@1700000100.00")
    judged = judge([around(), newer, dataclasses.replace(newer)], CHAT)
    assert [one.flags for one in judged] == [[], ["server_restarted"], ["server_restarted"]]


@pytest.mark.parametrize("off_s", [-300.0, 1.1, -1.9])
def test_a_time_of_unloading_that_is_not_as_asked_is_another_clients(off_s: float) -> None:
    assert flags(around(expiry_off_s=off_s)) == ["other_client"]


@pytest.mark.parametrize("off_s", [None, 0.0, -0.9, 0.9])
def test_a_time_of_unloading_as_asked_is_nobody_elses(off_s: float | None) -> None:
    assert flags(around(expiry_off_s=off_s)) == []


@pytest.mark.parametrize(("still", "expected"), [(True, ["other_client"]), (False, []), (None, [])])
def test_a_time_of_unloading_that_stands_still_is_another_clients_request_under_way(
    still: bool | None, expected: list[str]
) -> None:
    assert flags(around(expiry_off_s=-0.09, expiry_stood_still=still)) == expected


def waiting(ns: int) -> Sample:
    """A sample that took so much longer in all than its parts."""
    timing = dataclasses.replace(GOOD.timing, e2e_ns=2_001_000_000 + ns)
    return dataclasses.replace(with_raw(total_duration=2_000_000_000 + ns), timing=timing)


def test_a_request_that_waited_in_ollama_for_no_stated_reason_queued_behind_another_client() -> None:
    assert flags(waiting(600_000_000)) == ["other_client"]
    assert flags(waiting(300_000_000)) == []


def test_waiting_that_all_siblings_have_is_ollamas_own_way() -> None:
    judged = judge([waiting(600_000_000) for _ in range(5)], CHAT)
    assert not any(one.flags for one in judged)


def test_two_siblings_are_too_few_to_say_what_is_usual() -> None:
    assert flags(waiting(600_000_000), siblings=2) == []


def test_requests_that_are_to_queue_may() -> None:
    spec = dataclasses.replace(CHAT, kind="concurrency", concurrency=4)
    assert flags(waiting(5_000_000_000), spec) == []


@pytest.mark.parametrize(("version", "bad"), [("0.12.4", False), ("0.12.5", True), ("0.12.6", True), ("0.12.7", False)])
def test_prefill_of_versions_that_report_garbage_is_flagged(version: str, bad: bool) -> None:
    assert flags(around(server_version=version)) == (["known_bad_version"] if bad else [])


def test_a_decode_rate_of_such_a_version_is_good() -> None:
    sample = dataclasses.replace(around(server_version="0.12.5"), prompt=None, cell="tg128")
    assert flags(sample, TG) == []


def test_a_duration_cut_to_milliseconds_is_flagged_where_that_is_more_than_two_percent() -> None:
    raw = dataclasses.replace(RAW, eval_count=1, eval_duration=None)
    timing = dataclasses.replace(GOOD.timing, chunk_ns=[1])
    short = dataclasses.replace(GOOD, timing=timing, raw=dataclasses.replace(raw, prompt_eval_duration=49_000_000))
    long = dataclasses.replace(GOOD, timing=timing, raw=dataclasses.replace(raw, prompt_eval_duration=50_000_000))
    for version, expected in (("0.5.7", ["known_bad_version"]), ("0.6.2", [])):
        assert flags(around(short, server_version=version), PREFILL, siblings=0) == expected
        assert flags(around(long, server_version=version), PREFILL, siblings=0) == []


def test_a_model_in_both_memories_whose_parts_changed_is_flagged_as_such() -> None:
    usual = dataclasses.replace(GOOD, placement=Placement(1000, 700))
    judged = judge([usual, dataclasses.replace(GOOD, placement=Placement(1000, 640)), usual], CHAT)
    assert [one.flags for one in judged] == [[], ["partial_spill_changed"], []]


def test_a_part_that_changed_by_less_than_a_hundredth_is_the_same() -> None:
    usual = dataclasses.replace(GOOD, placement=Placement(1000, 700))
    judged = judge([usual, dataclasses.replace(GOOD, placement=Placement(1000, 693)), usual], CHAT)
    assert not any(one.flags for one in judged)


def test_a_model_that_left_the_gpu_was_placed_otherwise_and_did_not_only_spill() -> None:
    usual = dataclasses.replace(GOOD, placement=Placement(1000, 700))
    judged = judge([usual, dataclasses.replace(GOOD, placement=Placement(1000, 0)), usual], CHAT)
    assert [one.flags for one in judged] == [[], ["placement_changed"], []]


def test_a_load_cell_says_nothing_about_queueing() -> None:
    raw = dataclasses.replace(RAW, load_duration=900_000_000, eval_count=1, eval_duration=None)
    sample = dataclasses.replace(GOOD, raw=raw, prompt=None)
    assert flags(sample, LOAD) == []
