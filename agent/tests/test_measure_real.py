"""Whole jobs on the real Ollama 0.24.0: its own counters, its own loads, its own crashes."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Any

import pytest

from agent.obt_agent.contract import CellSpec, ResultBody
from agent.obt_agent.metrics import HEADLINE, derive
from agent.obt_agent.ollama import OllamaClient
from agent.obt_agent.rounds import round_metrics, rounds_of
from agent.obt_agent.statistics import summarise
from agent.obt_agent.validity import is_valid
from agent.real_ollama.fixtures import REAL_OLLAMA_MARKS, StartRealOllama
from agent.real_ollama.models import EMBEDS, NEVER_STOPS, STOPS_EARLY

from .measuring import LOAD, PP64, TG16, World, samples_of

pytestmark = REAL_OLLAMA_MARKS

PP128 = dataclasses.replace(PP64, name="pp128", prompt_tokens=128, repetitions=6)
TG64 = dataclasses.replace(TG16, name="tg64", output_tokens=64, repetitions=6)
CHAT = dataclasses.replace(TG16, name="chat", kind="chat", prompt_tokens=128, output_tokens=32, repetitions=6)
SHORT_LOAD = dataclasses.replace(LOAD, num_ctx=2048)


def test_a_whole_job_is_valid_exact_and_adds_up(real_ollama: str, tmp_path: Path) -> None:
    cells = [SHORT_LOAD, PP128, TG64, CHAT]
    result = World(real_ollama, "obt-tiny:latest", cells, tmp_path).run()
    assert (result.outcome, result.error) == ("succeeded", None)
    for spec in cells:
        samples = [sample for sample in samples_of(result, spec.name) if is_valid(sample)]
        assert len(samples) == spec.repetitions
        for sample in samples:
            assert (sample.raw.eval_count, sample.raw.done_reason) == (spec.output_tokens, "length")
            assert sample.loaded_models == 1
            assert sample.placement is not None
            assert sample.placement.size_vram_bytes == 0
        values = [derive(sample, spec)[HEADLINE[spec.kind]].value for sample in samples]
        summary = summarise([value for value in values if value is not None])
        assert summary is not None
        assert summary.n == spec.repetitions
        assert summary.interval == (spec.repetitions >= 6)
        assert summary.low > 0


def test_the_decode_rate_is_eval_count_less_one_over_eval_duration(real_ollama: str, tmp_path: Path) -> None:
    result = World(real_ollama, "obt-tiny:latest", [TG64], tmp_path).run()
    for sample in samples_of(result, "tg64"):
        assert sample.raw.eval_duration
        rate = derive(sample, TG64)["decode_rate"].value
        assert rate == pytest.approx(63 / (sample.raw.eval_duration / 1e9))


def test_the_agents_clock_agrees_with_ollamas(real_ollama: str, tmp_path: Path) -> None:
    result = World(real_ollama, "obt-tiny:latest", [CHAT], tmp_path).run()
    for sample in samples_of(result, "chat"):
        assert sample.timing.e2e_ns
        assert sample.raw.total_duration
        assert 0 <= sample.timing.e2e_ns - sample.raw.total_duration < 50_000_000
        assert len(sample.timing.chunk_ns) <= 33


def test_a_loaded_models_load_is_a_fraction_of_a_cold_one(real_ollama: str, tmp_path: Path) -> None:
    result = World(real_ollama, "obt-tiny:latest", [SHORT_LOAD, TG16], tmp_path).run()
    cold = [sample.raw.load_duration or 0 for sample in samples_of(result, "load")]
    warm = [sample.raw.load_duration or 0 for sample in samples_of(result, "tg16")]
    assert min(cold) > 5 * max(warm)


def test_prompts_from_16_to_2048_tokens_are_on_target(real_ollama: str, tmp_path: Path) -> None:
    cells = [
        dataclasses.replace(PP64, name=f"pp{target}", prompt_tokens=target, repetitions=2, num_ctx=4096)
        for target in (16, 100, 600, 2048)
    ]
    result = World(real_ollama, "obt-tiny:latest", cells, tmp_path).run()
    assert result.outcome == "succeeded"
    for spec in cells:
        counts = [sample.raw.prompt_eval_count or 0 for sample in samples_of(result, spec.name) if is_valid(sample)]
        assert len(counts) == 2
        assert all(abs(count - spec.prompt_tokens) <= max(2, spec.prompt_tokens * 0.02) for count in counts)


def test_the_prompt_cache_is_never_hit_and_would_be_seen(real_ollama: str, tmp_path: Path) -> None:
    spec = dataclasses.replace(PP128, prompt_tokens=300)
    result = World(real_ollama, "obt-tiny:latest", [spec], tmp_path).run()
    rates = [derive(sample, spec)["prefill_rate"].value or 0 for sample in samples_of(result, "pp128")]
    assert max(rates) < 5 * min(rates)


def test_an_answer_that_stops_early_is_never_counted(real_ollama: str, tmp_path: Path) -> None:
    result = World(real_ollama, STOPS_EARLY.name, [dataclasses.replace(TG64, output_tokens=128)], tmp_path).run()
    samples = samples_of(result, "tg64")
    stopped = [sample for sample in samples if sample.raw.done_reason == "stop"]
    assert stopped
    assert all("wrong_length" in sample.flags for sample in stopped)
    assert all(sample.raw.eval_count == 128 for sample in samples if is_valid(sample))
    if not any(is_valid(sample) for sample in samples):
        assert result.error is not None
        assert result.error.kind == "no_valid_samples"


def test_killing_ollama_in_the_middle_of_a_stream_is_named_and_what_was_measured_is_kept(
    start_real_ollama: StartRealOllama, tmp_path: Path
) -> None:
    ollama = start_real_ollama(models=[NEVER_STOPS])
    long = dataclasses.replace(TG16, name="long", output_tokens=1900, num_ctx=4096)
    job = World(ollama.url, NEVER_STOPS.name, [TG16, long], tmp_path)
    job.when["live"] = lambda event: (
        event["cell"] == "long" and event["value"] and threading.Thread(target=ollama.process.kill).start()
    )
    result = job.run()
    assert result.outcome == "failed"
    assert result.error is not None
    assert result.error.kind == "ollama_died"
    assert result.error.message == "Ollama closed the connection in the middle of the answer"
    assert len([sample for sample in samples_of(result, "tg16") if is_valid(sample)]) == 3


def test_a_restart_between_two_samples_is_flagged_and_the_job_goes_on(
    start_real_ollama: StartRealOllama, tmp_path: Path
) -> None:
    ollama = start_real_ollama(models=[NEVER_STOPS])
    job = World(ollama.url, NEVER_STOPS.name, [TG16], tmp_path)

    def restart(event: dict[str, Any]) -> None:
        if event["index"] == 0 and not event["warmup"]:
            ollama.process.kill()
            ollama.process.start()

    job.when["sample"] = restart
    result = job.run()
    assert (result.outcome, result.error) == ("succeeded", None)
    flags = [sample.flags for sample in samples_of(result, "tg16")]
    assert flags[0] == []
    assert "server_restarted" in flags[1]
    assert flags[2:] == [[], []]


def test_another_file_behind_the_same_tag_has_changed(start_real_ollama: StartRealOllama, tmp_path: Path) -> None:
    ollama = start_real_ollama(models=[NEVER_STOPS])
    job = World(ollama.url, NEVER_STOPS.name, [TG16], tmp_path)
    ollama.create(dataclasses.replace(NEVER_STOPS, seed=99))
    result = job.run()
    assert result.error is not None
    assert result.error.kind == "model_changed"


def test_the_model_is_gone_from_memory_after_the_job(real_ollama: str, tmp_path: Path) -> None:
    result = World(real_ollama, "obt-tiny:latest", [TG16], tmp_path).run()
    assert result.outcome == "succeeded"
    assert "obt-tiny:latest" not in [model.name for model in OllamaClient(real_ollama).ps()]


# -- the suite's other kinds -------------------------------------------------------------------------------------

DEEP = dataclasses.replace(TG16, name="tg16@1024", prompt_tokens=0, depth=1024)
C4 = dataclasses.replace(TG64, name="c4", kind="concurrency", prompt_tokens=128, repetitions=3, concurrency=4)
C2 = dataclasses.replace(C4, name="c2", concurrency=2)
VECTORS = CellSpec("embed256x8", "embed", 3, 1, prompt_tokens=256, output_tokens=0, num_ctx=512, batch=8)


def rounds(result: ResultBody, spec: CellSpec) -> list[dict[str, float | None]]:
    """The metrics of each round of a cell, all of which count."""
    (run,) = [run for run in result.cells if run.spec.name == spec.name]
    found = [one for one in rounds_of(run.samples, run.spec) if not one.warmup]
    assert [one.valid for one in found] == [True] * spec.repetitions
    return [{name: metric.value for name, metric in round_metrics(one, run.spec).items()} for one in found]


def test_decoding_at_a_depth_has_that_many_tokens_before_it(real_ollama: str, tmp_path: Path) -> None:
    result = World(real_ollama, "obt-tiny:latest", [DEEP], tmp_path).run()
    assert all(abs((sample.raw.prompt_eval_count or 0) - 1024) <= 20 for sample in samples_of(result, DEEP.name))
    assert all((one["decode_rate"] or 0) > 0 for one in rounds(result, DEEP))


@pytest.mark.parametrize(("num_parallel", "least", "most"), [("1", 1, 1), ("4", 3, 4)])
def test_the_parallelism_that_is_observed_is_ollamas_own(
    start_real_ollama: StartRealOllama, tmp_path: Path, num_parallel: str, least: int, most: int
) -> None:
    ollama = start_real_ollama(models=[NEVER_STOPS], environment={"OLLAMA_NUM_PARALLEL": num_parallel})
    result = World(ollama.url, NEVER_STOPS.name, [C4], tmp_path).run()
    for one in rounds(result, C4):
        assert least <= (one["observed_parallelism"] or 0) <= most
        assert (one["ttft_spread"] or 0) > 0
        assert (one["output_throughput"] or 0) > 0


def test_cells_of_a_setting_take_turns_and_all_count(real_ollama: str, tmp_path: Path) -> None:
    cells = [dataclasses.replace(PP128, repetitions=3), dataclasses.replace(TG64, repetitions=3), C2]
    result = World(real_ollama, NEVER_STOPS.name, cells, tmp_path).run()
    for spec in cells:
        assert len(rounds(result, spec)) == 3
    begun = {(s.cell, s.index): s.timing.start_s for run in result.cells for s in run.samples if not s.warmup}
    turn = ["pp128", "tg64", "c2"]
    assert [cell for cell, _ in sorted(begun, key=lambda one: begun[one])] == [*turn, *reversed(turn), *turn]


def test_a_sweep_over_threads_and_batches_counts_in_every_value(real_ollama: str, tmp_path: Path) -> None:
    cells = [
        dataclasses.replace(TG16, name="tg16[num_thread=1]", num_thread=1),
        dataclasses.replace(TG16, name="tg16[num_thread=2]", num_thread=2),
        dataclasses.replace(TG16, name="tg16[num_gpu=0,num_batch=64]", num_gpu=0, num_batch=64),
        TG16,
    ]
    result = World(real_ollama, NEVER_STOPS.name, cells, tmp_path).run()
    assert result.outcome == "succeeded"
    for spec in cells:
        assert all((one["decode_rate"] or 0) > 0 for one in rounds(result, spec))


@pytest.mark.parametrize("model", [NEVER_STOPS.name, STOPS_EARLY.name])
def test_a_fixed_prompt_counts_however_its_answer_ends(real_ollama: str, tmp_path: Path, model: str) -> None:
    text = "Write a short poem about the sea.\n" * 20 + "Or about what you think of the sea"
    poem = CellSpec("prompt-poem/64", "prompt", 3, 1, 0, 64, 2048, text=text)
    result = World(real_ollama, model, [poem], tmp_path).run()
    samples = samples_of(result, poem.name)
    assert [sample.flags for sample in samples] == [[], [], []]
    assert ("stop" if model == STOPS_EARLY.name else "length") in {sample.raw.done_reason for sample in samples}


def test_an_embedding_model_loads_and_embeds(real_ollama: str, tmp_path: Path) -> None:
    load = dataclasses.replace(SHORT_LOAD, num_ctx=512)
    result = World(real_ollama, EMBEDS.name, [load, VECTORS], tmp_path).run()
    assert (result.outcome, result.error) == ("succeeded", None)
    assert all((one["load_time"] or 0) > 0 for one in rounds(result, load))
    for one in rounds(result, VECTORS):
        assert (one["input_token_rate"] or 0) == pytest.approx(256 * (one["item_rate"] or 0), rel=0.02)
    assert EMBEDS.name not in [model.name for model in OllamaClient(real_ollama).ps()]
