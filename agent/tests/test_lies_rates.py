"""Lies about speed: a naive tool tells each on the same server where OBT does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent.obt_agent.contract import ResultBody
from agent.obt_agent.metrics import FORMULAS, decode_rate
from agent.obt_agent.ollama import OllamaClient, StreamLimits
from agent.obt_agent.prompts import body as prompt_text
from agent.obt_agent.prompts import new_nonce
from agent.obt_agent.rounds import makespan_ns, rounds_of
from agent.simulator.server import SimulatedOllama

from .lies import (
    CHAT,
    CLOSE,
    DECODE_TPS,
    LOAD_S,
    NINE,
    PREFILL,
    PREFILL_TPS,
    PROMPT_TOKENS,
    TALKS,
    THINKS,
    Heard,
    Tell,
    ask,
    close,
    summary,
    told,
)
from .measuring import World

PROMPT_S = PROMPT_TOKENS / PREFILL_TPS
CODE = "for (int i = 0; i < n; i++) { sum += a[i] * b[i]; }\n"


@pytest.fixture(scope="module")
def ollama() -> Iterator[SimulatedOllama]:
    with SimulatedOllama([TALKS, THINKS]) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def ours(ollama: SimulatedOllama, tmp_path_factory: pytest.TempPathFactory) -> ResultBody:
    """OBT's own job on that server."""
    result = World(ollama.url, TALKS.name, [PREFILL, CHAT], tmp_path_factory.mktemp("job")).run()
    assert result.outcome == "succeeded"
    return result


@pytest.fixture(scope="module")
def heard(ollama: SimulatedOllama) -> Heard:
    """What a naive tool heard on it, model loaded."""
    ask(ollama.url, TALKS.name, "warm", tokens=1)
    return ask(ollama.url, TALKS.name, "Tell me a story.")


def rate_is_right(tell: Tell, ours: ResultBody, lie: str, naive: float, how: str) -> None:
    """The naive rate is off by more than 10 %, OBT's is the server's."""
    found = summary(ours, CHAT.name, "decode_rate")
    told(tell, lie, f"{naive:.0f} tok/s ({how})", f"{DECODE_TPS:.0f} tok/s", f"{found.median:.1f} tok/s")
    assert not close(naive, DECODE_TPS, 0.10)
    assert close(found.median, DECODE_TPS)
    assert found.n == CHAT.repetitions


def test_characters_are_not_counted_as_tokens(record_property: Tell, ours: ResultBody, heard: Heard) -> None:
    naive = len(heard.text) / heard.talking_s
    rate_is_right(record_property, ours, "characters counted as tokens", naive, "characters ÷ time")


def test_words_are_not_counted_as_tokens(record_property: Tell, ours: ResultBody, heard: Heard) -> None:
    naive = len(heard.text.split()) / heard.talking_s
    rate_is_right(record_property, ours, "words counted as tokens", naive, "words ÷ time")


def test_chunks_are_not_counted_as_tokens(record_property: Tell, ours: ResultBody, heard: Heard) -> None:
    naive = (len(heard.texts) - 1) / heard.talking_s
    rate_is_right(record_property, ours, "chunks counted as tokens", naive, "chunks ÷ time")


def test_load_and_prefill_are_not_inside_the_decode_rate(
    record_property: Tell, ours: ResultBody, ollama: SimulatedOllama
) -> None:
    prompt = new_nonce() + prompt_text(2000)
    ask(ollama.url, TALKS.name, "", keep_alive=0)
    answer = ask(ollama.url, TALKS.name, prompt)
    naive = answer.done["eval_count"] / (answer.done["total_duration"] / 1e9)
    how = "eval_count ÷ total_duration"
    rate_is_right(record_property, ours, "load and prefill inside tok/s", naive, how)


def test_the_second_call_of_a_repeated_prompt_is_not_a_prefill(
    record_property: Tell, ours: ResultBody, ollama: SimulatedOllama
) -> None:
    prompt = new_nonce() + prompt_text(2000)
    ask(ollama.url, TALKS.name, prompt, tokens=1)
    second = ask(ollama.url, TALKS.name, prompt, tokens=1).done
    naive = second["prompt_eval_count"] / (second["prompt_eval_duration"] / 1e9)
    found = summary(ours, PREFILL.name, "prefill_rate")
    told(
        record_property,
        "the second call of a repeated prompt",
        f"prefill {naive:,.0f} tok/s",
        f"{PREFILL_TPS:,.0f} tok/s",
        f"{found.median:,.0f} tok/s",
    )
    assert naive > 5 * PREFILL_TPS
    assert close(found.median, PREFILL_TPS)
    starts = [one["prompt_start"][:8] for one in ollama.requests("/api/generate") if one["prompt_start"][:8].isdigit()]
    assert len(starts) > 10
    assert len(set(starts)) == len(starts) - 1  # only the naive tool's came twice


