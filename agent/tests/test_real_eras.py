"""The same job and the same questions on two real releases of Ollama, an older one and the newest that can be built."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from agent.bench import eras
from agent.bench.one_job import counted, run
from agent.obt_agent.contract import RawCounters, ResultBody, Sample, Timing
from agent.obt_agent.engines import Engine, engine_of
from agent.obt_agent.metrics import derive
from agent.obt_agent.validity import judge
from agent.real_ollama.fixtures import REAL_OLLAMA_MARKS, require_built_ollama
from agent.real_ollama.models import NEVER_STOPS
from agent.real_ollama.serve import RealOllama
from agent.real_ollama.tools import BUILDABLE_VERSIONS

pytestmark = REAL_OLLAMA_MARKS
PP512, TG128 = eras.CELLS[1:3]
Measured = Callable[[str], tuple[ResultBody, eras.Facts]]


@pytest.fixture(scope="module")
def measured() -> Iterator[Measured]:
    """`measured(version)`: a whole job and the facts, of a real Ollama of that release; each is asked once."""
    found: dict[str, tuple[ResultBody, eras.Facts]] = {}
    with ExitStack() as running:

        def measure(version: str) -> tuple[ResultBody, eras.Facts]:
            require_built_ollama(version)
            if version not in found:
                url = running.enter_context(RealOllama([NEVER_STOPS], version=version)).url
                found[version] = run(url, NEVER_STOPS.name, eras.CELLS), eras.facts(url)
            return found[version]

        yield measure


@pytest.fixture(params=BUILDABLE_VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def result(measured: Measured, version: str) -> ResultBody:
    return measured(version)[0]


@pytest.fixture
def facts(measured: Measured, version: str) -> eras.Facts:
    return measured(version)[1]


def test_the_job_is_whole_and_valid(result: ResultBody) -> None:
    assert (result.outcome, result.error) == ("succeeded", None)
    flags = {run.spec.name: [sample.flags for sample in run.samples if sample.flags] for run in result.cells}
    assert {spec.name: eras.rounds(result, spec) for spec in eras.CELLS} == {
        spec.name: spec.repetitions for spec in eras.CELLS
    }, flags


def test_version_and_engine_are_named(result: ResultBody, version: str) -> None:
    assert result.environment is not None
    assert result.environment.ollama.version == version
    assert engine_of(result.environment.ollama.version, result.environment.model.format) is Engine.GO_RUNNER


def test_the_decode_rate_leaves_out_the_token_that_is_not_timed(result: ResultBody) -> None:
    for sample in counted(result, TG128.name):
        assert sample.raw.eval_duration
        assert derive(sample, TG128)["decode_rate"].value == pytest.approx(127 / (sample.raw.eval_duration / 1e9))


def test_one_token_has_no_eval_duration_and_no_decode_rate(facts: eras.Facts, result: ResultBody) -> None:
    assert facts.one_token_is_not_timed
    for sample in counted(result, PP512.name):
        assert "decode_rate" not in derive(sample, PP512)
        assert derive(sample, TG128)["decode_rate"].value is None


def test_a_repeated_prompt_keeps_its_count_and_says_nothing_of_the_cache(facts: eras.Facts) -> None:
    assert facts.full_count_on_a_hit
    assert facts.again.prompt_eval_cached_count is None


def test_so_the_gate_sees_a_hit_by_its_rate(facts: eras.Facts, result: ResultBody) -> None:
    honest = [dataclasses.replace(sample, flags=[]) for sample in counted(result, PP512.name)]
    hit = sample_of(facts.again)
    *others, last = judge([*honest, hit], PP512)
    assert "cache_hit" in last.flags
    assert not any("cache_hit" in sample.flags for sample in others)


def sample_of(raw: RawCounters) -> Sample:
    return Sample(PP512.name, 99, False, raw, Timing(0.0, e2e_ns=raw.total_duration))


def test_a_prompt_that_does_not_fit_is_refused_and_not_cut(facts: eras.Facts) -> None:
    assert facts.refuses_what_does_not_fit


def test_the_row_says_yes_to_this_and_no_to_another_version(
    result: ResultBody, facts: eras.Facts, version: str
) -> None:
    assert eras.row(version, Engine.GO_RUNNER, result, facts).ok
    assert not eras.row("0.1.2", Engine.GO_RUNNER, result, facts).ok
    assert not eras.row(version, Engine.MLX, result, facts).ok
    assert not eras.row(version, Engine.GO_RUNNER, result, dataclasses.replace(facts, overflow=None)).ok
