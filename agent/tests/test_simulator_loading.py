"""Loading, unloading, eviction, expiry and the prompt cache of the simulator."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from agent.simulator import ModelSpec, SimulatedOllama

TIMEOUT_S = 30
LOAD_NS = 200_000_000
DEADLINE_S = 5
ONE_GB = 1_000_000_000


@pytest.fixture
def ollama() -> Iterator[SimulatedOllama]:
    models = [ModelSpec(name, load_s=0.2, prefill_tps=2000, decode_tps=1000) for name in ("one", "two", "three")]
    half = ModelSpec("half", load_s=0.2, gpu_fraction=0.5, size_bytes=ONE_GB)
    with SimulatedOllama([*models, half], max_loaded=2) as running:
        yield running


def ask(ollama: SimulatedOllama, model: str, prompt: str = "x", **more: Any) -> dict[str, Any]:
    options = {"num_predict": 1, **more.pop("options", {})}
    body = {"model": model, "prompt": prompt, "raw": True, "stream": False, "options": options, **more}
    response = requests.post(f"{ollama.url}/api/generate", json=body, timeout=TIMEOUT_S)
    assert response.status_code == 200, response.text
    return dict(json.loads(response.text))


def loaded(ollama: SimulatedOllama) -> dict[str, dict[str, Any]]:
    models = requests.get(f"{ollama.url}/api/ps", timeout=TIMEOUT_S).json()["models"]
    return {one["name"].split(":")[0]: one for one in models}


def wait_for_loaded(ollama: SimulatedOllama, names: set[str]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while set(loaded(ollama)) != names:
        assert time.monotonic() < deadline, loaded(ollama)
        time.sleep(0.005)


def test_the_first_request_loads_and_the_next_does_not(ollama: SimulatedOllama) -> None:
    assert ask(ollama, "one")["load_duration"] >= LOAD_NS
    assert 0 < ask(ollama, "one")["load_duration"] < LOAD_NS / 4


@pytest.mark.parametrize("option", ["num_ctx", "num_gpu", "num_thread", "num_batch"])
def test_what_the_runner_is_started_with_reloads_it(ollama: SimulatedOllama, option: str) -> None:
    ask(ollama, "one", options={option: 16})
    assert ask(ollama, "one", options={option: 16})["load_duration"] < LOAD_NS / 4
    assert ask(ollama, "one", options={option: 17})["load_duration"] >= LOAD_NS


@pytest.mark.parametrize("option", [{"temperature": 0.1}, {"seed": 5}, {"num_predict": 2}, {"stop": ["x"]}])
def test_other_options_do_not_reload(ollama: SimulatedOllama, option: dict[str, Any]) -> None:
    ask(ollama, "one")
    assert ask(ollama, "one", options=option)["load_duration"] < LOAD_NS / 4


def test_only_so_many_models_stay_loaded(ollama: SimulatedOllama) -> None:
    ask(ollama, "one", keep_alive="1m")
    ask(ollama, "two", keep_alive="2m")
    ask(ollama, "three")
    assert set(loaded(ollama)) == {"two", "three"}  # the one with the shortest time left went


def test_unloading_shows_in_ps_an_instant_later(ollama: SimulatedOllama) -> None:
    ask(ollama, "one")
    requests.post(f"{ollama.url}/api/generate", json={"model": "one", "keep_alive": 0}, timeout=TIMEOUT_S)
    wait_for_loaded(ollama, set())
    assert ask(ollama, "one")["load_duration"] >= LOAD_NS


def test_a_model_goes_when_its_keep_alive_is_over(ollama: SimulatedOllama) -> None:
    ask(ollama, "one", keep_alive="150ms")
    ask(ollama, "two", keep_alive="1h")
    wait_for_loaded(ollama, {"two"})


@pytest.mark.parametrize(
    ("keep_alive", "seconds"), [(90, 90), ("2m", 120), ("1h30m", 5400), (None, 300), ("1.5s", 1.5)]
)
def test_ps_shows_when_it_will_go(ollama: SimulatedOllama, keep_alive: object, seconds: float) -> None:
    ask(ollama, "one", keep_alive=keep_alive)
    expires = datetime.fromisoformat(loaded(ollama)["one"]["expires_at"][:19] + "+00:00")
    left_s = (expires - datetime.now(UTC)).total_seconds()
    assert left_s == pytest.approx(seconds, abs=2)


def test_unloading_waits_for_the_request_that_runs(ollama: SimulatedOllama) -> None:
    body = {"model": "one", "prompt": "x", "raw": True, "options": {"num_predict": 200}}
    with requests.post(f"{ollama.url}/api/generate", json=body, stream=True, timeout=TIMEOUT_S) as response:
        lines = response.iter_lines()
        next(lines)
        requests.post(f"{ollama.url}/api/generate", json={"model": "one", "keep_alive": 0}, timeout=TIMEOUT_S)
        assert json.loads(list(lines)[-1])["eval_count"] == 200
    wait_for_loaded(ollama, set())


def test_ps_tells_how_much_is_in_gpu_memory(ollama: SimulatedOllama) -> None:
    ask(ollama, "half")
    half = loaded(ollama)["half"]
    assert half["size_vram"] / half["size"] == pytest.approx(0.5, rel=1e-6)
    assert half["size"] > ONE_GB
    ask(ollama, "half", options={"num_gpu": 0})
    assert loaded(ollama)["half"]["size_vram"] == 0


def test_a_context_longer_than_the_models_is_cut(ollama: SimulatedOllama) -> None:
    ask(ollama, "one", options={"num_ctx": 1_000_000})
    assert loaded(ollama)["one"]["context_length"] == 8192


def test_a_new_digest_behind_a_name_is_another_model(ollama: SimulatedOllama) -> None:
    ask(ollama, "one")
    before = loaded(ollama)["one"]["digest"]
    ollama.models.change("one")
    assert ask(ollama, "one")["load_duration"] >= LOAD_NS
    tags = requests.get(f"{ollama.url}/api/tags", timeout=TIMEOUT_S).json()["models"]
    after = {one["name"]: one["digest"] for one in tags}["one:latest"]
    assert len(after) == 64
    assert after != before


def test_a_longer_prompt_with_a_known_start_pays_for_the_rest_only(ollama: SimulatedOllama) -> None:
    start, rest = "word " * 400, "more " * 100
    cold = ask(ollama, "one", start)
    warm = ask(ollama, "one", start + rest)
    assert cold["prompt_eval_duration"] == pytest.approx(400 / 2000 * 1e9, rel=0.05)
    assert warm["prompt_eval_duration"] == pytest.approx(100 / 2000 * 1e9, rel=0.10)
    assert warm["prompt_eval_count"] == cold["prompt_eval_count"] + 100


def test_only_the_last_prompt_of_a_slot_is_cached(ollama: SimulatedOllama) -> None:
    first, other = "aaaa " * 300, "bbbb " * 300
    for prompt in (first, other, first):
        assert ask(ollama, "one", prompt)["prompt_eval_duration"] > 0.14e9
    assert ask(ollama, "one", first)["prompt_eval_duration"] < 0.02e9


def test_a_reload_empties_the_cache(ollama: SimulatedOllama) -> None:
    prompt = "word " * 300
    ask(ollama, "one", prompt)
    ask(ollama, "one", "x", options={"num_ctx": 2048})
    assert ask(ollama, "one", prompt)["prompt_eval_duration"] > 0.14e9