def test_four_characters_are_not_one_token(record_property: Tell, ours: ResultBody, ollama: SimulatedOllama) -> None:
    prompt = (CODE * PROMPT_TOKENS)[: 4 * PROMPT_TOKENS]
    naive = len(prompt) / 4
    truth = ask(ollama.url, TALKS.name, prompt, tokens=1).done["prompt_eval_count"]
    (run,) = [run for run in ours.cells if run.spec.name == PREFILL.name]
    counts = sorted({sample.raw.prompt_eval_count or 0 for sample in run.samples if not sample.warmup})
    told(
        record_property,
        "4 characters = 1 token",
        f"{naive:.0f} tokens in 2,048 characters of code",
        f"{truth:,} tokens",
        f"{counts} where {PROMPT_TOKENS} were asked, by Ollama's count",
    )
    assert not close(naive, truth, 0.10)
    assert all(close(count, PROMPT_TOKENS, 0.02) for count in counts)


def test_one_cold_run_is_not_a_measurement(record_property: Tell, ours: ResultBody, ollama: SimulatedOllama) -> None:
    ask(ollama.url, TALKS.name, "", keep_alive=0)
    naive = ask(ollama.url, TALKS.name, new_nonce() + prompt_text(1300)).first_s
    found = summary(ours, CHAT.name, "ttft")
    told(
        record_property,
        "one cold run",
        f"TTFT {1000 * naive:.0f} ms, of one run",
        f"{1000 * PROMPT_S:.0f} ms, once loaded",
        f"{found.median:.0f} ms (95 %: {found.low:.0f} to {found.high:.0f}, n = {found.n})",
    )
    assert naive > PROMPT_S + LOAD_S * 0.9
    assert close(found.median, 1000 * PROMPT_S, 2 * CLOSE)
    assert found.interval
    assert found.n == CHAT.repetitions


def test_thinking_tokens_that_count_also_begin_the_clock(record_property: Tell, ollama: SimulatedOllama) -> None:
    ask(ollama.url, THINKS.name, "warm", tokens=1)
    naive = ask(ollama.url, THINKS.name, "Why?", think=True)
    wrong_rate = naive.done["eval_count"] / naive.talking_s
    request = {"model": THINKS.name, "prompt": "Why not?", "raw": True, "think": True, "options": {"num_predict": 64}}
    generation = OllamaClient(ollama.url).generate(request, StreamLimits(10.0, 10.0))
    assert generation.error is None
    assert generation.ttft_ns
    assert generation.ttfo_ns
    rate = decode_rate(generation.raw.eval_count, generation.raw.eval_duration).value
    truth_ms = 1000 * 2 / DECODE_TPS  # a short prompt takes one step, and the first token is a tag without text
    told(
        record_property,
        "TTFT from content only while thinking tokens count",
        f"TTFT {1000 * naive.first_s:.0f} ms and {wrong_rate:.0f} tok/s",
        f"{truth_ms:.0f} ms and {DECODE_TPS:.0f} tok/s",
        f"TTFT {generation.ttft_ns / 1e6:.0f} ms and {rate:.0f} tok/s (TTFO {generation.ttfo_ns / 1e6:.0f} ms)",
    )
    assert naive.first_s * 1000 > 5 * truth_ms
    assert wrong_rate > 1.3 * DECODE_TPS
    assert truth_ms <= generation.ttft_ns / 1e6 < truth_ms + 20
    assert generation.ttfo_ns > 5 * generation.ttft_ns
    assert rate is not None
    assert close(rate, DECODE_TPS)


def test_a_serial_queue_is_not_a_parallel_speed_up(
    record_property: Tell, ollama: SimulatedOllama, tmp_path_factory: pytest.TempPathFactory
) -> None:
    result = World(ollama.url, TALKS.name, [NINE], tmp_path_factory.mktemp("nine")).run()
    found = summary(result, NINE.name, "observed_parallelism")
    (run,) = result.cells
    one = next(one for one in rounds_of(run.samples, run.spec) if one.valid)
    naive = sum(sample.timing.e2e_ns or 0 for sample in one.samples) / (makespan_ns(one) or 1)
    told(
        record_property,
        "“parallel speed-up” = Σ latency ÷ wall",
        f"9 requests at once are {naive:.1f}× faster",
        "the server answers one after the other: 1",
        f"observed parallelism {found.median:.0f}",
    )
    assert naive > 4
    assert found.median == 1
    assert "speed" not in " ".join(FORMULAS)
