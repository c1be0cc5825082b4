"""What Ollama does wrong: each ends as a named, kept, flagged failure, and never as an exception."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.obt_agent.contract import ResultBody
from agent.obt_agent.validity import is_valid
from agent.simulator.models import ModelSpec
from agent.simulator.server import SimulatedOllama

from .measuring import PP64, TG16, World, samples_of, the_one_that_failed
from .nasty import serving

FAST = ModelSpec("fast:1b", decode_tps=4000.0, prefill_tps=100_000.0, load_s=0.05)
MIDDLE = ModelSpec("middle:1b", decode_tps=40.0, prefill_tps=2000.0, load_s=0.05)


@pytest.fixture
def simulator() -> Iterator[SimulatedOllama]:
    with SimulatedOllama([FAST, MIDDLE]) as running:
        yield running


def run_with_fault(simulator: SimulatedOllama, folder: Path, kind: str, **details: Any) -> ResultBody:
    """A job of pp64, and tg16 with another setting; the fault is ordered when the first sample of pp64 is there."""
    job = World(simulator.url, "fast:1b", [PP64, dataclasses.replace(TG16, num_ctx=4096)], folder, stall_timeout_s=0.5)

    def order(event: dict[str, Any]) -> None:
        if event["cell"] == "pp64" and event["index"] == 0 and not event["warmup"]:
            simulator.add_fault(kind, **details)

    job.when["sample"] = order
    return job.run()


@pytest.mark.parametrize(
    ("kind", "details", "error", "words"),
    [
        ("cut", {"after_tokens": 0}, "ollama_died", "closed the connection"),
        ("error_line", {"after_tokens": 1, "message": "the runner fell over"}, "ollama_died", "the runner fell over"),
        ("hang", {"seconds": 30}, "ollama_stalled", "no data for "),
        ("load_failed", {}, "load_failed", "could not load the model"),
        ("out_of_memory", {}, "out_of_memory", "does not fit"),
        ("queue_full", {"times": None}, "server_busy", "busy"),
        ("status", {"times": None, "message": "on fire"}, "ollama_error", "on fire"),
        ("garbage", {"times": None}, "bad_response", "not JSON"),
    ],
)
def test_a_failure_ends_the_job_by_its_name_and_keeps_what_was_measured(
    simulator: SimulatedOllama, tmp_path: Path, kind: str, details: dict[str, Any], error: str, words: str
) -> None:
    result = run_with_fault(simulator, tmp_path, kind, **details)
    assert result.outcome == "failed"
    assert result.error is not None
    assert result.error.kind == error
    assert words in result.error.message
    first, *failed = samples_of(result, "pp64")
    assert is_valid(first)
    assert failed
    assert all(sample.error is not None and "error" in sample.flags for sample in failed)
    assert result.cells[0].stopped == result.error.message
    assert result.cells[1].skipped == "The job ended before this cell."
    assert result.environment is not None


@pytest.mark.parametrize(
    ("kind", "details", "flag"),
    [
        ("early_stop", {"after_tokens": 0}, "wrong_length"),
        ("wrong_counts", {"delta": 1}, "wrong_length"),
        ("no_done", {"after_tokens": 1}, "not_done"),
        ("status", {"message": "once only"}, "error"),
        ("garbage", {}, "error"),
    ],
)
def test_one_bad_sample_is_kept_and_flagged_and_taken_again(
    simulator: SimulatedOllama, tmp_path: Path, kind: str, details: dict[str, Any], flag: str
) -> None:
    result = run_with_fault(simulator, tmp_path, kind, **details)
    assert result.outcome == "succeeded"
    samples = samples_of(result, "pp64")
    assert flag in the_one_that_failed(samples).flags
    assert [sample.index for sample in samples] == list(range(len(samples)))
    assert len({sample.prompt.nonce for sample in samples if sample.prompt}) == len(samples)


def test_a_full_queue_is_waited_for(simulator: SimulatedOllama, tmp_path: Path) -> None:
    result = run_with_fault(simulator, tmp_path, "queue_full", times=2)
    assert result.outcome == "succeeded"
    assert all(is_valid(sample) for sample in samples_of(result, "pp64"))


def test_a_server_that_restarts_in_the_middle_has_died(simulator: SimulatedOllama, tmp_path: Path) -> None:
    result = run_with_fault(simulator, tmp_path, "restart", after_tokens=1, seconds=0.2)
    assert result.error is not None
    assert result.error.kind in {"ollama_died", "ollama_unreachable"}


def test_an_ollama_that_is_gone_is_unreachable_by_its_address(simulator: SimulatedOllama, tmp_path: Path) -> None:
    job = World(simulator.url, "fast:1b", [TG16], tmp_path)
    simulator.stop()
    result = job.run()
    assert result.outcome == "failed"
    assert result.error is not None
    assert result.error.kind == "ollama_unreachable"
    assert result.error.message == f"Ollama refused the connection at {simulator.url}"
    assert result.environment is None


def test_something_else_at_the_address_is_named(tmp_path: Path) -> None:
    with serving(lambda peer: peer.answer(b"<html>router</html>")) as url:
        result = World(url, "m:1b", [TG16], tmp_path, digest="d").run()
    assert result.error is not None
    assert result.error.kind == "ollama_unreachable"
    assert "is not Ollama" in result.error.message


def test_a_reload_by_somebody_elses_context_length_is_seen_and_taken_again(
    simulator: SimulatedOllama, tmp_path: Path
) -> None:
    from agent.obt_agent.ollama import OllamaClient, StreamLimits

    simulator.models.change("fast:1b", load_s=0.6)
    job = World(simulator.url, "fast:1b", [dataclasses.replace(TG16, repetitions=6)], tmp_path)
    body = {"model": "fast:1b", "prompt": "x", "options": {"num_ctx": 512, "num_predict": 1}}

    def disturb(event: dict[str, Any]) -> None:
        if event["index"] == 3:
            assert OllamaClient(simulator.url).generate(body, StreamLimits(10.0, 10.0)).error is None

    job.when["sample"] = disturb
    result = job.run()
    assert result.outcome == "succeeded"
    samples = samples_of(result, "tg16")
    assert [sample.flags for sample in samples] == [[], [], [], [], ["reloaded"], [], []]


# -- the budget ----------------------------------------------------------------------------------------------------


def test_a_short_budget_cuts_repetitions_and_skips_later_cells_and_says_so(
    simulator: SimulatedOllama, tmp_path: Path
) -> None:
    cells = [
        dataclasses.replace(TG16, repetitions=30),  # 0.4 s each
        dataclasses.replace(TG16, name="again", repetitions=30),
    ]
    job = World(simulator.url, "middle:1b", cells, tmp_path, budget_s=3.5)
    result = job.run()
    first, second = result.cells
    assert result.outcome == "succeeded"
    assert 3 <= len(samples_of(result, "tg16")) < 30
    assert "budget" in (first.stopped or "")
    assert (second.skipped or "").startswith("skipped: budget (needs about ")
    assert result.duration_s < 5
    assert job.of("sample")[-1]["done"] == len(first.samples)


def test_a_cell_that_fits_only_with_fewer_repetitions_goes_on_while_there_is_time(
    simulator: SimulatedOllama, tmp_path: Path
) -> None:
    cells = [
        dataclasses.replace(TG16, repetitions=1),
        dataclasses.replace(TG16, name="again", repetitions=30),
    ]
    result = World(simulator.url, "middle:1b", cells, tmp_path, budget_s=6.0).run()
    taken = len(samples_of(result, "again"))
    assert 3 <= taken < 30
    assert result.cells[1].stopped == f"budget: {taken} of 30 repetitions, the time for more was used up"
    assert result.duration_s < 7.5


def test_a_job_far_beyond_its_budget_is_timed_out_within_a_stream(simulator: SimulatedOllama, tmp_path: Path) -> None:
    endless = dataclasses.replace(TG16, name="endless", output_tokens=1500, repetitions=1, warmups=0)
    begun = time.monotonic()
    result = World(simulator.url, "middle:1b", [endless, TG16], tmp_path, budget_s=2.0).run()
    assert result.outcome == "timed_out"
    assert result.error is not None
    assert result.error.kind == "budget_exceeded"
    (sample,) = samples_of(result, "endless")
    assert sample.flags == ["error", "not_done"]
    assert len(sample.timing.chunk_ns) > 10
    assert (result.cells[1].skipped or "").startswith("skipped: budget")
    assert 3.0 <= time.monotonic() - begun < 6.0
