"""Whole jobs on the simulator: what is measured, in which order, and what is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.obt_agent import wire
from agent.obt_agent.contract import Event, PinnedOptions, ResultBody
from agent.obt_agent.metrics import derive
from agent.obt_agent.validity import is_valid
from agent.simulator.server import SimulatedOllama

from .measuring import (
    CHAT,
    CLOUD,
    EARLY,
    EMBEDS,
    FAST,
    LOAD,
    PP64,
    PP512,
    SLOW,
    TG16,
    TG128,
    samples_of,
    world,
)


@pytest.fixture
def simulator() -> Iterator[SimulatedOllama]:
    with SimulatedOllama([FAST, SLOW, EARLY, EMBEDS, CLOUD]) as running:
        yield running


def cells_of(result: ResultBody) -> list[str]:
    return [run.spec.name for run in result.cells]


def test_a_job_measures_every_cell_with_its_warmups_and_repetitions(simulator: SimulatedOllama, tmp_path: Path) -> None:
    result = world(simulator, tmp_path, LOAD, PP512, TG128, CHAT).run()
    assert (result.outcome, result.error) == ("succeeded", None)
    for spec in (LOAD, PP512, TG128, CHAT):
        measured = samples_of(result, spec.name)
        assert len(measured) == spec.repetitions
        assert all(is_valid(sample) for sample in measured)
        assert [sample.index for sample in measured] == list(range(spec.repetitions))
        assert {sample.raw.eval_count for sample in measured} == {spec.output_tokens}
        assert len(samples_of(result, spec.name, warmup=True)) >= spec.warmups


def test_the_result_passes_the_wire_contract_unchanged(simulator: SimulatedOllama, tmp_path: Path) -> None:
    result = world(simulator, tmp_path, LOAD, TG16).run()
    assert wire.decode(ResultBody, wire.loads(wire.dumps(result))) == result


def test_what_is_measured_is_what_the_simulator_simulates(simulator: SimulatedOllama, tmp_path: Path) -> None:
    result = world(simulator, tmp_path, dataclasses.replace(TG16, output_tokens=32), model="slow:1b").run()
    for sample in samples_of(result, "tg16"):
        derived = derive(sample, TG16)
        assert derived["decode_rate"].value == pytest.approx(60.0, rel=0.15)
        assert derived["itl"].value == pytest.approx(1000 / 60, rel=0.15)


def test_every_prompt_is_new_and_on_target(simulator: SimulatedOllama, tmp_path: Path) -> None:
    result = world(simulator, tmp_path, PP512, CHAT).run()
    samples = [sample for run in result.cells for sample in run.samples]
    assert len({sample.prompt.nonce for sample in samples if sample.prompt}) == len(samples)
    assert all(abs((sample.raw.prompt_eval_count or 0) - 512) <= 10 for sample in samples if not sample.warmup)


def test_every_request_pins_what_changes_speed(simulator: SimulatedOllama, tmp_path: Path) -> None:
    pinned = PinnedOptions(seed=7, num_thread=3)
    world(simulator, tmp_path, PP64, options=pinned).run()
    sent = [request for request in simulator.requests("/api/generate") if request["prompt_start"]]
    assert sent
    for body in sent:
        assert (body["raw"], body["think"], body["truncate"], body["stream"]) == (True, False, False, True)
        options = body["options"]
        assert (options["seed"], options["temperature"], options["repeat_penalty"]) == (7, 0.0, 1.0)
        assert (options["num_ctx"], options["num_thread"], options["stop"]) == (2048, 3, [])
        assert "num_gpu" not in options


def test_cells_of_one_context_length_run_together_and_loading_comes_first(
    simulator: SimulatedOllama, tmp_path: Path
) -> None:
    long = dataclasses.replace(PP64, name="long", num_ctx=4096, repetitions=1)
    cells = [dataclasses.replace(TG16, repetitions=1), long, dataclasses.replace(PP64, repetitions=1)]
    load = dataclasses.replace(LOAD, repetitions=1, num_ctx=2048)
    result = world(simulator, tmp_path, *cells, load).run()
    assert cells_of(result) == ["load", "tg16", "pp64", "long"]
    assert all(is_valid(sample) for run in result.cells for sample in run.samples if not sample.warmup)


def test_a_load_sample_waits_until_the_model_is_gone(simulator: SimulatedOllama, tmp_path: Path) -> None:
    result = world(simulator, tmp_path, LOAD).run()
    for sample in samples_of(result, "load"):
        assert (derive(sample, LOAD)["load_time"].value or 0) >= 0.05
    unloads = [one for one in simulator.requests("/api/generate") if one["keep_alive"] == 0]
    assert len(unloads) == 1 + 3 + 1  # warm-up, samples, and the goodbye


def test_the_environment_is_pinned_to_the_result(simulator: SimulatedOllama, tmp_path: Path) -> None:
    result = world(simulator, tmp_path).run()
    assert result.environment is not None
    assert result.environment.ollama.simulated
    assert result.environment.model.digest == FAST.digest
    assert result.environment.model.context_length == 8192
    assert result.environment.server.flash_attention is None


def test_the_telemetry_marks_each_sample(simulator: SimulatedOllama, tmp_path: Path) -> None:
    result = world(simulator, tmp_path, dataclasses.replace(LOAD, repetitions=1), TG16).run()
    assert result.telemetry is not None
    kinds = [(phase.cell, phase.kind) for phase in result.telemetry.phases]
    assert kinds == [("load", "warmup"), ("load", "load"), ("tg16", "warmup"), *[("tg16", "sample")] * 3]
    assert all(0 <= phase.start_s < phase.end_s <= result.duration_s for phase in result.telemetry.phases)


# -- what is told ------------------------------------------------------------------------------------------------


def test_progress_counts_to_its_total_and_every_event_fits_the_contract(
    simulator: SimulatedOllama, tmp_path: Path
) -> None:
    job = world(simulator, tmp_path, PP64, TG16)
    job.run()
    told = job.of("sample")
    assert [event["done"] for event in told] == list(range(1, 9))
    assert {event["total"] for event in told} == {8}
    assert told[-1]["remaining_s"] == 0.0
    assert [event["cell"] for event in job.of("cell")] == ["pp64", "tg16"]
    for event in job.events:
        wire.decode(Event, wire.encode({"seq": 1, "elapsed_s": 0.0, **event}))


def test_a_sample_is_told_with_its_headline(simulator: SimulatedOllama, tmp_path: Path) -> None:
    job = world(simulator, tmp_path)
    result = job.run()
    (first,) = [event for event in job.of("sample") if event["index"] == 0 and not event["warmup"]]
    expected = derive(samples_of(result, "tg16")[0], TG16)["decode_rate"]
    assert (first["metric"], first["value"], first["unit"]) == ("decode_rate", expected.value, "tok/s")
    assert (first["valid"], first["flags"], first["of"]) == (True, [], 3)


def test_a_running_stream_is_told_live_with_an_estimated_rate(simulator: SimulatedOllama, tmp_path: Path) -> None:
    long = dataclasses.replace(TG16, output_tokens=150, repetitions=1, warmups=0)
    job = world(simulator, tmp_path, long, model="slow:1b")
    job.run()
    live = [event for event in job.of("live") if event["value"] is not None]
    assert live
    assert live[-1]["estimated"]
    assert live[-1]["value"] == pytest.approx(60.0, rel=0.2)
    assert live[-1]["reading"].memory_total_bytes > 0
    assert (live[-1]["cell"], live[-1]["index"]) == ("tg16", 0)
