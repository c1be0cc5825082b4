"""Energy per token on recordings whose truth is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from agent.obt_agent import energy
from agent.obt_agent.contract import Phase, Placement, RawCounters, Sample, Series, Telemetry, Timing
from agent.obt_agent.energy import Meter, note_of, per_token
from agent.obt_agent.metrics import FORMULAS

IDLE_W, BUSY_W = 20.0, 120.0
BUSY_FROM_S, BUSY_TO_S = 10.0, 18.0
ON_GPU = Placement(1000, 1000)


def power_at(t_s: float) -> float:
    return BUSY_W if BUSY_FROM_S <= t_s < BUSY_TO_S else IDLE_W


def energy_mj_at(t_s: float) -> float:
    """The counter of a GPU that began at some number long ago."""
    busy_s = min(max(t_s - BUSY_FROM_S, 0.0), BUSY_TO_S - BUSY_FROM_S)
    return 5e9 + 1000 * (IDLE_W * t_s + (BUSY_W - IDLE_W) * busy_s)


def recording(of_this_machine: bool | None = True, **series: Callable[[float], float | None]) -> Telemetry:
    t_s = [round(0.2 * i, 4) for i in range(131)]
    return Telemetry(
        interval_ms=200,
        t_s=t_s,
        series=[Series(name, "", [read(t) for t in t_s]) for name, read in series.items()],
        phases=[Phase("idle", "idle", 2.0, 8.0)],
        of_this_machine=of_this_machine,
    )


COUNTED = recording(gpu_0_energy_mj=energy_mj_at, gpu_0_power_w=power_at)
SAMPLE = Sample(
    cell="tg",
    index=0,
    warmup=False,
    raw=RawCounters(load_duration=1_000_000_000, prompt_eval_count=500, eval_count=160, done=True),
    timing=Timing(start_s=9.0, ttft_ns=2_000_000_000, last_token_ns=8_000_000_000, e2e_ns=8_100_000_000),
    placement=ON_GPU,
)


def value(name: str, telemetry: Telemetry = COUNTED, sample: Sample = SAMPLE) -> float | None:
    return per_token(sample, Meter(telemetry), name)[0].value


def test_gross_energy_is_the_counters_growth_from_first_to_last_token() -> None:
    assert value(energy.OUTPUT) == pytest.approx(BUSY_W * 6 / 160)


def test_net_of_idle_takes_off_what_the_loaded_model_cost_before() -> None:
    assert Meter(COUNTED).idle_w == pytest.approx(IDLE_W)
    assert value(energy.OUTPUT_NET) == pytest.approx((BUSY_W - IDLE_W) * 6 / 160)


def test_the_prompts_energy_begins_when_loading_ends() -> None:
    assert value(energy.PROMPT) == pytest.approx(BUSY_W * 1 / 500)
    assert value(energy.PROMPT_NET) == pytest.approx((BUSY_W - IDLE_W) * 1 / 500)


def test_cached_tokens_cost_nothing_and_are_not_counted() -> None:
    raw = dataclasses.replace(SAMPLE.raw, prompt_eval_cached_count=400)
    assert value(energy.PROMPT, sample=dataclasses.replace(SAMPLE, raw=raw)) == pytest.approx(BUSY_W / 100)


def test_without_a_counter_power_is_integrated_and_called_so() -> None:
    telemetry = recording(gpu_0_power_w=power_at)
    metric, used = per_token(SAMPLE, Meter(telemetry), energy.OUTPUT)
    assert metric.value == pytest.approx(BUSY_W * 6 / 160)
    assert used.source == energy.INTEGRATED
    assert "integrating" in note_of([used])


def test_a_mean_power_is_the_last_resort_and_says_so() -> None:
    telemetry = recording(gpu_0_power_average_w=power_at)
    metric, used = per_token(SAMPLE, Meter(telemetry), energy.OUTPUT)
    assert metric.value == pytest.approx(BUSY_W * 6 / 160)
    assert used.source == energy.AVERAGED
    assert "only a mean over about a second is told" in note_of([used])
    both = recording(gpu_0_power_average_w=lambda t: 1.0, gpu_0_power_w=power_at)
    assert per_token(SAMPLE, Meter(both), energy.OUTPUT)[1].source == energy.INTEGRATED


def test_a_sum_over_gpus_is_called_by_its_least_exact_part() -> None:
    telemetry = recording(gpu_0_energy_mj=energy_mj_at, gpu_1_power_average_w=lambda t: 10.0)
    used = per_token(SAMPLE, Meter(telemetry), energy.OUTPUT)[1]
    assert (used.joules, used.source) == (pytest.approx((BUSY_W + 10) * 6), energy.AVERAGED)


def test_a_counter_that_began_anew_falls_back_to_power() -> None:
    telemetry = recording(gpu_0_energy_mj=lambda t: energy_mj_at(t) - (5e9 if t > 13 else 0), gpu_0_power_w=power_at)
    used = per_token(SAMPLE, Meter(telemetry), energy.OUTPUT)[1]
    assert (used.joules, used.source) == (pytest.approx(BUSY_W * 6), energy.INTEGRATED)


def test_all_gpus_count_together() -> None:
    telemetry = recording(gpu_0_energy_mj=energy_mj_at, gpu_1_energy_mj=lambda t: 1000 * 7.0 * t)
    assert value(energy.OUTPUT, telemetry) == pytest.approx((BUSY_W + 7.0) * 6 / 160)


def test_one_gpu_that_cannot_be_read_makes_the_sum_unknown() -> None:
    telemetry = recording(gpu_0_energy_mj=energy_mj_at, gpu_1_power_w=lambda t: None)
    metric, _ = per_token(SAMPLE, Meter(telemetry), energy.OUTPUT)
    assert (metric.value, metric.reason) == (None, energy.GAP)


def test_a_gap_in_the_readings_gives_no_number_and_not_a_made_up_one() -> None:
    telemetry = recording(gpu_0_power_w=lambda t: None if 12 < t < 14 else power_at(t))
    metric, _ = per_token(SAMPLE, Meter(telemetry), energy.OUTPUT)
    assert (metric.value, metric.reason) == (None, energy.GAP)


@pytest.mark.parametrize(
    ("telemetry", "reason"),
    [
        (None, energy.NO_TELEMETRY),
        (recording(False, gpu_0_energy_mj=energy_mj_at), energy.ELSEWHERE),
        (recording(None, gpu_0_energy_mj=energy_mj_at), energy.UNKNOWN_WHERE),
        (recording(cpu_percent=lambda t: 1.0), energy.NO_GPU),
    ],
)
def test_what_says_nothing_about_ollamas_energy_is_left_out_with_the_reason(telemetry: Any, reason: str) -> None:
    metric, _ = per_token(SAMPLE, Meter(telemetry), energy.OUTPUT)
    assert (metric.value, metric.reason) == (None, reason)


@pytest.mark.parametrize("placement", [None, Placement(1000, 0), Placement(1000, 900)])
def test_a_model_on_the_cpu_in_part_has_no_energy_per_token(placement: Placement | None) -> None:
    metric, _ = per_token(dataclasses.replace(SAMPLE, placement=placement), Meter(COUNTED), energy.OUTPUT)
    assert (metric.value, metric.reason) == (None, energy.ON_CPU)


def test_without_an_idle_phase_there_is_a_gross_number_and_no_net_one() -> None:
    telemetry = dataclasses.replace(COUNTED, phases=[])
    assert value(energy.OUTPUT, telemetry) is not None
    metric, _ = per_token(SAMPLE, Meter(telemetry), energy.OUTPUT_NET)
    assert (metric.value, metric.reason) == (None, energy.NO_IDLE)


def test_a_phase_under_five_seconds_is_marked_too_short_and_a_longer_one_is_not() -> None:
    meter = Meter(COUNTED)
    assert "too short: phases of 1.0 s" in note_of([per_token(SAMPLE, meter, energy.PROMPT)[1]])
    assert "too short" not in note_of([per_token(SAMPLE, meter, energy.OUTPUT)[1]])


def test_no_tokens_and_no_arrival_are_reasons() -> None:
    nothing = dataclasses.replace(SAMPLE, timing=Timing(start_s=9.0))
    assert per_token(nothing, Meter(COUNTED), energy.OUTPUT)[0].reason == "no token arrived"
    uncounted = dataclasses.replace(SAMPLE, raw=RawCounters())
    assert per_token(uncounted, Meter(COUNTED), energy.OUTPUT)[0].reason == "no output tokens were counted"


def test_every_metric_has_a_formula() -> None:
    assert {name for names in energy.APPLICABLE.values() for name in names} <= set(FORMULAS)
