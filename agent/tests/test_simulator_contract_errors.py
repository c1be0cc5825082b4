"""The simulator refuses what a real Ollama refuses, with the same status and in the same words."""

from __future__ import annotations

import pytest
import requests

from agent.tests.test_simulator_contract import PINNED, TIMEOUT_S, Target, ollama, simulator_target

__all__ = ["ollama", "simulator_target"]

REFUSALS: list[tuple[str, str, str, int, str]] = [
    ("POST", "/api/generate", '{"model":"nix","prompt":"x"}', 404, "model 'nix' not found"),
    ("POST", "/api/chat", '{"model":"nix","messages":[]}', 404, "model 'nix' not found"),
    ("POST", "/api/embed", '{"model":"nix","input":"x"}', 404, 'model "nix" not found, try pulling it first'),
    ("POST", "/api/show", '{"model":"nix"}', 404, "model 'nix' not found"),
    ("DELETE", "/api/delete", '{"model":"nix"}', 404, "model 'nix' not found"),
    ("POST", "/api/copy", '{"source":"nix","destination":"b"}', 404, 'model "nix" not found'),
    ("POST", "/api/copy", '{"source":"","destination":"b"}', 400, 'source "" is invalid'),
    ("POST", "/api/generate", "{}", 404, "model '' not found"),
    ("POST", "/api/chat", "{}", 400, "model is required"),
    ("POST", "/api/embed", "{}", 404, "model '' not found"),
    ("POST", "/api/show", "{}", 400, "model is required"),
    ("DELETE", "/api/delete", "{}", 400, "model is required"),
    ("POST", "/api/pull", "{}", 400, "invalid model name"),
    ("POST", "/api/generate", '{"model":"a b!!","prompt":"x"}', 400, "invalid model name"),
    ("POST", "/api/generate", "", 400, "missing request body"),
    ("POST", "/api/generate", "{bad", 400, "invalid character 'b' looking for beginning of object key string"),
    ("POST", "/api/generate", '{"model":', 400, "unexpected EOF"),
    ("POST", "/api/generate", '{"model":NaN}', 400, "invalid character 'N' looking for beginning of value"),
    ("POST", "/api/chat", "[1]", 400, "json: cannot unmarshal array into Go value of type api.ChatRequest"),
    (
        "POST", "/api/embed", '{"model":3}', 400,
        "json: cannot unmarshal number into Go struct field EmbedRequest.model of type string",
    ),
    (
        "POST", "/api/generate", '{"model":"$M","options":"x"}', 400,
        "json: cannot unmarshal string into Go struct field GenerateRequest.options of type map[string]interface {}",
    ),
    (
        "POST", "/api/generate", '{"model":"$M","prompt":"x","options":{"num_predict":"x"}}', 500,
        'option "num_predict" must be of type integer',
    ),
    (
        "POST", "/api/generate", '{"model":"$M","prompt":"x","options":{"stop":"x"}}', 500,
        'option "stop" must be of type array',
    ),
    ("POST", "/api/generate", '{"model":"$M","prompt":"x","keep_alive":"abc"}', 400, 'time: invalid duration "abc"'),
    ("POST", "/api/generate", '{"model":"$M","keep_alive":[]}', 400, "Unsupported type: '[]interface {}'"),
    ("POST", "/api/generate", '{"model":"$M","prompt":"x","think":true}', 400, '"$M" does not support thinking'),
    (
        "POST", "/api/generate", '{"model":"$M","prompt":"x","think":3}', 400,
        'think must be a boolean or string ("high", "medium", "low", "max", true, or false)',
    ),
    (
        "POST", "/api/generate", '{"model":"$M","prompt":"x","raw":true,"system":"y"}', 400,
        "raw mode does not support template, system, or context",
    ),
    ("POST", "/api/generate", '{"model":"$E","prompt":"x"}', 400, '"$E" does not support generate'),
    ("POST", "/api/chat", '{"model":"$E","messages":[]}', 400, '"$E" does not support chat'),
    ("POST", "/api/embed", '{"model":"$E","input":[1]}', 400, "invalid input type"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "status", "message"), REFUSALS)
def test_it_refuses_in_the_same_words(
    ollama: Target, method: str, path: str, body: str, status: int, message: str
) -> None:
    def filled(text: str) -> str:
        return text.replace("$M", ollama.talks).replace("$E", ollama.embeds)

    response = requests.request(method, ollama.url + path, data=filled(body), timeout=TIMEOUT_S)
    assert (response.status_code, response.json()) == (status, {"error": filled(message)})


def test_paths_and_methods_it_does_not_know(ollama: Target) -> None:
    unknown = requests.get(f"{ollama.url}/nope", timeout=TIMEOUT_S)
    assert (unknown.status_code, unknown.text) == (404, "404 page not found")
    wrong = requests.get(f"{ollama.url}/api/generate", timeout=TIMEOUT_S)
    assert (wrong.status_code, wrong.text) == (405, "405 method not allowed")


@pytest.mark.parametrize("stream", [True, False])
def test_a_prompt_too_long_is_refused_when_it_may_not_be_cut(ollama: Target, stream: bool) -> None:
    body = {"model": ollama.talks, "prompt": "far too long " * 300, "raw": True, "options": PINNED}
    response = ollama.post("/api/generate", {**body, "truncate": False, "stream": stream})
    assert response.status_code == 400
    assert response.json() == {"error": "the input length exceeds the context length"}


def test_embed_refuses_or_cuts_what_is_too_long(ollama: Target) -> None:
    body = {"model": ollama.embeds, "input": "hello you " * 100, "options": {"num_ctx": 64}}
    refused = ollama.post("/api/embed", {**body, "truncate": False})
    assert refused.status_code == 400
    assert refused.json() == {"error": "the input length exceeds the context length"}
    assert ollama.post("/api/embed", body).json()["prompt_eval_count"] == 63


def test_a_pull_that_fails_says_so_in_the_stream(ollama: Target) -> None:
    lines = ollama.lines("/api/pull", {"model": "http://127.0.0.1:1/library/x:latest", "insecure": True})
    assert lines[0] == {"status": "pulling manifest"}
    assert lines[1]["error"].startswith("pull model manifest: ")
