"""What the counters of a real Ollama mean, on which every rate that OBT publishes rests.

Where a newer Ollama makes one of these fail, the formula that relies on it is wrong for that release.
"""

from __future__ import annotations

import time
import uuid

import pytest
import requests

from agent.real_ollama.fixtures import REAL_OLLAMA_MARKS
from agent.real_ollama.models import NEVER_STOPS, SLOWER, STOPS_EARLY
from agent.tests.conftest import PINNED_OPTIONS, REQUEST_TIMEOUT_S, Ask

pytestmark = REAL_OLLAMA_MARKS


@pytest.mark.parametrize("model", [NEVER_STOPS.name, SLOWER.name])
@pytest.mark.parametrize("asked_tokens", [2, 16, 128])
def test_the_output_has_exactly_the_asked_length(ask: Ask, model: str, asked_tokens: int) -> None:
    answer = ask(model, uuid.uuid4().hex, asked_tokens).json()

    assert (answer["done"], answer["done_reason"], answer["eval_count"]) == (True, "length", asked_tokens)


@pytest.mark.parametrize("temperature", [0, 1.0, 2.0])
def test_the_tiny_model_never_stops_early_whatever_the_temperature(ask: Ask, temperature: float) -> None:
    answer = ask(NEVER_STOPS.name, uuid.uuid4().hex, 600, temperature=temperature).json()

    assert (answer["done_reason"], answer["eval_count"]) == ("length", 600)
    assert answer["response"].isascii()
    assert answer["response"].isprintable()


def test_a_model_with_a_likely_end_stops_before_the_asked_length(ask: Ask) -> None:
    answers = [ask(STOPS_EARLY.name, uuid.uuid4().hex, 512).json() for _ in range(3)]

    assert {answer["done_reason"] for answer in answers} == {"stop"}
    assert all(answer["eval_count"] < 512 for answer in answers)


def test_one_token_asked_has_no_eval_duration(ask: Ask, fresh_prompt: str) -> None:
    answer = ask(NEVER_STOPS.name, fresh_prompt, 1).json()

    assert answer["eval_count"] == 1
    assert "eval_duration" not in answer
    assert answer["prompt_eval_duration"] > 0


def test_eval_duration_leaves_out_the_first_token(real_ollama: str, fresh_prompt: str) -> None:
    """Two tokens are asked after a long prompt. Were the first in the duration, so would its prefill be."""
    body = {
        "model": NEVER_STOPS.name,
        "prompt": fresh_prompt,
        "raw": True,
        "options": {**PINNED_OPTIONS, "num_predict": 2},
    }
    answer = requests.post(f"{real_ollama}/api/generate", json={**body, "stream": False}, timeout=REQUEST_TIMEOUT_S)
    seen = answer.json()

    assert seen["eval_count"] == 2
    assert seen["eval_duration"] < 0.2 * seen["prompt_eval_duration"]


def test_the_decode_time_is_that_of_all_tokens_but_one(ask: Ask) -> None:
    """Each token takes about as long as another, so 65 tokens take about 8 times as long as 9: 64 steps against 8."""
    ask(SLOWER.name, uuid.uuid4().hex, 65)
    short = min(ask(SLOWER.name, uuid.uuid4().hex, 9).json()["eval_duration"] for _ in range(5))
    long = min(ask(SLOWER.name, uuid.uuid4().hex, 65).json()["eval_duration"] for _ in range(5))

    assert long / short == pytest.approx(64 / 8, rel=0.5)


def test_the_durations_fit_into_the_total_and_the_total_into_the_clock(ask: Ask, fresh_prompt: str) -> None:
    began = time.perf_counter_ns()
    answer = ask(NEVER_STOPS.name, fresh_prompt, 64).json()
    clock_ns = time.perf_counter_ns() - began
    parts_ns = answer["load_duration"] + answer["prompt_eval_duration"] + answer["eval_duration"]

    assert parts_ns <= answer["total_duration"] <= clock_ns


def test_a_repeated_prompt_keeps_its_count_but_not_its_time(ask: Ask, fresh_prompt: str) -> None:
    first = ask(NEVER_STOPS.name, fresh_prompt, 1).json()
    again = ask(NEVER_STOPS.name, fresh_prompt, 1).json()

    assert again["prompt_eval_count"] == first["prompt_eval_count"] > 1000
    assert again["prompt_eval_duration"] < 0.1 * first["prompt_eval_duration"]


def test_a_nonce_at_the_start_defeats_the_prompt_cache(ask: Ask, fresh_prompt: str) -> None:
    first = ask(NEVER_STOPS.name, fresh_prompt, 1).json()
    with_nonce = ask(NEVER_STOPS.name, uuid.uuid4().hex + fresh_prompt[32:], 1).json()

    assert with_nonce["prompt_eval_count"] == pytest.approx(first["prompt_eval_count"], rel=0.05)
    assert with_nonce["prompt_eval_duration"] > 0.4 * first["prompt_eval_duration"]


def test_a_nonce_at_the_end_does_not_defeat_the_prompt_cache(ask: Ask, fresh_prompt: str) -> None:
    first = ask(NEVER_STOPS.name, fresh_prompt, 1).json()
    with_nonce = ask(NEVER_STOPS.name, fresh_prompt + uuid.uuid4().hex, 1).json()

    assert with_nonce["prompt_eval_duration"] < 0.4 * first["prompt_eval_duration"]
