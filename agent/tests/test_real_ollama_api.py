"""How a real Ollama answers what OBT asks of it beside numbers: errors, loading and unloading, capabilities."""

from __future__ import annotations

import dataclasses
import json
import time
import uuid
from typing import Any

import pytest
import requests

from agent.real_ollama.fixtures import REAL_OLLAMA_MARKS, StartRealOllama
from agent.real_ollama.models import EMBEDS, NEVER_STOPS, SLOWER
from agent.real_ollama.tools import DEFAULT_VERSION
from agent.tests.conftest import REQUEST_TIMEOUT_S, Ask

pytestmark = REAL_OLLAMA_MARKS

UNLOAD_TIMEOUT_S = 15


def post(url: str, path: str, body: dict[str, Any], stream: bool = False) -> requests.Response:
    return requests.post(url + path, json=body, timeout=REQUEST_TIMEOUT_S, stream=stream)


def loaded_models(url: str) -> list[str]:
    answer = requests.get(f"{url}/api/ps", timeout=REQUEST_TIMEOUT_S).json()
    return [model["name"] for model in answer["models"]]


def digest_of(url: str, name: str) -> str:
    models = requests.get(f"{url}/api/tags", timeout=REQUEST_TIMEOUT_S).json()["models"]
    return str(next(model["digest"] for model in models if model["name"] == name))


def test_it_says_its_version(real_ollama: str) -> None:
    assert requests.get(f"{real_ollama}/api/version", timeout=REQUEST_TIMEOUT_S).json() == {"version": DEFAULT_VERSION}


def test_it_lists_the_tiny_models_with_what_identifies_them(real_ollama: str, real_ollama_models: list[str]) -> None:
    models = requests.get(f"{real_ollama}/api/tags", timeout=REQUEST_TIMEOUT_S).json()["models"]

    assert {model["name"] for model in models} == set(real_ollama_models)
    assert {model["details"]["format"] for model in models} == {"gguf"}
    assert len({model["digest"] for model in models}) == len(real_ollama_models)


def test_a_prompt_longer_than_the_context_is_refused_when_truncation_is_off(ask: Ask, fresh_prompt: str) -> None:
    answer = ask(NEVER_STOPS.name, fresh_prompt * 5, 1)

    assert answer.status_code == 400
    assert "exceeds the context length" in answer.json()["error"]


def test_an_unknown_model_is_not_found(ask: Ask) -> None:
    answer = ask("nobody-has-this:latest", "hello", 1)

    assert answer.status_code == 404
    assert "nobody-has-this:latest" in answer.json()["error"]


def test_keep_alive_zero_unloads_the_model(real_ollama: str, ask: Ask) -> None:
    ask(SLOWER.name, "hello", 1)
    assert SLOWER.name in loaded_models(real_ollama)

    answer = post(real_ollama, "/api/generate", {"model": SLOWER.name, "keep_alive": 0, "stream": False}).json()

    assert (answer["done"], answer["done_reason"]) == (True, "unload")
    # It is still listed for an instant: whoever measures a load has to wait until it is gone.
    deadline = time.monotonic() + UNLOAD_TIMEOUT_S
    while SLOWER.name in loaded_models(real_ollama):
        assert time.monotonic() < deadline, "the model was never unloaded"
        time.sleep(0.02)


def test_an_empty_prompt_only_loads(real_ollama: str) -> None:
    answer = post(real_ollama, "/api/generate", {"model": NEVER_STOPS.name, "stream": False}).json()

    assert (answer["done"], answer["done_reason"]) == (True, "load")
    assert "eval_count" not in answer
    assert NEVER_STOPS.name in loaded_models(real_ollama)


def test_the_placement_is_read_from_what_is_loaded(real_ollama: str, ask: Ask) -> None:
    ask(NEVER_STOPS.name, "hello", 1)
    loaded = requests.get(f"{real_ollama}/api/ps", timeout=REQUEST_TIMEOUT_S).json()["models"]
    model = next(model for model in loaded if model["name"] == NEVER_STOPS.name)

    assert model["size"] > 0
    assert model["size_vram"] == 0  # this build has no GPU library, so it runs on the CPU on every machine
    assert model["context_length"] == 4096


@pytest.mark.parametrize(("name", "capability"), [(EMBEDS.name, "embedding"), (NEVER_STOPS.name, "completion")])
def test_it_says_what_a_model_can_do(real_ollama: str, name: str, capability: str) -> None:
    assert post(real_ollama, "/api/show", {"model": name}).json()["capabilities"] == [capability]


def test_the_embedding_model_gives_one_vector_for_each_input(real_ollama: str) -> None:
    answer = post(real_ollama, "/api/embed", {"model": EMBEDS.name, "input": ["one text", "and another"]}).json()

    assert [len(vector) for vector in answer["embeddings"]] == [EMBEDS.embedding] * 2
    assert answer["embeddings"][0] != answer["embeddings"][1]
    assert answer["prompt_eval_count"] > 2


def test_a_stream_ends_with_the_counters_and_has_text_before(real_ollama: str) -> None:
    options = {"num_predict": 32, "temperature": 0}
    body = {"model": NEVER_STOPS.name, "prompt": uuid.uuid4().hex, "raw": True, "options": options}
    chunks = [json.loads(line) for line in post(real_ollama, "/api/generate", body, stream=True).iter_lines()]

    assert [chunk["done"] for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert "".join(chunk["response"] for chunk in chunks)
    assert chunks[-1]["eval_count"] == 32


def test_another_seed_behind_the_same_name_has_another_digest(start_real_ollama: StartRealOllama) -> None:
    ollama = start_real_ollama([NEVER_STOPS])
    before = digest_of(ollama.url, NEVER_STOPS.name)
    ollama.create(dataclasses.replace(NEVER_STOPS, seed=99))

    assert digest_of(ollama.url, NEVER_STOPS.name) != before


def test_a_killed_server_breaks_the_stream_without_a_done_and_can_come_back(start_real_ollama: StartRealOllama) -> None:
    ollama = start_real_ollama([NEVER_STOPS])
    body = {"model": NEVER_STOPS.name, "prompt": "hello", "raw": True, "options": {"num_predict": 4000}}
    lines = post(ollama.url, "/api/generate", body, stream=True).iter_lines()
    url, first = ollama.url, json.loads(next(lines))
    ollama.process.kill()

    with pytest.raises(requests.exceptions.RequestException):
        list(lines)
    assert first["done"] is False
    ollama.process.start()
    assert ollama.url == url
    assert digest_of(url, NEVER_STOPS.name)
