"""The simulator's counters agree with its own clock and with what a client sees."""

from __future__ import annotations

import json
import statistics
import threading
import time
from typing import Any

import pytest
import requests

from agent.simulator import ModelSpec, SimulatedOllama

TIMEOUT_S = 30
NS_PER_S = 1_000_000_000
STEADY = ModelSpec("steady", decode_tps=200, prefill_tps=2000, load_s=0, depth_cost_per_1k=0)
NOISE_LIMIT = 0.04
"""One per cent of noise is cut at three; the rest is lateness of a busy machine."""


def ask(ollama: SimulatedOllama, prompt: str, count: int) -> tuple[list[int], dict[str, Any]]:
    """Arrival times in ns since sending, and the last line."""
    body = {"model": "steady", "prompt": prompt, "raw": True, "options": {"num_predict": count}}
    start = time.perf_counter_ns()
    arrivals, last = [], b""
    with requests.post(f"{ollama.url}/api/generate", json=body, stream=True, timeout=TIMEOUT_S) as response:
        for line in response.iter_lines():
            arrivals.append(time.perf_counter_ns() - start)
            last = line
    return arrivals, json.loads(last)


def decode_tps(last: dict[str, Any]) -> float:
    return (last["eval_count"] - 1) / last["eval_duration"] * NS_PER_S


def test_the_decode_rate_by_the_counters_is_the_models_own() -> None:
    with SimulatedOllama([STEADY]) as ollama:
        _, last = ask(ollama, "x", 100)
    assert decode_tps(last) == pytest.approx(200, rel=NOISE_LIMIT)


def test_the_prefill_rate_by_the_counters_is_the_models_own() -> None:
    with SimulatedOllama([STEADY]) as ollama:
        _, last = ask(ollama, "word " * 500, 1)
    rate = last["prompt_eval_count"] / last["prompt_eval_duration"] * NS_PER_S
    assert rate == pytest.approx(2000, rel=NOISE_LIMIT)


def test_the_counters_are_what_the_client_sees() -> None:
    with SimulatedOllama([STEADY]) as ollama:
        ask(ollama, "warm", 1)
        arrivals, last = ask(ollama, "word " * 200, 100)
    seen_ns = arrivals[99] - arrivals[0]
    assert seen_ns == pytest.approx(last["eval_duration"], rel=0.02)
    assert last["total_duration"] <= arrivals[-1]
    parts = last["load_duration"] + last["prompt_eval_duration"] + last["eval_duration"]
    assert parts <= last["total_duration"]
    assert last["total_duration"] - parts < 0.05 * NS_PER_S


def test_tokens_come_at_even_distances_without_drift() -> None:
    with SimulatedOllama([STEADY]) as ollama:
        arrivals, last = ask(ollama, "x", 150)
    interval = last["eval_duration"] / 149
    late_ms = [(arrivals[k] - arrivals[0] - k * interval) / 1e6 for k in range(150)]
    assert statistics.median(abs(one) for one in late_ms) < 1.0


def test_requests_differ_a_little_but_not_much() -> None:
    with SimulatedOllama([STEADY], speed=4) as ollama:
        rates = [decode_tps(ask(ollama, str(number), 60)[1]) for number in range(8)]
    spread = statistics.stdev(rates) / statistics.mean(rates)
    assert 0.001 < spread < NOISE_LIMIT


def test_speed_multiplies_the_rates_and_shortens_the_load() -> None:
    slow_to_load = ModelSpec("steady", decode_tps=100, load_s=2, depth_cost_per_1k=0)
    with SimulatedOllama([slow_to_load], speed=5) as ollama:
        _, last = ask(ollama, "x", 50)
    assert decode_tps(last) == pytest.approx(500, rel=NOISE_LIMIT)
    assert last["load_duration"] / NS_PER_S == pytest.approx(0.4, abs=0.1)


def test_decoding_is_slower_after_a_long_prompt() -> None:
    deep = ModelSpec("steady", decode_tps=400, prefill_tps=50_000, load_s=0, depth_cost_per_1k=0.2)
    with SimulatedOllama([deep]) as ollama:
        shallow_last, deep_last = ask(ollama, "x", 50)[1], ask(ollama, "word " * 2000, 50)[1]
    assert decode_tps(shallow_last) / decode_tps(deep_last) == pytest.approx(1.4, rel=2 * NOISE_LIMIT)


def run_together(ollama: SimulatedOllama, count: int) -> list[tuple[list[int], dict[str, Any]]]:
    answers: list[tuple[list[int], dict[str, Any]]] = []
    threads = [
        threading.Thread(target=lambda n=number: answers.append(ask(ollama, str(n), 40))) for number in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_one_slot_queues_and_no_field_tells_but_the_total() -> None:
    with SimulatedOllama([STEADY]) as ollama:
        ask(ollama, "warm", 1)
        answers = run_together(ollama, 3)
    first_tokens_s = sorted(arrivals[0] / NS_PER_S for arrivals, _ in answers)
    assert first_tokens_s[1] > 0.15
    assert first_tokens_s[2] > 0.35
    waits = sorted(
        last["total_duration"] - last["load_duration"] - last["prompt_eval_duration"] - last["eval_duration"]
        for _, last in answers
    )
    assert waits[2] / NS_PER_S > 0.35
    assert all(decode_tps(last) == pytest.approx(200, rel=NOISE_LIMIT) for _, last in answers)


def test_parallel_slots_overlap_and_slow_each_other() -> None:
    with SimulatedOllama([STEADY], parallel=3) as ollama:
        ask(ollama, "warm", 1)
        answers = run_together(ollama, 3)
    assert max(arrivals[0] / NS_PER_S for arrivals, _ in answers) < 0.15
    assert all(80 < decode_tps(last) < 195 for _, last in answers)


def test_waiting_costs_hardly_any_processor_time() -> None:
    with SimulatedOllama([ModelSpec("steady", decode_tps=50, load_s=0)]) as ollama:
        start = time.process_time()
        ask(ollama, "x", 50)
        used_s = time.process_time() - start  # of the client too
    assert used_s < 0.15


def test_it_stops_computing_when_the_client_leaves() -> None:
    with SimulatedOllama([STEADY]) as ollama:
        body = {"model": "steady", "prompt": "x", "raw": True, "options": {"num_predict": 4000}}
        with requests.post(f"{ollama.url}/api/generate", json=body, stream=True, timeout=TIMEOUT_S) as response:
            next(response.iter_lines())
        arrivals, _ = ask(ollama, "next", 2)  # one slot: it had to be free
    assert arrivals[0] / NS_PER_S < 1.0
