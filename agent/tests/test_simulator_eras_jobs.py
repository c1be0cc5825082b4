"""Whole jobs, over HTTP, on a simulator of each era of Ollama: rates and gates are right in every one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.obt_agent.contract import CellRun, CellSpec, ResultBody, Sample
from agent.obt_agent.engines import counts_uncached_only, engine_of
from agent.obt_agent.metrics import HEADLINE, derive
from agent.obt_agent.ollama import OllamaClient
from agent.obt_agent.statistics import median
from agent.obt_agent.validity import is_valid
from agent.simulator import ERAS, SimulatedOllama, era_named

from .eras import DECODE_TPS, EXACT, PP600, PREFILL_TPS, TG12, TOLERANCE, ask, job, run

BAD_PREFILL = ("0.12.5",)
GOOD_PREFILL = [name for name in ERAS if name not in BAD_PREFILL]


def cell(result: ResultBody, spec: CellSpec) -> CellRun:
    (found,) = [one for one in result.cells if one.spec.name == spec.name]
    return found


def headlines(result: ResultBody, spec: CellSpec, samples: Sequence[Sample]) -> list[float]:
    """The headline of each sample as the server works it out: by version and format of the result alone."""
    assert result.environment is not None
    version, model_format = result.environment.ollama.version, result.environment.model.format
    engine, uncached = engine_of(version, model_format), counts_uncached_only(version)
    values = [derive(one, spec, engine, uncached)[HEADLINE[spec.kind]].value for one in samples]
    return [value for value in values if value is not None]


def valid(run: CellRun) -> list[Sample]:
    return [sample for sample in run.samples if is_valid(sample)]


@pytest.mark.parametrize("era", list(ERAS))
def test_a_jobs_decode_rate_is_the_models_own_in_every_era(era: str, tmp_path: Path) -> None:
    with SimulatedOllama([EXACT], era=era_named(era)) as simulator:
        result = run(job(simulator, tmp_path, TG12))
    assert (result.outcome, result.error) == ("succeeded", None)
    values = headlines(result, TG12, valid(cell(result, TG12)))
    assert len(values) == TG12.repetitions
    assert median(values) == pytest.approx(DECODE_TPS, rel=TOLERANCE)


@pytest.mark.parametrize("era", GOOD_PREFILL)
def test_a_jobs_prefill_rate_is_the_models_own_in_every_era_that_times_it_right(era: str, tmp_path: Path) -> None:
    with SimulatedOllama([EXACT], era=era_named(era)) as simulator:
        result = run(job(simulator, tmp_path, PP600))
    assert (result.outcome, result.error) == ("succeeded", None)
    samples = valid(cell(result, PP600))
    values = headlines(result, PP600, samples)
    assert len(values) == PP600.repetitions
    assert median(values) == pytest.approx(PREFILL_TPS, rel=TOLERANCE)
    # A fresh start of every prompt defeats the cache that keeps prompts, too: all but the first token is computed.
    assert all((one.raw.prompt_eval_cached_count or 0) <= 1 for one in samples)


def test_prefill_that_0_12_5_times_wrongly_is_flagged_in_every_sample_and_makes_no_number(tmp_path: Path) -> None:
    with SimulatedOllama([EXACT], era=era_named("0.12.5")) as simulator:
        result = run(job(simulator, tmp_path, PP600, TG12))
    prefill, decode = cell(result, PP600), cell(result, TG12)
    assert all("known_bad_version" in one.flags for one in prefill.samples)
    assert valid(prefill) == []
    assert "known to report wrong prompt durations" in (prefill.stopped or "")
    assert len(valid(decode)) == TG12.repetitions


def test_a_prompt_time_cut_to_milliseconds_is_flagged_where_that_is_much_and_good_where_it_is_little(
    tmp_path: Path,
) -> None:
    short = CellSpec("pp64", "prefill", 3, 1, prompt_tokens=64, output_tokens=1, num_ctx=2048)  # 13 ms
    with SimulatedOllama([EXACT], era=era_named("0.6.1")) as simulator:
        result = run(job(simulator, tmp_path, short, PP600))
    assert all("known_bad_version" in one.flags for one in cell(result, short).samples)
    assert len(valid(cell(result, PP600))) == PP600.repetitions  # 120 ms


# -- a cache hit in the middle of a cell -----------------------------------------------------------------------------

HIT_INDEX = 3


def with_a_cache_hit(era: str, folder: Path, computed_tokens: int) -> tuple[ResultBody, Sample]:
    """A job of which one sample's prompt was, all but `computed_tokens`, in the cache; and that sample."""
    with SimulatedOllama([EXACT], era=era_named(era)) as simulator:
        world = job(simulator, folder, PP600)

        def after(event: dict[str, Any]) -> None:
            if event["index"] == HIT_INDEX - 1 and not event["warmup"]:
                simulator.add_fault("cache_hit", after_tokens=computed_tokens)

        world.when["sample"] = after
        result = run(world)
    (hit,) = [one for one in cell(result, PP600).samples if one.index == HIT_INDEX and not one.warmup]
    return result, hit


