"""The standard suite's cells on the simulator: depth, several requests at once, embeddings, and the budget's plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.obt_agent import wire
from agent.obt_agent.cancel import CANCELLED
from agent.obt_agent.cells_embed import batch_of, nonce_of
from agent.obt_agent.contract import CellSpec, Event, ResultBody
from agent.obt_agent.prompts import write_prompt
from agent.obt_agent.rounds import Round, round_metrics, rounds_of
from agent.obt_agent.validity import is_valid
from agent.simulator.models import ModelSpec
from agent.simulator.server import SimulatedOllama

from .measuring import EMBEDS, FAST, LOAD, PP64, PP512, SLOW, TG16, TG128, samples_of, world

CRAWLS = ModelSpec("crawls:70b", decode_tps=1.5, prefill_tps=4000.0, load_s=0.05)
PONDERS = ModelSpec("ponders:1b", prefill_tps=400.0, load_s=0.05, capabilities=("embedding",))
AT_DEPTH = dataclasses.replace(TG16, name="tg16@1024", prompt_tokens=0, depth=1024)
C3 = CellSpec("c3", "concurrency", 3, 1, prompt_tokens=128, output_tokens=16, num_ctx=2048, concurrency=3)
EMBED = CellSpec("embed64x4", "embed", 3, 1, prompt_tokens=64, output_tokens=0, num_ctx=512, batch=4)


@pytest.fixture
def simulator() -> Iterator[SimulatedOllama]:
    with SimulatedOllama([FAST, SLOW, EMBEDS, PONDERS, CRAWLS]) as running:
        yield running


@pytest.fixture
def parallel() -> Iterator[SimulatedOllama]:
    with SimulatedOllama([FAST, SLOW], parallel=3) as running:
        yield running


def rounds(result: ResultBody, spec: CellSpec) -> list[Round]:
    (run,) = [run for run in result.cells if run.spec.name == spec.name]
    return [one for one in rounds_of(run.samples, run.spec) if not one.warmup]


def of(result: ResultBody, spec: CellSpec, metric: str) -> list[float | None]:
    return [round_metrics(one, spec)[metric].value for one in rounds(result, spec)]


def test_decoding_at_a_depth_has_that_many_tokens_before_it(simulator: SimulatedOllama, tmp_path: Path) -> None:
    result = world(simulator, tmp_path, AT_DEPTH).run()
    assert all(is_valid(sample) for sample in samples_of(result, "tg16@1024"))
    assert all(abs((sample.raw.prompt_eval_count or 0) - 1024) <= 20 for sample in samples_of(result, "tg16@1024"))


# -- several requests at once ------------------------------------------------------------------------------------


def test_a_round_is_all_requests_with_their_slots_and_prompts_of_their_own(
    parallel: SimulatedOllama, tmp_path: Path
) -> None:
    result = world(parallel, tmp_path, C3).run()
    found = rounds(result, C3)
    assert result.outcome == "succeeded"
    assert [[sample.slot for sample in one.samples] for one in found] == [[0, 1, 2]] * 3
    assert all(one.valid for one in found)
    assert len({sample.prompt.nonce for sample in samples_of(result, "c3") if sample.prompt}) == 9
    starts = [[sample.timing.start_s for sample in one.samples] for one in found]
    assert all(max(each) - min(each) < 0.2 for each in starts)
    assert wire.decode(ResultBody, wire.loads(wire.dumps(result))) == result


def test_a_server_with_as_many_slots_runs_them_at_the_same_time(parallel: SimulatedOllama, tmp_path: Path) -> None:
    result = world(parallel, tmp_path, C3, model="slow:1b").run()
    assert of(result, C3, "observed_parallelism") == [3, 3, 3]


def test_a_server_with_one_slot_queues_and_nothing_calls_that_parallel(
    simulator: SimulatedOllama, tmp_path: Path
) -> None:
    result = world(simulator, tmp_path, C3, model="slow:1b").run()
    assert of(result, C3, "observed_parallelism") == [1, 1, 1]
    one_s = 128 / 5000 + 16 / 60
    assert all((spread or 0) / 1000 == pytest.approx(2 * one_s, rel=0.3) for spread in of(result, C3, "ttft_spread"))
    assert all(rate == pytest.approx(16 / one_s, rel=0.3) for rate in of(result, C3, "output_throughput"))
    assert all((waited or 0) > 100 for waited in of(result, C3, "queueing"))


def test_progress_counts_a_round_as_one_and_tells_its_throughput(parallel: SimulatedOllama, tmp_path: Path) -> None:
    job = world(parallel, tmp_path, C3)
    job.run()
    told = job.of("sample")
    assert [event["done"] for event in told] == [1, 2, 3, 4]
    assert {event["total"] for event in told} == {4}
    assert {(event["metric"], event["unit"]) for event in told} == {("output_throughput", "tok/s")}
    for event in job.events:
        wire.decode(Event, wire.encode({"seq": 1, "elapsed_s": 0.0, **event}))


def test_cancelling_stops_every_request_of_a_round(simulator: SimulatedOllama, tmp_path: Path) -> None:
    endless = dataclasses.replace(C3, output_tokens=1500, warmups=0)
    job = world(simulator, tmp_path, endless, model="slow:1b")
    job.when["live"] = lambda event: event["cell"] == "c3" and job.cancel.set(CANCELLED)
    result = job.run()
    assert result.outcome == "cancelled"
    assert result.duration_s < 10
    assert samples_of(result, "c3") == []


def test_after_a_restart_a_round_that_was_cut_off_is_measured_again(parallel: SimulatedOllama, tmp_path: Path) -> None:
    job = world(parallel, tmp_path, C3)
    kept = rounds(world(parallel, tmp_path / "before", C3).run(), C3)
    for sample in [*kept[0].samples, *kept[1].samples[:2]]:
        job.store.keep(sample)
    result = job.run()
    assert [(one.index, one.valid) for one in rounds(result, C3)] == [(0, True), (1, False), (2, True), (3, True)]


# -- embeddings --------------------------------------------------------------------------------------------------


def test_an_embedding_model_is_loaded_and_embeds(simulator: SimulatedOllama, tmp_path: Path) -> None:
    load = dataclasses.replace(LOAD, num_ctx=512, repetitions=2)
    result = world(simulator, tmp_path, load, EMBED, model="embeds:1b").run()
    assert (result.outcome, result.error) == ("succeeded", None)
    assert all(is_valid(sample) for cell in ("load", EMBED.name) for sample in samples_of(result, cell))
    assert result.cells[0].spec.output_tokens == 0
    assert all((value or 0) >= 0.1 for value in of(result, load, "load_time"))
    asked = simulator.requests("/api/embed")
    assert {request["truncate"] for request in asked} == {False}
    assert {request["options"]["num_ctx"] for request in asked} == {512}


def test_texts_and_tokens_per_second_are_of_the_wall_clock(simulator: SimulatedOllama, tmp_path: Path) -> None:
    result = world(simulator, tmp_path, EMBED, model="embeds:1b").run()
    for sample in samples_of(result, EMBED.name):
        assert sample.timing.e2e_ns
        assert abs((sample.raw.prompt_eval_count or 0) - 256) <= 5
        (one,) = rounds_of([sample], EMBED)
        assert round_metrics(one, EMBED)["item_rate"].value == pytest.approx(4 / sample.timing.e2e_ns * 1e9)


def test_a_batch_that_takes_longer_than_the_stall_timeout_is_waited_for(
    simulator: SimulatedOllama, tmp_path: Path
) -> None:
    result = world(simulator, tmp_path, EMBED, model="ponders:1b", stall_timeout_s=0.4).run()
    assert (result.outcome, result.error) == ("succeeded", None)
    assert all((sample.timing.e2e_ns or 0) > 500_000_000 for sample in samples_of(result, EMBED.name))


def test_texts_of_a_batch_differ_from_the_start_and_can_be_made_again() -> None:
    first = write_prompt(300)
    texts = batch_of(first, 32)
    assert len({text[:16] for text in texts}) == 32
    assert {len(text) for text in texts} == {300}
    assert texts == batch_of(first, 32)
    assert texts[5].startswith(nonce_of(first.nonce, 5))


def test_a_text_model_does_not_embed_and_an_embedding_model_does_not_talk(
    simulator: SimulatedOllama, tmp_path: Path
) -> None:
    talks = world(simulator, tmp_path / "a", EMBED, TG16).run()
    embeds = world(simulator, tmp_path / "b", EMBED, TG16, model="embeds:1b").run()
    assert [run.skipped and run.skipped[:35] for run in talks.cells] == ["The model does not offer embedding:", None]
    assert [run.skipped and run.skipped[:36] for run in embeds.cells] == [None, "The model does not offer completion:"]


# -- the budget ---------------------------------------------------------------------------------------------------


def test_the_model_is_probed_with_about_128_tokens_and_16_of_answer(simulator: SimulatedOllama, tmp_path: Path) -> None:
    world(simulator, tmp_path, TG16).run()
    sent = [request for request in simulator.requests("/api/generate") if request["prompt_start"]]
    assert [request["options"]["num_predict"] for request in sent[:2]] == [1, 16]


def test_cells_without_time_are_shed_before_the_first_and_the_obligatory_run(
    simulator: SimulatedOllama, tmp_path: Path
) -> None:
    tg = dataclasses.replace(TG128, repetitions=6)  # 2.2 s each
    chat = dataclasses.replace(TG128, name="chat", kind="chat", prompt_tokens=512)
    c8 = dataclasses.replace(C3, name="c8", concurrency=8)
    job = world(simulator, tmp_path, chat, c8, PP512, tg, model="slow:1b", budget_s=14.0)
    result = job.run()
    by_name = {run.spec.name: run for run in result.cells}
    assert [run.spec.name for run in result.cells] == ["chat", "pp512", "tg128", "c8"]
    assert (by_name["c8"].skipped or "").startswith("skipped: budget (needs about ")
    assert (by_name["chat"].skipped or "").startswith("skipped: budget (needs about ")
    taken = len(samples_of(result, "tg128"))
    assert 3 <= taken < 6
    assert by_name["tg128"].stopped == f"budget: {taken} of 6 repetitions, the time for more was used up"
    assert by_name["c8"].expected_s
    assert by_name["c8"].took_s is None
    assert result.duration_s < 14 * 1.5


def test_a_very_slow_model_decodes_32_tokens_in_a_cell_of_its_own(simulator: SimulatedOllama, tmp_path: Path) -> None:
    long = dataclasses.replace(TG128, repetitions=1, warmups=0)
    job = world(simulator, tmp_path, long, dataclasses.replace(PP64, repetitions=1), model="crawls:70b")
    result = job.run()
    assert [run.spec.name for run in result.cells] == ["tg128", "tg32", "pp64"]
    skipped = next(run.skipped for run in result.cells if run.spec.name == "tg128")
    assert skipped == "The model decodes at about 1.5 tok/s: tg32 was measured instead."
    assert [sample.raw.eval_count for sample in samples_of(result, "tg32")] == [32]
