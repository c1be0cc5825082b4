"""On the simulator: rounds in turn, sweeps, adaptive repetitions, fixed prompts, limits, and what is predicted."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.obt_agent import wire
from agent.obt_agent.cancel import CANCELLED, Released
from agent.obt_agent.contract import CellSpec, PinnedOptions, ResultBody, Slo
from agent.obt_agent.prompts import fixed_prompt
from agent.obt_agent.rounds import round_metrics, rounds_of
from agent.obt_agent.server_settings import SETTINGS
from agent.obt_agent.validity import is_valid
from agent.simulator.models import ModelSpec
from agent.simulator.server import SimulatedOllama

from .measuring import FAST, LOAD, PP64, SLOW, TG16, World, load, samples_of, world

BRIEF = ModelSpec("brief:1b", decode_tps=4000.0, prefill_tps=100_000.0, load_s=0.05, end_probability=0.1)
SEES = ModelSpec("sees:1b", capabilities=("vision",))
C2 = CellSpec("c2", "concurrency", 3, 1, prompt_tokens=64, output_tokens=16, num_ctx=2048, concurrency=2)
TEXT = "Write a short poem about the sea, and then say what it means.\n" * 4
POEM = CellSpec("prompt-poem/64", "prompt", 3, 1, prompt_tokens=0, output_tokens=64, num_ctx=2048, text=TEXT)


@pytest.fixture
def simulator() -> Iterator[SimulatedOllama]:
    with SimulatedOllama([FAST, SLOW, BRIEF, SEES], parallel=2) as running:
        yield running


def in_time(result: ResultBody) -> list[str]:
    """The cells of all measured rounds in the order they began."""
    begun = {
        (sample.cell, sample.index): sample.timing.start_s
        for run in result.cells
        for sample in run.samples
        if not sample.warmup
    }
    return [cell for cell, _ in sorted(begun, key=lambda one: begun[one])]


# -- in turn -----------------------------------------------------------------------------------------------------


def test_rounds_of_a_setting_alternate_and_their_beginnings_record_it(
    simulator: SimulatedOllama, tmp_path: Path
) -> None:
    load_cell = dataclasses.replace(LOAD, num_ctx=2048, repetitions=2)
    result = world(simulator, tmp_path, TG16, C2, PP64, load_cell).run()
    turn = ["tg16", "c2", "pp64"]
    assert in_time(result) == ["load", "load", *turn, *reversed(turn), *turn]
    assert [run.spec.name for run in result.cells] == ["load", *turn]
    assert all(is_valid(sample) for run in result.cells for sample in run.samples if not sample.warmup)


def test_all_warmups_of_a_setting_come_before_its_first_measured_round(
    simulator: SimulatedOllama, tmp_path: Path
) -> None:
    job = world(simulator, tmp_path, TG16, PP64)
    job.run()
    warmups = [event["warmup"] for event in job.of("sample")]
    assert warmups[:2] == [True, True]
    assert not any(warmups[2:])
    assert len(warmups[2:]) >= 6  # a busy machine may leave one out and take another


def test_what_was_expected_and_what_it_took_is_in_the_result(simulator: SimulatedOllama, tmp_path: Path) -> None:
    tg = dataclasses.replace(TG16, output_tokens=32)
    result = world(simulator, tmp_path, tg, model="slow:1b").run()
    (run,) = result.cells
    one_s = 32 / 5000 + 31 / 60
    assert run.expected_s == pytest.approx(4 * one_s, rel=0.3)
    assert run.took_s == pytest.approx(4 * one_s, rel=0.3)
    assert wire.decode(ResultBody, wire.loads(wire.dumps(result))) == result


def test_the_suite_and_the_engine_are_pinned_to_the_result(simulator: SimulatedOllama, tmp_path: Path) -> None:
    result = world(simulator, tmp_path, TG16, suite_version="standard@2").run()
    found = result.environment
    assert found is not None
    assert (found.suite, found.suite_version, found.engine) == ("s", "standard@2", "go-runner")
    assert found.power_source is not None or "power_source" in found.missing
    assert found.cpu_governor is not None or "cpu_governor" in found.missing
    assert {name for name in SETTINGS if getattr(found.server, name) is None} <= set(found.missing)
    assert found.server.flash_attention is None  # no command line of a runner to read it from


# -- sweeps ------------------------------------------------------------------------------------------------------


def test_a_sweep_loads_the_model_once_for_each_value(simulator: SimulatedOllama, tmp_path: Path) -> None:
    cells = [
        dataclasses.replace(each, name=f"{each.name}[num_thread={threads}]", num_thread=threads)
        for each in (TG16, PP64)
        for threads in (2, 4)
    ]
    result = world(simulator, tmp_path, *cells, options=PinnedOptions(num_thread=8)).run()
    assert result.outcome == "succeeded"
    assert all(is_valid(sample) for run in result.cells for sample in run.samples if not sample.warmup)
    sent = [body["options"] for body in simulator.requests("/api/generate") if body["prompt_start"]]
    assert [threads for threads, _ in itertools.groupby(one["num_thread"] for one in sent)] == [2, 4]
    assert [run.spec.name for run in result.cells] == [
        "tg16[num_thread=2]", "pp64[num_thread=2]", "tg16[num_thread=4]", "pp64[num_thread=4]",
    ]  # fmt: skip


def shares_of(result: ResultBody, cell: str) -> set[bool]:
    """Whether its samples had the model in GPU memory."""
    return {bool(sample.placement and sample.placement.size_vram_bytes) for sample in samples_of(result, cell)}


def test_layers_that_were_asked_for_before_are_not_inherited(simulator: SimulatedOllama, tmp_path: Path) -> None:
    on_cpu = dataclasses.replace(TG16, name="tg16[num_gpu=0]", num_gpu=0)
    result = world(simulator, tmp_path, on_cpu, TG16).run()
    assert shares_of(result, "tg16[num_gpu=0]") == {False}
    assert shares_of(result, "tg16") == {True}


def test_layers_that_somebody_else_asked_for_are_not_inherited(simulator: SimulatedOllama, tmp_path: Path) -> None:
    job = world(simulator, tmp_path, TG16)
    options = {"num_predict": 1, "num_ctx": 2048, "num_gpu": 0}
    load(simulator, "fast:1b", options)
    assert shares_of(job.run(), "tg16") == {True}


def test_only_the_setting_that_is_slow_gets_the_short_variant(tmp_path: Path) -> None:
    # The simulator decodes at 0.3 of the speed without a GPU.
    crawls = ModelSpec("crawls:1b", decode_tps=6.5, prefill_tps=4000.0, load_s=0.05)
    with SimulatedOllama([crawls]) as simulator:
        tg = dataclasses.replace(TG16, name="tg33", output_tokens=33, repetitions=1, warmups=0)
        on_cpu = dataclasses.replace(tg, name="tg33[num_gpu=0]", num_gpu=0)
        job = world(simulator, tmp_path, tg, on_cpu, model="crawls:1b")
        job.when["cell"] = lambda event: event["cell"] == "tg32[num_gpu=0]" and job.cancel.set(CANCELLED)
        result = job.run()
    assert [run.spec.name for run in result.cells] == ["tg33", "tg33[num_gpu=0]", "tg32[num_gpu=0]"]
    assert [len(run.samples) for run in result.cells] == [1, 0, 0]
    assert "tg32[num_gpu=0] was measured instead" in (result.cells[1].skipped or "")


# -- adaptive repetitions ----------------------------------------------------------------------------------------


def test_an_adaptive_cell_says_why_it_ended(simulator: SimulatedOllama, tmp_path: Path) -> None:
    tg = dataclasses.replace(TG16, repetitions=6, max_repetitions=15)
    result = world(simulator, tmp_path, tg, dataclasses.replace(PP64, repetitions=2), model="slow:1b").run()
    taken = len(samples_of(result, "tg16"))
    assert 6 <= taken <= 15
    assert (result.cells[0].stopped or "").startswith("precise: " if taken < 15 else ("precise: ", "enough: "))
    assert result.cells[1].stopped is None


def test_a_cell_that_cannot_become_precise_ends_at_its_most(simulator: SimulatedOllama, tmp_path: Path) -> None:
    tg = dataclasses.replace(TG16, repetitions=2, max_repetitions=5)  # five values have no interval
    job = world(simulator, tmp_path, tg)
    result = job.run()
    told = [(event["index"], event["of"]) for event in job.of("sample") if not event["warmup"]]
    assert told == [(0, 2), (1, 2), (2, 5), (3, 5), (4, 5)]
    assert len(samples_of(result, "tg16")) == 5
    assert (result.cells[0].stopped or "").startswith("enough: 5 repetitions are the most, there is no interval")


def test_an_adaptive_cell_stops_when_the_time_is_used_up(simulator: SimulatedOllama, tmp_path: Path) -> None:
    tg = dataclasses.replace(TG16, repetitions=2, max_repetitions=100, output_tokens=32)  # 0.5 s each
    result = world(simulator, tmp_path, tg, model="slow:1b", budget_s=4.0).run()
    assert 2 < len(samples_of(result, "tg16")) < 10
    assert (result.cells[0].stopped or "").startswith("budget: no time for more than ")
    assert result.duration_s < 5.0


def test_repetitions_beyond_the_planned_are_kept_through_a_restart(simulator: SimulatedOllama, tmp_path: Path) -> None:
    tg = dataclasses.replace(TG16, repetitions=2, max_repetitions=5)
    job = world(simulator, tmp_path, tg)

    def finish(event: dict[str, Any]) -> None:
        if event["index"] == 3:
            job.cancel.finish_soon()

    job.when["sample"] = finish
    with pytest.raises(Released):
        job.run()
    again = world(simulator, tmp_path, tg)
    again.store = again.spool.store(again.offer)
    result = again.run()
    assert [sample.index for sample in samples_of(result, "tg16")] == [0, 1, 2, 3, 4]
    assert (result.cells[0].stopped or "").startswith("enough: 5")


# -- fixed prompts -----------------------------------------------------------------------------------------------


def test_a_fixed_prompt_is_sent_as_it_is_behind_a_fresh_nonce() -> None:
    one, other = fixed_prompt(TEXT), fixed_prompt(TEXT)
    assert one.nonce != other.nonce
    assert one.text == f"{one.nonce}\n{TEXT}"
    assert one.described(0).characters == len(TEXT) + 17


def test_a_fixed_prompt_counts_at_the_answers_own_length(simulator: SimulatedOllama, tmp_path: Path) -> None:
    result = world(simulator, tmp_path, POEM).run()
    assert result.outcome == "succeeded"
    samples = samples_of(result, POEM.name)
    assert all(is_valid(sample) for sample in samples)
    assert {sample.prompt.target_tokens for sample in samples if sample.prompt} == {0}
    assert len({sample.prompt.nonce for sample in samples if sample.prompt}) == 3
    (one,) = rounds_of(samples[:1], POEM)
    assert {"ttft", "itl", "e2e_latency", "decode_rate", "prefill_rate"} <= set(round_metrics(one, POEM))
    sent = [body for body in simulator.requests("/api/generate") if (body["options"] or {}).get("num_predict") == 64]
    assert len(sent) == 4
    assert all(body["raw"] and body["prompt_start"][16:].startswith("\nWrite a") for body in sent)


def test_an_answer_that_ends_by_itself_counts_to_a_fixed_prompt(simulator: SimulatedOllama, tmp_path: Path) -> None:
    result = world(simulator, tmp_path, dataclasses.replace(POEM, repetitions=6), model="brief:1b").run()
    samples = samples_of(result, POEM.name)
    short = [sample for sample in samples if sample.raw.done_reason == "stop" and (sample.raw.eval_count or 0) >= 2]
    assert short
    assert all(is_valid(sample) for sample in short)
    assert all("wrong_length" in sample.flags for sample in samples if (sample.raw.eval_count or 0) < 2)


def test_a_fixed_prompt_teaches_nothing_of_how_other_prompts_are_counted(
    simulator: SimulatedOllama, tmp_path: Path
) -> None:
    odd = dataclasses.replace(POEM, text="1 2 3 4 5 6 7 8 9 " * 20)
    result = world(simulator, tmp_path, odd, dataclasses.replace(PP64, prompt_tokens=512)).run()
    assert all(is_valid(sample) for sample in samples_of(result, "pp64"))


# -- limits ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ttft_ms", "share"), [(60_000.0, 1.0), (0.001, 0.0)])
def test_goodput_counts_the_requests_within_the_limits(
    simulator: SimulatedOllama, tmp_path: Path, ttft_ms: float, share: float
) -> None:
    spec = dataclasses.replace(C2, slo=Slo(ttft_ms=ttft_ms), repetitions=1)
    result = world(simulator, tmp_path, spec, model="slow:1b").run()
    (run,) = result.cells
    (one,) = [one for one in rounds_of(run.samples, run.spec) if not one.warmup]
    found = round_metrics(one, run.spec)
    throughput = found["output_throughput"].value
    assert throughput
    assert found["goodput"].value == pytest.approx(share * throughput / 16)


# -- models that cannot be measured ------------------------------------------------------------------------------


def test_a_model_that_only_sees_is_refused_by_name(simulator: SimulatedOllama, tmp_path: Path) -> None:
    result = World(simulator.url, "sees:1b", [TG16], tmp_path).run()
    assert result.outcome == "failed"
    assert result.error is not None
    assert result.error.kind == "model_unsuitable"
    assert result.error.message == "The model sees:1b neither generates text nor embeds: it has vision."
    assert simulator.requests("/api/generate") == []