@pytest.mark.parametrize(
    ("era", "flag"),
    [
        ("0.6.1", "cache_hit"),  # by a prefill far faster than the siblings'
        ("0.24", "cache_hit"),
        ("0.30.0", "prompt_off_target"),  # only what was computed is counted
        ("0.30.1", "cache_hit"),
        ("0.33.3", "cache_hit"),  # by Ollama's own word
        ("mlx", "cache_hit"),
    ],
)
def test_a_cached_prompt_is_flagged_in_every_era_and_counts_nowhere(era: str, flag: str, tmp_path: Path) -> None:
    result, hit = with_a_cache_hit(era, tmp_path, computed_tokens=10)
    assert flag in hit.flags
    others = valid(cell(result, PP600))
    assert len(others) >= 3
    assert hit not in others
    assert median(headlines(result, PP600, others)) == pytest.approx(PREFILL_TPS, rel=TOLERANCE)


def test_half_a_cached_prompt_is_seen_only_where_ollama_tells(tmp_path: Path) -> None:
    _, told = with_a_cache_hit("0.33.3", tmp_path / "told", computed_tokens=300)
    assert told.flags == ["cache_hit"]
    assert told.raw.prompt_eval_cached_count == (told.raw.prompt_eval_count or 0) - 300


@pytest.mark.parametrize("era", ["0.33.3", "mlx"])
def test_a_hits_own_prefill_rate_leaves_the_cached_tokens_out(era: str, tmp_path: Path) -> None:
    result, hit = with_a_cache_hit(era, tmp_path, computed_tokens=300)
    (rate,) = headlines(result, PP600, [hit])
    assert rate == pytest.approx(PREFILL_TPS, rel=TOLERANCE)
    naive = (hit.raw.prompt_eval_count or 0) / (hit.raw.prompt_eval_duration or 1) * 1e9
    assert naive > 1.8 * PREFILL_TPS


def test_the_era_is_one_the_agent_knows_from_what_ollama_says(tmp_path: Path) -> None:
    with SimulatedOllama([EXACT], era=era_named("mlx")) as simulator:
        (model,) = OllamaClient(simulator.url).models()
        assert model.format == "safetensors"


def test_a_decode_time_cut_to_milliseconds_is_flagged_where_that_is_much(tmp_path: Path) -> None:
    short = dataclasses.replace(TG12, name="tg4", output_tokens=4, repetitions=3)  # 15 ms
    long = dataclasses.replace(TG12, name="tg20", output_tokens=20, repetitions=3)  # 95 ms
    with SimulatedOllama([EXACT], era=era_named("0.6.1")) as simulator:
        result = run(job(simulator, tmp_path, short, long))
    assert all("known_bad_version" in one.flags for one in cell(result, short).samples)
    assert len(valid(cell(result, long))) == long.repetitions


@pytest.mark.parametrize("era", ["0.24", "0.30.1", "mlx"])
def test_what_goes_wrong_has_the_same_kind_in_every_eras_words(era: str) -> None:
    with SimulatedOllama([EXACT], era=era_named(era)) as simulator:
        too_long = ask(simulator, "measure it again " * 120, options={"num_ctx": 200})
        simulator.add_fault("load_failed")
        not_loaded = ask(simulator, "x", options={"num_ctx": 300})
    assert too_long.error is not None
    assert too_long.error.kind == "context_exceeded"
    assert not_loaded.error is not None
    assert not_loaded.error.kind == "load_failed"
