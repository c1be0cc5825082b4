"""What OBT's own requests rest on, on the simulator and on a real Ollama alike: lengths, cache, queue, unloading."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
import requests

from agent.tests.test_simulator_contract import PINNED, TIMEOUT_S, Target, ollama, simulator_target

__all__ = ["ollama", "simulator_target"]

CTX = {"num_ctx": 2048}


def long_prompt() -> str:
    """Several hundred tokens that no request has had before, different from the first character on."""
    return f"{uuid.uuid4().hex} " + "measure it again " * 30


def test_every_chunk_carries_the_models_name_and_a_later_time(ollama: Target) -> None:
    lines = ollama.generate("one after the other", 8)
    assert {line["model"] for line in lines} == {ollama.talks}
    times = [datetime.fromisoformat(line["created_at"][:26].rstrip("Z")) for line in lines]
    assert times == sorted(times)


def test_thinking_that_is_switched_off_is_accepted_of_a_model_that_cannot_think(ollama: Target) -> None:
    assert ollama.generate("no thoughts", 3, think=False)[-1]["eval_count"] == 3


def test_num_predict_0_is_not_zero_tokens(ollama: Target) -> None:
    body = {"model": ollama.talks, "prompt": "on and on", "raw": True, "options": {**PINNED, "num_predict": 0}}
    with requests.post(f"{ollama.url}/api/generate", json=body, stream=True, timeout=TIMEOUT_S) as response:
        lines = [json.loads(line) for line, _ in zip(response.iter_lines(), range(20), strict=False)]
    assert [line["done"] for line in lines] == [False] * 20


def test_temperature_0_answers_the_same_prompt_alike(ollama: Target) -> None:
    first, second = ("".join(line["response"] for line in ollama.generate("say it again", 12)) for _ in range(2))
    assert first == second


def test_the_durations_fit_into_the_total(ollama: Target) -> None:
    last = ollama.generate(long_prompt(), 20, options=CTX)[-1]
    parts = last["load_duration"] + last["prompt_eval_duration"] + last["eval_duration"]
    assert parts <= last["total_duration"]


def test_a_prompt_is_counted_alike_raw_and_cut_at_the_same_place(ollama: Target) -> None:
    prompt = long_prompt()
    counts = [ollama.generate(prompt, 1, options=CTX)[-1]["prompt_eval_count"] for _ in range(2)]
    assert counts[0] == counts[1]
    cut = ollama.generate(prompt, 1, options={"num_ctx": 128})[-1]
    assert cut["prompt_eval_count"] == 128


def test_a_prompt_of_just_the_context_is_not_too_long(ollama: Target) -> None:
    prompt = long_prompt()
    length = ollama.generate(prompt, 1, options=CTX)[-1]["prompt_eval_count"]
    fits = {"model": ollama.talks, "prompt": prompt, "raw": True, "truncate": False, "stream": False}
    options = {**PINNED, "num_predict": 1}
    just = ollama.post("/api/generate", {**fits, "options": {**options, "num_ctx": length}})
    assert (just.status_code, just.json()["prompt_eval_count"]) == (200, length)
    over = ollama.post("/api/generate", {**fits, "options": {**options, "num_ctx": length - 1}})
    assert over.status_code == 400


def test_a_cached_start_is_not_computed_again_although_it_is_counted(ollama: Target) -> None:
    prompt = long_prompt()
    cold = ollama.generate(prompt, 1, options=CTX)[-1]
    more = ollama.generate(prompt + " and some more of it", 1, options=CTX)[-1]
    assert more["prompt_eval_count"] > cold["prompt_eval_count"] + 2
    assert more["prompt_eval_duration"] < cold["prompt_eval_duration"] / 2


def test_a_reload_forgets_the_cache(ollama: Target) -> None:
    prompt = long_prompt()
    cold = ollama.generate(prompt, 1, options=CTX)[-1]
    ollama.generate(prompt, 1, options={"num_ctx": 1900})
    again = ollama.generate(prompt, 1, options=CTX)[-1]
    assert again["prompt_eval_duration"] > cold["prompt_eval_duration"] / 3


def at_once(asks: int, ask: Callable[[int], Any]) -> list[Any]:
    """The answers of requests that begin together."""
    gate = threading.Barrier(asks)

    def one(number: int) -> Any:
        gate.wait(TIMEOUT_S)
        return ask(number)

    with ThreadPoolExecutor(asks) as threads:
        return list(threads.map(one, range(asks)))


def test_requests_at_once_all_have_their_exact_length(ollama: Target) -> None:
    ollama.generate("warm up", 1)
    answers = at_once(4, lambda number: ollama.generate(f"number {number}", 10 + number)[-1])
    assert [(one["done_reason"], one["eval_count"]) for one in answers] == [("length", 10 + n) for n in range(4)]


def test_an_unload_waits_for_the_answer_that_runs(ollama: Target) -> None:
    body = {"model": ollama.talks, "prompt": "x", "raw": True, "options": {**PINNED, "num_predict": 200}}
    with requests.post(f"{ollama.url}/api/generate", json=body, stream=True, timeout=TIMEOUT_S) as response:
        lines = response.iter_lines()
        next(lines)
        (unload,) = ollama.lines("/api/generate", {"model": ollama.talks, "keep_alive": 0})
        *_, last = [json.loads(line) for line in lines]
    assert unload["done_reason"] == "unload"
    assert (last["done"], last["eval_count"]) == (True, 200)
    ollama.wait_until_loaded_are(lambda names: ollama.talks not in names)


def test_the_first_request_after_an_unload_has_the_load_in_its_load_duration(ollama: Target) -> None:
    ollama.generate("here", 1)
    warm = ollama.generate("here", 1)[-1]["load_duration"]
    ollama.lines("/api/generate", {"model": ollama.talks, "keep_alive": 0})
    ollama.wait_until_loaded_are(lambda names: ollama.talks not in names)
    cold = ollama.generate("here", 1)[-1]
    assert cold["load_duration"] > 5 * warm
    assert cold["load_duration"] < cold["total_duration"]


@pytest.mark.parametrize("texts", [1, 8])
def test_embed_counts_all_texts_and_answers_each_in_order(ollama: Target, texts: int) -> None:
    inputs = [f"text number {number}" for number in range(texts)]
    answer = ollama.post("/api/embed", {"model": ollama.embeds, "input": inputs}).json()
    alone = [ollama.post("/api/embed", {"model": ollama.embeds, "input": text}).json() for text in inputs]
    assert len(answer["embeddings"]) == texts
    assert answer["prompt_eval_count"] == sum(one["prompt_eval_count"] for one in alone)
    for together, single in zip(answer["embeddings"], alone, strict=True):
        assert together == pytest.approx(single["embeddings"][0], abs=1e-3)


def test_a_prompt_of_every_kind_of_character_is_no_error(ollama: Target) -> None:
    assert ollama.generate('naïve 🙂 Ελληνικά 漢字 \u0000 \\ " \n', 2)[-1]["eval_count"] == 2


def test_unknown_fields_and_options_are_passed_over(ollama: Target) -> None:
    assert ollama.generate("x", 2, unheard_of=True, options={"nobody_knows": 3})[-1]["eval_count"] == 2
