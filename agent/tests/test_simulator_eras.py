"""Each era of Ollama as the simulator plays it, over HTTP: what is counted, cached, cut and refused."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from agent.obt_agent.engines import Engine, counts_uncached_only, engine_of
from agent.obt_agent.metrics import decode_rate, prefill_rate
from agent.obt_agent.ollama import OllamaClient
from agent.simulator import ERAS, SimulatedOllama, era_named
from agent.simulator.tokenizer import encode

from .eras import DECODE_TPS, ENGINES, EXACT, PREFILL_TPS, TOLERANCE, ask, decode_ns, raw

FULL_COUNT = ("0.6.1", "0.12.5", "0.24", "0.30.1", "0.33.3", "mlx")
TELLS_CACHED = ("0.33.3", "mlx")
KEEPS_PROMPTS = ("0.30.0", "0.30.1", "0.33.3", "mlx")
CUTS_TO_HALF = ("0.30.0", "0.30.1", "0.33.3")
LONG = "measure it again " * 120
LONG_TOKENS = len(encode(LONG))


@pytest.fixture(params=list(ERAS))
def simulator(request: pytest.FixtureRequest) -> Iterator[SimulatedOllama]:
    with SimulatedOllama([EXACT], era=era_named(request.param)) as running:
        yield running


def era_of(simulator: SimulatedOllama) -> str:
    return simulator.world.era.name


def test_every_era_names_its_source_and_is_known_as_simulated() -> None:
    for era in ERAS.values():
        assert "ollama" in era.source.lower()
        assert era.marked_version == f"{era.version}-obt-simulator"


def test_an_unknown_era_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown era '0\.99'; known: 0\.6\.1, 0\.12\.5, 0\.24, "):
        era_named("0.99")


def test_the_engine_follows_from_version_and_format(simulator: SimulatedOllama) -> None:
    client = OllamaClient(simulator.url)
    (listed,) = client.tags()
    assert engine_of(client.version(), client.show(listed).format) is ENGINES[era_of(simulator)]


def test_the_decode_rate_is_the_models_own_in_every_era(simulator: SimulatedOllama) -> None:
    engine = ENGINES[era_of(simulator)]
    assert raw(simulator, "a short one", 10).eval_count == 10
    assert decode_rate(10, decode_ns(simulator, 10), engine).value == pytest.approx(DECODE_TPS, rel=TOLERANCE)


def test_mlx_times_all_tokens_and_the_others_all_but_one(simulator: SimulatedOllama) -> None:
    intervals = decode_ns(simulator, 10) / 1e9 * DECODE_TPS
    assert intervals == pytest.approx(10 if era_of(simulator) == "mlx" else 9, rel=TOLERANCE)


def test_a_new_prompt_is_counted_whole(simulator: SimulatedOllama) -> None:
    seen = raw(simulator, LONG)
    assert seen.prompt_eval_count == LONG_TOKENS
    assert seen.prompt_eval_cached_count == (0 if era_of(simulator) in TELLS_CACHED else None)


def test_a_repeated_prompt_is_counted_as_its_era_does(simulator: SimulatedOllama) -> None:
    raw(simulator, LONG)
    again = raw(simulator, LONG)
    assert again.prompt_eval_count == (LONG_TOKENS if era_of(simulator) in FULL_COUNT else 1)
    assert again.prompt_eval_cached_count == (LONG_TOKENS - 1 if era_of(simulator) in TELLS_CACHED else None)


def test_half_a_cached_prompt_has_the_models_own_prefill_rate_where_the_era_tells_enough(
    simulator: SimulatedOllama,
) -> None:
    raw(simulator, LONG)
    seen = raw(simulator, LONG + "and then something else " * 120)
    cached = None if counts_uncached_only(era_named(era_of(simulator)).version) else seen.prompt_eval_cached_count
    rate = prefill_rate(seen.prompt_eval_count, seen.prompt_eval_duration, cached).value or 0
    if era_of(simulator) in ("0.30.0", *TELLS_CACHED):
        assert rate == pytest.approx(PREFILL_TPS, rel=TOLERANCE)
    else:  # counted in full, timed in part: the lie that the gate on siblings is for
        assert rate > 1.5 * PREFILL_TPS


def test_a_prompt_hits_after_another_came_between_only_where_prompts_are_kept(simulator: SimulatedOllama) -> None:
    first = raw(simulator, "8qz " + LONG)
    raw(simulator, "3xk " + LONG)
    again = raw(simulator, "8qz " + LONG)
    hit = (again.prompt_eval_duration or 0) < (first.prompt_eval_duration or 0) / 3
    assert hit is (era_of(simulator) in KEEPS_PROMPTS)


def test_a_prompt_that_overflows_is_cut_as_its_era_does(simulator: SimulatedOllama) -> None:
    answer = ask(simulator, LONG, truncate=True, options={"num_ctx": 200})
    if era_of(simulator) == "mlx":
        assert answer.error is not None
        assert f"input length ({LONG_TOKENS} tokens) exceeds the model's maximum context length" in answer.error.message
        return
    # 5 tokens are kept from the start; of the other 195 places half stay free.
    assert answer.raw.prompt_eval_count == (200 - 97 if era_of(simulator) in CUTS_TO_HALF else 200)


def test_a_prompt_that_may_not_be_cut_is_refused_since_0_12_6_and_cut_before(simulator: SimulatedOllama) -> None:
    answer = ask(simulator, LONG, options={"num_ctx": 200})
    if era_of(simulator) in ("0.6.1", "0.12.5"):
        assert answer.raw.prompt_eval_count == 200
        return
    assert answer.error is not None
    assert answer.error.status == 400
    assert "exceeds the" in answer.error.message


def test_llama_servers_refusal_is_its_own_json_handed_on_as_text() -> None:
    with SimulatedOllama([EXACT], era=era_named("0.30.1")) as simulator:
        answer = ask(simulator, LONG, options={"num_ctx": 200})
    assert answer.error is not None
    said = answer.error.message[answer.error.message.index("{") :]
    assert json.loads(said)["error"]["n_prompt_tokens"] == LONG_TOKENS


def test_one_token_has_no_eval_duration_with_go_runners_and_a_tiny_one_with_llama_server(
    simulator: SimulatedOllama,
) -> None:
    seen = raw(simulator, "only one", 1)
    if era_of(simulator) == "mlx":
        assert decode_ns(simulator, 1) / 1e9 * DECODE_TPS == pytest.approx(1, rel=0.2)
    else:
        is_llama_server = ENGINES[era_of(simulator)] is Engine.LLAMA_SERVER
        assert seen.eval_duration == (1000 if is_llama_server else None)
    assert decode_rate(1, seen.eval_duration).value is None


def test_durations_are_whole_milliseconds_up_to_0_6_1() -> None:
    with SimulatedOllama([EXACT], era=era_named("0.6.1")) as simulator:
        seen = raw(simulator, LONG, 10)
    assert (seen.prompt_eval_duration or 1) % 1_000_000 == 0
    assert (seen.eval_duration or 1) % 1_000_000 == 0
    assert (seen.total_duration or 0) > (seen.prompt_eval_duration or 0) + (seen.eval_duration or 0)


def test_0_12_5_times_the_last_batch_of_a_prompt_only() -> None:
    with SimulatedOllama([EXACT], era=era_named("0.12.5")) as simulator:
        seen = raw(simulator, LONG)
    rate = prefill_rate(seen.prompt_eval_count, seen.prompt_eval_duration).value or 0
    assert rate == pytest.approx(PREFILL_TPS * LONG_TOKENS / (LONG_TOKENS - 512), rel=TOLERANCE)


def test_mlx_answers_one_request_after_the_other_whatever_was_asked_for() -> None:
    with SimulatedOllama([EXACT], era=era_named("mlx"), parallel=4) as simulator:
        assert simulator.world.scheduler.parallel == 1
