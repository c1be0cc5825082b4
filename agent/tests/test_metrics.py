"""Every formula against numbers worked out by hand, and every missing counter against becoming a number."""

from __future__ import annotations

import typing

import pytest

from agent.obt_agent import metrics
from agent.obt_agent.contract import CellSpec, Placement, RawCounters, Sample, Timing
from agent.obt_agent.engines import Engine, counts_uncached_only, engine_of

RAW = RawCounters(
    total_duration=2_000_000_000,
    load_duration=3_000_000,
    prompt_eval_count=512,
    prompt_eval_duration=640_000_000,
    eval_count=128,
    eval_duration=1_270_000_000,
    done=True,
    done_reason="length",
)
TIMING = Timing(
    start_s=1.0,
    ttft_ns=650_000_000,
    ttfo_ns=660_000_000,
    last_token_ns=1_920_000_000,
    e2e_ns=1_921_000_000,
    chunk_ns=[650_000_000, 660_000_000, 671_000_000, 683_000_000],
)


def cell(kind: str, output_tokens: int = 128) -> CellSpec:
    return CellSpec("cell", kind, 6, 1, 512, output_tokens, 4096)  # type: ignore[arg-type]


def sample(raw: RawCounters = RAW, placement: Placement | None = None) -> Sample:
    return Sample("cell", 0, False, raw, TIMING, placement=placement)


def test_decode_rate_leaves_out_the_first_token_whose_time_is_not_counted() -> None:
    assert metrics.decode_rate(128, 1_270_000_000).value == pytest.approx(127 / 1.27)


def test_decode_rate_counts_every_token_on_mlx_which_times_the_first_too() -> None:
    assert metrics.decode_rate(128, 1_280_000_000, Engine.MLX).value == pytest.approx(100.0)


def test_one_token_has_no_decode_rate_but_a_reason() -> None:
    metric = metrics.decode_rate(1, 5)
    assert metric.value is None
    assert "clock" in (metric.reason or "")


@pytest.mark.parametrize(("count", "duration"), [(None, 5), (5, None), (5, 0), (5, -3)])
def test_decode_rate_without_a_counter_is_missing_and_never_zero(count: int | None, duration: int | None) -> None:
    metric = metrics.decode_rate(count, duration)
    assert metric.value is None
    assert metric.reason


def test_prefill_rate_leaves_out_what_came_from_the_cache() -> None:
    assert metrics.prefill_rate(512, 640_000_000).value == pytest.approx(800.0)
    assert metrics.prefill_rate(512, 640_000_000, cached=256).value == pytest.approx(400.0)


def test_a_wholly_cached_prompt_has_no_prefill_rate() -> None:
    assert metrics.prefill_rate(512, 3_000_000, cached=512).value is None


@pytest.mark.parametrize(("count", "duration"), [(None, 5), (5, None), (5, 0)])
def test_prefill_rate_without_a_counter_is_missing(count: int | None, duration: int | None) -> None:
    assert metrics.prefill_rate(count, duration).value is None


def test_itl_divides_by_tokens_not_by_chunks() -> None:
    assert metrics.itl(650_000_000, 1_920_000_000, 128).value == pytest.approx(10.0)


@pytest.mark.parametrize(("first", "last", "tokens"), [(None, 5, 9), (1, 5, None), (1, 5, 1), (5, 5, 9)])
def test_itl_needs_two_tokens_seen_and_counted(first: int | None, last: int | None, tokens: int | None) -> None:
    assert metrics.itl(first, last, tokens).value is None


def test_icl_is_the_median_gap_between_chunks() -> None:
    assert metrics.icl(TIMING.chunk_ns).value == pytest.approx(11.0)
    assert metrics.icl([5]).value is None


def test_times_are_in_milliseconds_and_missing_when_nothing_arrived() -> None:
    assert metrics.ttft(650_000_000).value == pytest.approx(650.0)
    assert metrics.ttfo(None).value is None
    assert metrics.e2e_latency(None).reason == "the final message did not arrive"


def test_load_time_is_in_seconds() -> None:
    assert metrics.load_time(290_000_000).value == pytest.approx(0.29)
    assert metrics.load_time(None).value is None


def test_output_throughput_is_over_the_makespan_of_all() -> None:
    assert metrics.output_throughput([128, 128, 128, 128], 4_000_000_000).value == pytest.approx(128.0)


def test_output_throughput_is_missing_when_one_request_has_no_count() -> None:
    assert metrics.output_throughput([128, None], 4_000_000_000).value is None
    assert metrics.output_throughput([], 4_000_000_000).value is None
    assert metrics.output_throughput([1], 0).value is None


