"""Models that cannot be measured, cells that cannot be, and other models in memory."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.obt_agent import measure_memory
from agent.obt_agent.cancel import CANCELLED, Cancel
from agent.obt_agent.ollama import OllamaClient, StreamLimits
from agent.simulator.server import SimulatedOllama

from .measuring import (
    CLOUD,
    EARLY,
    EMBEDS,
    FAST,
    PP64,
    SLOW,
    TG16,
    TG128,
    error_kind,
    load,
    samples_of,
    world,
)


@pytest.fixture
def simulator() -> Iterator[SimulatedOllama]:
    with SimulatedOllama([FAST, SLOW, EARLY, EMBEDS, CLOUD]) as running:
        yield running


def test_a_model_that_was_deleted_is_missing(simulator: SimulatedOllama, tmp_path: Path) -> None:
    job = world(simulator, tmp_path)
    simulator.models.remove("fast:1b")
    result = job.run()
    assert error_kind(result) == "model_missing"
    assert result.environment is None


def test_another_model_behind_the_same_name_has_changed(simulator: SimulatedOllama, tmp_path: Path) -> None:
    job = world(simulator, tmp_path)
    simulator.models.change("fast:1b")
    result = job.run()
    assert error_kind(result) == "model_changed"
    assert FAST.digest[:12] in (result.error.message if result.error else "")


def test_a_cloud_model_is_never_measured(simulator: SimulatedOllama, tmp_path: Path) -> None:
    assert error_kind(world(simulator, tmp_path, model="big:cloud").run()) == "model_remote"
    assert simulator.requests("/api/generate") == []


def test_a_model_that_only_embeds_is_unsuitable_for_text(simulator: SimulatedOllama, tmp_path: Path) -> None:
    result = world(simulator, tmp_path, model="embeds:1b").run()
    assert error_kind(result) == "model_unsuitable"
    assert "does not offer completion" in (result.cells[0].skipped or "")


def test_cells_that_cannot_be_are_skipped_with_a_sentence_and_the_others_run(
    simulator: SimulatedOllama, tmp_path: Path
) -> None:
    too_long = dataclasses.replace(PP64, name="long", num_ctx=16_384)
    too_full = dataclasses.replace(PP64, name="full", prompt_tokens=2048)
    unknown = dataclasses.replace(PP64, name="dream", kind="dream")
    job = world(simulator, tmp_path, too_long, too_full, unknown, TG16)
    result = job.run()
    skipped = {run.spec.name: run.skipped for run in result.cells}
    assert result.outcome == "succeeded"
    assert skipped["long"] == "The cell needs a context of 16384 tokens; the model has 8192."
    assert skipped["full"] == "Prompt and answer together have 2049 tokens, more than the context of 2048."
    assert "cannot measure cells of the kind dream" in (skipped["dream"] or "")
    assert [run.spec.name for run in result.cells] == ["long", "full", "dream", "tg16"]
    assert skipped["tg16"] is None
    assert len(job.of("note")) == 3


def test_a_model_that_stops_early_gives_up_after_three_tries_and_says_why(
    simulator: SimulatedOllama, tmp_path: Path
) -> None:
    result = world(simulator, tmp_path, TG128, model="early:1b").run()
    assert error_kind(result) == "no_valid_samples"
    (run,) = result.cells
    assert len(samples_of(result, "tg128")) == 3
    assert all("wrong_length" in sample.flags for sample in samples_of(result, "tg128"))
    assert "the asked number of tokens" in (run.stopped or "")


def test_a_model_that_was_not_loaded_before_is_unloaded_and_one_that_was_stays(
    simulator: SimulatedOllama, tmp_path: Path
) -> None:
    client = OllamaClient(simulator.url)
    world(simulator, tmp_path).run()
    assert client.ps() == []
    load(simulator, "fast:1b")
    again = world(simulator, tmp_path / "again")
    assert again.run().outcome == "succeeded"
    assert [model.name for model in client.ps()] == ["fast:1b"]


def test_other_models_are_unloaded_first_and_it_is_said(simulator: SimulatedOllama, tmp_path: Path) -> None:
    load(simulator, "slow:1b")
    job = world(simulator, tmp_path)
    result = job.run()
    assert result.outcome == "succeeded"
    assert {sample.loaded_models for sample in samples_of(result, "tg16")} == {1}
    assert job.of("note")[0]["text"].endswith("for the measured model alone: slow:1b.")


def test_samples_beside_a_model_that_somebody_loads_meanwhile_do_not_count(
    simulator: SimulatedOllama, tmp_path: Path
) -> None:
    job = world(simulator, tmp_path)
    job.when["sample"] = lambda event: event["index"] == 1 and load(simulator, "slow:1b")
    result = job.run()
    flags = [sample.flags for sample in samples_of(result, "tg16")]
    assert flags == [[], [], *[["other_model_loaded"]] * 3]
    assert "Another model was loaded" in (result.cells[0].stopped or "")


def test_a_busy_other_model_is_waited_for_only_so_long(
    simulator: SimulatedOllama, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure_memory, "OTHERS_GONE_TIMEOUT_S", 0.2)
    body = {"model": "slow:1b", "prompt": "hello", "options": {"num_predict": 600}}
    stop = Cancel()
    somebody = threading.Thread(
        target=OllamaClient(simulator.url).generate, args=(body, StreamLimits(10.0, 10.0), stop)
    )
    somebody.start()
    deadline = time.monotonic() + 5
    while not OllamaClient(simulator.url).ps() and time.monotonic() < deadline:
        time.sleep(0.01)
    job = world(simulator, tmp_path)
    result = job.run()
    stop.set(CANCELLED)
    somebody.join()
    assert error_kind(result) == "no_valid_samples"
    assert job.of("note")[0]["text"].startswith("Still in use beside the measured model: slow:1b.")
