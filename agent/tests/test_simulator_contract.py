"""The same assertions on the simulator and on a real Ollama: what the one does, the other does.

Fields, order, errors, cache, loading and unloading, as seen with Ollama 0.24.0. Only durations differ.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from agent.real_ollama.fixtures import REAL_OLLAMA_MARKS
from agent.simulator import ModelSpec, SimulatedOllama

TIMEOUT_S = 120
UNLOAD_DEADLINE_S = 20
PINNED = {"num_ctx": 512, "temperature": 0, "seed": 1, "num_thread": 1}
GENERATE_FIELDS = ["model", "created_at", "response", "done"]
LAST_FIELDS = [*GENERATE_FIELDS, "done_reason"]
COUNTERS = [
    "total_duration",
    "load_duration",
    "prompt_eval_count",
    "prompt_eval_duration",
    "eval_count",
    "eval_duration",
]
DETAILS = {"parent_model", "format", "family", "families", "parameter_size", "quantization_level"}


@dataclass(frozen=True)
class Target:
    """An Ollama under test and its models: one that talks for ever, one that stops by itself, one that embeds."""

    url: str
    talks: str
    stops: str
    embeds: str

    def post(self, path: str, body: object, method: str = "POST") -> requests.Response:
        return requests.request(method, self.url + path, json=body, timeout=TIMEOUT_S)

    def get(self, path: str) -> Any:
        return requests.get(self.url + path, timeout=TIMEOUT_S).json()

    def lines(self, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        response = self.post(path, body)
        assert response.status_code == 200, response.text
        return [json.loads(line) for line in response.text.splitlines()]

    def generate(self, prompt: str, num_predict: int = 6, **more: Any) -> list[dict[str, Any]]:
        options = {**PINNED, "num_predict": num_predict, **more.pop("options", {})}
        body = {"model": self.talks, "prompt": prompt, "raw": True, "options": options, **more}
        return self.lines("/api/generate", body)

    def loaded(self) -> list[str]:
        return [one["name"] for one in self.get("/api/ps")["models"]]

    def wait_until_loaded_are(self, wanted: Callable[[list[str]], bool]) -> None:
        deadline = time.monotonic() + UNLOAD_DEADLINE_S
        while not wanted(self.loaded()):
            assert time.monotonic() < deadline, self.loaded()
            time.sleep(0.02)


def expiry_year(ollama: Target) -> int:
    (one,) = [one for one in ollama.get("/api/ps")["models"] if one["name"] == ollama.talks]
    return int(one["expires_at"][:4])


@pytest.fixture(scope="module")
def simulator_target() -> Iterator[Target]:
    models = [
        ModelSpec("sim-talks:latest", load_s=0.3),
        ModelSpec("sim-stops:latest", end_probability=0.05, load_s=0.3),
        ModelSpec("sim-embeds:latest", capabilities=("embedding",), load_s=0.3),
    ]
    with SimulatedOllama(models) as simulator:
        yield Target(simulator.url, "sim-talks:latest", "sim-stops:latest", "sim-embeds:latest")


@pytest.fixture(params=["simulator", pytest.param("real", marks=REAL_OLLAMA_MARKS)])
def ollama(request: pytest.FixtureRequest) -> Target:
    if request.param == "simulator":
        target: Target = request.getfixturevalue("simulator_target")
        return target
    url = request.getfixturevalue("real_ollama")
    return Target(str(url), "obt-tiny:latest", "obt-stops:latest", "obt-embed:latest")


def test_it_says_that_it_runs(ollama: Target) -> None:
    response = requests.get(ollama.url, timeout=TIMEOUT_S)
    assert response.text == "Ollama is running"
    assert requests.head(ollama.url, timeout=TIMEOUT_S).status_code == 200
    assert ollama.get("/api/version")["version"].startswith("0.24.0")


def test_tags_list_each_model_with_digest_size_and_details(ollama: Target) -> None:
    models = {one["name"]: one for one in ollama.get("/api/tags")["models"]}
    one = models[ollama.talks]
    assert list(one) == ["name", "model", "modified_at", "size", "digest", "details"]
    assert len(one["digest"]) == 64
    assert one["size"] > 0
    assert set(one["details"]) == DETAILS


def test_show_tells_capabilities_and_context_length(ollama: Target) -> None:
    talks = ollama.post("/api/show", {"model": ollama.talks}).json()
    embeds = ollama.post("/api/show", {"model": ollama.embeds}).json()
    assert "completion" in talks["capabilities"]
    assert embeds["capabilities"] == ["embedding"]
    architecture = talks["model_info"]["general.architecture"]
    assert talks["model_info"][f"{architecture}.context_length"] >= 4096
    assert set(talks["details"]) == DETAILS


def test_a_raw_stream_has_a_line_per_chunk_and_the_counters_in_the_last(ollama: Target) -> None:
    *chunks, last = ollama.generate("how far is the moon", 6)
    assert all(list(line) == GENERATE_FIELDS and line["done"] is False and line["response"] for line in chunks)
    assert list(last) == [*LAST_FIELDS, *COUNTERS]
    assert last["done"] is True
    assert last["done_reason"] == "length"
    assert last["response"] == ""
    assert last["eval_count"] == 6


def test_a_stream_is_chunked_json_lines(ollama: Target) -> None:
    response = ollama.post(
        "/api/generate", {"model": ollama.talks, "prompt": "x", "options": {**PINNED, "num_predict": 2}}
    )
    assert response.headers["Content-Type"] == "application/x-ndjson"
    assert response.headers["Transfer-Encoding"] == "chunked"


def test_without_streaming_one_object_holds_text_and_counters(ollama: Target) -> None:
    streamed = ollama.generate("same words again", 5)
    (whole,) = ollama.generate("same words again", 5, stream=False)
    assert whole["response"] == "".join(line["response"] for line in streamed)
    assert list(whole) == [*LAST_FIELDS, *COUNTERS]


def test_a_prompt_that_is_not_raw_comes_back_as_context(ollama: Target) -> None:
    last = ollama.generate("not raw", 3, raw=False)[-1]
    assert len(last["context"]) >= 3  # prompt and answer, tokenised as one text: neighbours may have merged
    assert all(isinstance(number, int) for number in last["context"])
    assert list(last) == [*LAST_FIELDS, "context", *COUNTERS]


def test_one_token_has_no_eval_duration(ollama: Target) -> None:
    last = ollama.generate("only one", 1)[-1]
    assert last["eval_count"] == 1
    assert "eval_duration" not in last


def test_a_repeated_prompt_is_cached_but_counted_in_full(ollama: Target) -> None:
    prompt = "measure it again " * 60
    first = ollama.generate(prompt, 1, options={"num_ctx": 2048})[-1]
    second = ollama.generate(prompt, 1, options={"num_ctx": 2048})[-1]
    assert second["prompt_eval_count"] == first["prompt_eval_count"] > 100
    assert second["prompt_eval_duration"] < first["prompt_eval_duration"] / 3


def test_another_start_of_the_prompt_defeats_the_cache(ollama: Target) -> None:
    prompt = "measure it again " * 60
    cold = [ollama.generate(f"{nonce} {prompt}", 1, options={"num_ctx": 2048})[-1] for nonce in ("8qz", "3xk")]
    warm = ollama.generate(f"3xk {prompt}", 1, options={"num_ctx": 2048})[-1]
    assert min(one["prompt_eval_duration"] for one in cold) > 3 * warm["prompt_eval_duration"]


def test_a_warm_load_duration_is_small_but_not_zero(ollama: Target) -> None:
    ollama.generate("warm up", 1)
    last = ollama.generate("measured", 1)[-1]
    assert 0 < last["load_duration"] < 200_000_000


def test_another_num_ctx_reloads_the_model(ollama: Target) -> None:
    ollama.generate("small", 1, options={"num_ctx": 512})
    last = ollama.generate("large", 1, options={"num_ctx": 640})[-1]
    context = {one["name"]: one["context_length"] for one in ollama.get("/api/ps")["models"]}
    assert last["load_duration"] > 200_000_000
    assert context[ollama.talks] == 640


def test_an_empty_prompt_loads_and_with_keep_alive_0_unloads(ollama: Target) -> None:
    (load,) = ollama.lines("/api/generate", {"model": ollama.talks, "options": PINNED})
    assert list(load) == LAST_FIELDS
    assert load["done_reason"] == "load"
    assert ollama.talks in ollama.loaded()
    (unload,) = ollama.lines("/api/generate", {"model": ollama.talks, "keep_alive": 0})
    assert unload["done_reason"] == "unload"
    ollama.wait_until_loaded_are(lambda names: ollama.talks not in names)


def test_keep_alive_0_with_a_prompt_unloads_after_the_answer(ollama: Target) -> None:
    last = ollama.generate("and then go", 2, keep_alive=0)[-1]
    assert last["eval_count"] == 2
    ollama.wait_until_loaded_are(lambda names: ollama.talks not in names)


def test_ps_tells_placement_context_and_expiry(ollama: Target) -> None:
    ollama.generate("here I am", 1, keep_alive="10m")
    tags = {one["name"]: one for one in ollama.get("/api/tags")["models"]}
    (one,) = [one for one in ollama.get("/api/ps")["models"] if one["name"] == ollama.talks]
    assert list(one) == ["name", "model", "size", "digest", "details", "expires_at", "size_vram", "context_length"]
    assert one["digest"] == tags[ollama.talks]["digest"]
    assert 0 <= one["size_vram"] <= one["size"]
    assert one["context_length"] == 512


def test_a_negative_keep_alive_stays_for_centuries(ollama: Target) -> None:
    ollama.generate("stay", 1, keep_alive=-1)
    deadline = time.monotonic() + UNLOAD_DEADLINE_S
    while expiry_year(ollama) < 2300:  # the real one writes it down a moment after the answer
        assert time.monotonic() < deadline
        time.sleep(0.02)
    ollama.generate("go", 1, keep_alive=0)


def test_a_prompt_too_long_is_cut_to_the_context_otherwise(ollama: Target) -> None:
    last = ollama.generate("far too long " * 60, 1, options={"num_ctx": 64})[-1]
    assert last["prompt_eval_count"] == 64


def test_without_shift_it_ends_when_the_context_is_full(ollama: Target) -> None:
    last = ollama.generate("hello", 100, shift=False, options={"num_ctx": 24})[-1]
    assert last["done_reason"] == "length"
    assert last["prompt_eval_count"] + last["eval_count"] == 25


def test_a_model_with_a_likely_end_stops_by_itself(ollama: Target) -> None:
    body = {"model": ollama.stops, "prompt": "abc def", "raw": True, "options": {**PINNED, "num_predict": 400}}
    last = ollama.lines("/api/generate", body)[-1]
    assert last["done_reason"] == "stop"
    assert last["eval_count"] < 400


def test_a_stop_string_ends_the_answer_and_is_not_sent(ollama: Target) -> None:
    text = "".join(line["response"] for line in ollama.generate("stop somewhere", 12))
    stop = text[6:8]
    lines = ollama.generate("stop somewhere", 12, options={"stop": [stop]})
    assert lines[-1]["done_reason"] == "stop"
    assert "".join(line["response"] for line in lines) == text[: text.index(stop)]


def test_chat_streams_messages(ollama: Target) -> None:
    options = {**PINNED, "num_predict": 4}
    body = {"model": ollama.talks, "messages": [{"role": "user", "content": "hello"}], "options": options}
    *chunks, last = ollama.lines("/api/chat", body)
    assert all(line["message"]["role"] == "assistant" and line["message"]["content"] for line in chunks)
    assert list(last) == ["model", "created_at", "message", "done", "done_reason", *COUNTERS]
    assert last["message"] == {"role": "assistant", "content": ""}
    (load,) = ollama.lines("/api/chat", {"model": ollama.talks, "messages": [], "options": PINNED})
    assert load["done_reason"] == "load"


def test_embed_answers_a_unit_vector_per_input_and_the_sum_of_tokens(ollama: Target) -> None:
    one = ollama.post("/api/embed", {"model": ollama.embeds, "input": "there you"}).json()
    two = ollama.post("/api/embed", {"model": ollama.embeds, "input": ["there you", "there you"]}).json()
    assert list(two) == ["model", "embeddings", "total_duration", "load_duration", "prompt_eval_count"]
    assert two["prompt_eval_count"] == 2 * one["prompt_eval_count"]
    assert [sum(value * value for value in row) for row in two["embeddings"]] == pytest.approx([1, 1], abs=1e-4)
    small = ollama.post("/api/embed", {"model": ollama.embeds, "input": "there you", "dimensions": 3}).json()
    assert len(small["embeddings"][0]) == 3


def test_embed_of_nothing_is_empty_without_counters(ollama: Target) -> None:
    answer = ollama.post("/api/embed", {"model": ollama.embeds}).json()
    assert answer == {"model": ollama.embeds, "embeddings": []}


def test_a_copy_has_the_same_digest_and_can_be_deleted(ollama: Target) -> None:
    assert ollama.post("/api/copy", {"source": ollama.talks, "destination": "copied"}).status_code == 200
    digests = {one["name"]: one["digest"] for one in ollama.get("/api/tags")["models"]}
    assert digests["copied:latest"] == digests[ollama.talks]
    assert ollama.post("/api/delete", {"model": "copied"}, "DELETE").status_code == 200
    assert "copied:latest" not in {one["name"] for one in ollama.get("/api/tags")["models"]}


def test_it_goes_on_after_a_client_left_in_the_middle(ollama: Target) -> None:
    body = {"model": ollama.talks, "prompt": "long", "raw": True, "options": {**PINNED, "num_predict": 400}}
    with requests.post(f"{ollama.url}/api/generate", json=body, stream=True, timeout=TIMEOUT_S) as response:
        next(response.iter_lines())
    assert ollama.generate("after that", 2)[-1]["eval_count"] == 2