def test_goodput_counts_only_requests_that_met_every_limit() -> None:
    assert metrics.goodput([True, False, True], 2_000_000_000).value == pytest.approx(1.0)
    assert metrics.goodput([False], 2_000_000_000).value == 0.0
    assert metrics.goodput([True], None).value is None


def test_gpu_share_of_a_model_in_main_memory_is_a_true_zero_and_unknown_is_missing() -> None:
    assert metrics.gpu_share(1000, 0).value == 0.0
    assert metrics.gpu_share(1000, 250).value == pytest.approx(25.0)
    assert metrics.gpu_share(1000, None).value is None
    assert metrics.gpu_share(None, 10).value is None


def test_energy_per_token_can_be_gross_or_net_of_idle() -> None:
    assert metrics.energy_per_output_token(640.0, 128).value == pytest.approx(5.0)
    assert metrics.energy_per_output_token(640.0, 128, idle_w=25.6, phase_s=10).value == pytest.approx(3.0)
    assert metrics.energy_per_output_token(None, 128).value is None
    assert metrics.energy_per_output_token(640.0, 0).value is None


def test_a_prefill_cell_publishes_no_decode_rate() -> None:
    assert set(metrics.derive(sample(), cell("prefill", 1))) == {"prefill_rate", "ttft", "e2e_latency", "gpu_share"}


def test_a_load_cell_publishes_its_load_time_and_no_ttft() -> None:
    derived = metrics.derive(sample(), cell("load", 1))
    assert derived["load_time"].value == pytest.approx(0.003)
    assert "ttft" not in derived


def test_a_chat_cell_publishes_everything_a_person_feels() -> None:
    derived = metrics.derive(sample(placement=Placement(100, 50)), cell("chat"))
    assert derived["ttft"].value == pytest.approx(650.0)
    assert derived["decode_rate"].value == pytest.approx(100.0)
    assert derived["gpu_share"].value == pytest.approx(50.0)
    assert all(metric.value is not None for metric in derived.values())


def test_every_metric_of_an_empty_sample_is_missing_with_a_reason() -> None:
    empty = Sample("cell", 0, False, RawCounters(), Timing(start_s=0.0))
    for kind in metrics.APPLICABLE:
        for metric in metrics.derive(empty, cell(kind)).values():
            assert metric.value is None
            assert metric.reason


def test_ollama_0_30_0_counts_only_uncached_tokens_so_nothing_is_taken_off() -> None:
    raw = RawCounters(prompt_eval_count=100, prompt_eval_cached_count=50, prompt_eval_duration=10**9)
    assert metrics.derive(sample(raw), cell("prefill"))["prefill_rate"].value == pytest.approx(50.0)
    uncached = metrics.derive(sample(raw), cell("prefill"), count_is_uncached=True)
    assert uncached["prefill_rate"].value == pytest.approx(100.0)


def test_a_fixed_prompt_publishes_what_a_chat_does() -> None:
    assert metrics.APPLICABLE["prompt"] == metrics.APPLICABLE["chat"]
    assert metrics.HEADLINE["prompt"] == "ttft"


def test_every_kind_of_cell_has_a_headline_with_a_formula() -> None:
    kinds = set(typing.get_args(typing.get_type_hints(CellSpec)["kind"]))
    assert set(metrics.HEADLINE) == set(metrics.APPLICABLE) == kinds
    published = {name for names in metrics.APPLICABLE.values() for name in names}
    assert published | set(metrics.HEADLINE.values()) <= set(metrics.FORMULAS)


@pytest.mark.parametrize(
    ("version", "model_format", "engine"),
    [
        ("0.3.14", "gguf", Engine.CPP_SERVER),
        ("0.4.0", "gguf", Engine.GO_RUNNER),
        ("0.24.0-obt-simulator", "gguf", Engine.GO_RUNNER),
        ("0.30.0", "gguf", Engine.LLAMA_SERVER),
        ("v0.33.0-rc2", "safetensors", Engine.MLX),
        ("0.24.0", "safetensors", Engine.MLX),
        ("", "gguf", Engine.GO_RUNNER),
        ("nightly", None, Engine.GO_RUNNER),
    ],
)
def test_the_engine_is_told_from_version_and_format(version: str, model_format: str | None, engine: Engine) -> None:
    assert engine_of(version, model_format) is engine


def test_only_0_30_0_counts_uncached_tokens_alone() -> None:
    counting = [version for version in ("0.24.0", "0.30.0", "0.30.1", "0.33.3") if counts_uncached_only(version)]
    assert counting == ["0.30.0"]
