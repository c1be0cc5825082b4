"""Stopping a job in the middle, and going on after a restart."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.obt_agent.cancel import ABORT, CANCELLED, Released
from agent.obt_agent.ollama import OllamaClient
from agent.simulator.server import SimulatedOllama

from .measuring import (
    CLOUD,
    EARLY,
    EMBEDS,
    FAST,
    PP64,
    SLOW,
    TG16,
    samples_of,
    world,
)


@pytest.fixture
def simulator() -> Iterator[SimulatedOllama]:
    with SimulatedOllama([FAST, SLOW, EARLY, EMBEDS, CLOUD]) as running:
        yield running


def test_cancelling_ends_the_job_within_a_stream_and_keeps_what_was_measured(
    simulator: SimulatedOllama, tmp_path: Path
) -> None:
    endless = dataclasses.replace(TG16, name="long", output_tokens=1500, num_ctx=4096)
    job = world(simulator, tmp_path, TG16, endless, model="slow:1b")
    job.when["live"] = lambda event: event["cell"] == "long" and job.cancel.set(CANCELLED)
    result = job.run()
    assert (result.outcome, result.error) == ("cancelled", None)
    assert len(samples_of(result, "tg16")) == 3
    assert samples_of(result, "long") == []
    assert [run.stopped for run in result.cells] == [None, "The job was cancelled."]
    assert OllamaClient(simulator.url).ps() == []


def test_a_job_cancelled_before_it_began_asks_ollama_for_nothing(simulator: SimulatedOllama, tmp_path: Path) -> None:
    job = world(simulator, tmp_path)
    job.cancel.set(CANCELLED)
    result = job.run()
    assert result.outcome == "cancelled"
    assert result.cells[0].skipped == "The job ended before this cell."
    assert simulator.requests() == []


def test_an_abort_leaves_the_model_alone(simulator: SimulatedOllama, tmp_path: Path) -> None:
    job = world(simulator, tmp_path)
    job.when["sample"] = lambda event: job.cancel.set(ABORT)
    job.run()
    assert len(OllamaClient(simulator.url).ps()) == 1


def test_finishing_releases_after_the_sample_and_a_restart_goes_on_from_there(
    simulator: SimulatedOllama, tmp_path: Path
) -> None:
    job = world(simulator, tmp_path, PP64, TG16)
    job.when["sample"] = lambda event: (
        event["cell"] == "tg16" and event["valid"] and event["index"] == 1 and job.cancel.finish_soon()
    )
    with pytest.raises(Released):
        job.run()
    kept = [sample for sample in job.store.samples() if not sample.warmup]
    assert [(sample.cell, sample.index) for sample in kept] == [
        *[("pp64", 0), ("tg16", 0)],
        *[("tg16", 1)],
    ]

    again = world(simulator, tmp_path, PP64, TG16)
    again.store = again.spool.store(again.offer)
    result = again.run()
    assert result.outcome == "succeeded"
    for cell in ("pp64", "tg16"):
        assert [sample.index for sample in samples_of(result, cell)] == [0, 1, 2]
        assert len(samples_of(result, cell, warmup=True)) == 2
    assert [*samples_of(result, "pp64")[:1], *samples_of(result, "tg16")[:2]] == kept
    assert [event["cell"] for event in again.of("cell")] == ["pp64", "tg16"]


def test_a_cell_that_was_complete_before_a_restart_is_not_touched_again(
    simulator: SimulatedOllama, tmp_path: Path
) -> None:
    later = dataclasses.replace(TG16, num_ctx=4096)
    job = world(simulator, tmp_path, PP64, later)
    job.when["sample"] = lambda event: event["cell"] == "tg16" and job.cancel.finish_soon()
    with pytest.raises(Released):
        job.run()
    again = world(simulator, tmp_path, PP64, later)
    again.store = again.spool.store(again.offer)
    result = again.run()
    assert [event["cell"] for event in again.of("cell")] == ["tg16"]
    assert len(samples_of(result, "pp64", warmup=True)) == 1
    assert [run.stopped for run in result.cells] == [None, None]
    assert {request["options"]["num_ctx"] for request in simulator.requests("/api/generate")[-4:-1]} == {4096}
