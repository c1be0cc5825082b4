"""The paths under /simulator/ that order faults, tell what was asked and change the models."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from agent.simulator import ModelSpec, SimulatedOllama
from agent.simulator.routes import is_loopback

TIMEOUT_S = 10


@pytest.fixture
def ollama() -> Iterator[SimulatedOllama]:
    with SimulatedOllama([ModelSpec("one", decode_tps=1000, load_s=0)]) as running:
        yield running


def call(ollama: SimulatedOllama, method: str, path: str, body: object = None) -> requests.Response:
    return requests.request(method, ollama.url + path, json=body, timeout=TIMEOUT_S)


def answers(ollama: SimulatedOllama) -> bool:
    try:
        return call(ollama, "GET", "/").ok
    except requests.exceptions.ConnectionError:
        return False


def names(ollama: SimulatedOllama) -> set[str]:
    return {one["name"] for one in call(ollama, "GET", "/api/tags").json()["models"]}


def test_faults_are_ordered_listed_and_cleared(ollama: SimulatedOllama) -> None:
    order = [{"kind": "cut", "after_tokens": 3}, {"kind": "status", "model": "one:latest", "times": 2}]
    answer = call(ollama, "POST", "/simulator/faults", order).json()
    assert [one["kind"] for one in answer["faults"]] == ["cut", "status"]
    assert call(ollama, "GET", "/simulator/faults").json() == answer
    assert call(ollama, "DELETE", "/simulator/faults").json()["faults"] == []


@pytest.mark.parametrize("order", [{"kind": "status"}, [{"kind": "status"}], {"faults": [{"kind": "status"}]}])
def test_a_fault_ordered_over_http_strikes(ollama: SimulatedOllama, order: object) -> None:
    assert call(ollama, "POST", "/simulator/faults", order).status_code == 200
    body = {"model": "one", "prompt": "x", "options": {"num_predict": 1}}
    assert call(ollama, "POST", "/api/generate", body).status_code == 500
    assert call(ollama, "POST", "/api/generate", body).status_code == 200


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ([{"kind": "explode"}], "unknown fault kind"),
        ([{"kind": "cut", "colour": "red"}], "unknown fault field: colour"),
        ([{"after_tokens": 3}], "needs a kind"),
        ([{"kind": "cut", "after_tokens": "3"}], "after_tokens has the wrong type"),
        ([{"kind": "cut", "after_tokens": True}], "after_tokens has the wrong type"),
        ([{"kind": "cut", "after_tokens": -1}], "must not be negative"),
        ([{"kind": "cut", "times": 0}], "times must be 1 or more"),
        ([{"kind": "cut"}, "x"], "a fault must be a JSON object"),
        ("cut", "expected a list of faults"),
    ],
)
def test_a_wrong_order_is_refused_whole(ollama: SimulatedOllama, order: object, words: str) -> None:
    answer = call(ollama, "POST", "/simulator/faults", order)
    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert call(ollama, "GET", "/simulator/faults").json()["faults"] == []


def test_an_order_that_is_not_json_is_refused(ollama: SimulatedOllama) -> None:
    answer = requests.post(f"{ollama.url}/simulator/faults", data="{", timeout=TIMEOUT_S)
    assert answer.status_code == 400


def test_requests_tell_what_was_asked(ollama: SimulatedOllama) -> None:
    options = {"num_predict": 1, "num_ctx": 512}
    body: dict[str, Any] = {"model": "one", "prompt": "p" * 100, "raw": True, "options": options}
    call(ollama, "POST", "/api/generate", {**body, "keep_alive": "1m", "think": False, "truncate": False})
    messages = [{"role": "user", "content": "hello there"}]
    call(ollama, "POST", "/api/chat", {"model": "one", "messages": messages, "options": options})
    generate, chat = call(ollama, "GET", "/simulator/requests").json()["requests"]
    assert generate == {
        "endpoint": "/api/generate",
        "model": "one",
        "options": options,
        "keep_alive": "1m",
        "think": False,
        "raw": True,
        "truncate": False,
        "stream": None,
        "prompt_start": "p" * 60,
    }
    assert (chat["endpoint"], chat["prompt_start"], chat["think"]) == ("/api/chat", "hello there", None)
    assert ollama.requests("/api/chat") == [chat]
    assert call(ollama, "DELETE", "/simulator/requests").json() == {"requests": []}


def test_a_model_can_be_added_changed_and_removed(ollama: SimulatedOllama) -> None:
    added = {"name": "two", "decode_tps": 500, "quantization": "Q8_0"}
    assert call(ollama, "POST", "/simulator/models", {"add": added}).status_code == 200
    assert names(ollama) == {"one:latest", "two:latest"}
    digest = "ab" * 32
    call(ollama, "POST", "/simulator/models", {"change": "two", "to": {"digest": digest}})
    tags = {one["name"]: one for one in call(ollama, "GET", "/api/tags").json()["models"]}
    assert tags["two:latest"]["digest"] == digest
    assert tags["two:latest"]["details"]["quantization_level"] == "Q8_0"
    call(ollama, "POST", "/simulator/models", {"remove": "two"})
    assert names(ollama) == {"one:latest"}


@pytest.mark.parametrize(
    ("order", "status", "words"),
    [
        ({}, 400, "expected"),
        ({"add": {"name": "x"}, "remove": "one"}, 400, "expected"),
        ({"add": {"name": "x", "colour": 1}}, 400, "unknown model field: colour"),
        ({"add": {"decode_tps": 1}}, 400, "needs a name"),
        ({"add": {"name": "x", "decode_tps": 0}}, 400, "speeds must be above 0"),
        ({"add": {"name": "x", "decode_tps": "fast"}}, 400, "not supported between"),
        ({"change": "one", "to": {"load_s": -1}}, 400, "load_s not below 0"),
        ({"remove": "nix"}, 404, "model 'nix' not found"),
        ({"change": "nix"}, 404, "model 'nix' not found"),
    ],
)
def test_a_wrong_change_of_models_is_refused(
    ollama: SimulatedOllama, order: dict[str, Any], status: int, words: str
) -> None:
    answer = call(ollama, "POST", "/simulator/models", order)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert names(ollama) == {"one:latest"}


def test_a_restart_can_be_ordered(ollama: SimulatedOllama) -> None:
    answer = call(ollama, "POST", "/simulator/restart", {"seconds": 30})
    assert answer.json() == {"status": "restarting"}
    deadline = time.monotonic() + TIMEOUT_S
    while answers(ollama):
        assert time.monotonic() < deadline
    start = time.monotonic()
    ollama.stop()
    assert time.monotonic() - start < 5  # not the thirty seconds


def test_a_web_page_cannot_control_it(ollama: SimulatedOllama) -> None:
    headers = {"Origin": "http://evil.example"}
    for method, path in [("POST", "/simulator/faults"), ("GET", "/simulator/requests"), ("POST", "/simulator/restart")]:
        answer = requests.request(method, ollama.url + path, json={}, headers=headers, timeout=TIMEOUT_S)
        assert answer.status_code == 403


def test_another_machine_cannot_control_it() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # nothing is sent; the system names the address it would send from
        address = probe.getsockname()[0]
    if is_loopback(address):
        pytest.skip("this machine has no address but loopback")
    with SimulatedOllama([], host="0.0.0.0") as ollama:
        elsewhere = f"http://{address}:{ollama.port}"
        assert requests.get(f"{elsewhere}/api/version", timeout=TIMEOUT_S).status_code == 200
        assert requests.get(f"{elsewhere}/simulator/requests", timeout=TIMEOUT_S).status_code == 403


@pytest.mark.parametrize(
    ("address", "is_own"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("fe80::1%eth0", False),
    ],
)
def test_what_counts_as_loopback(address: str, is_own: bool) -> None:
    assert is_loopback(address) is is_own


def test_a_deleted_model_can_be_pulled_again_with_progress(ollama: SimulatedOllama) -> None:
    assert call(ollama, "DELETE", "/api/delete", {"model": "one"}).status_code == 200
    assert names(ollama) == set()
    lines = [json.loads(line) for line in call(ollama, "POST", "/api/pull", {"model": "one"}).text.splitlines()]
    layer = [line for line in lines if "total" in line]
    assert lines[0] == {"status": "pulling manifest"}
    assert lines[-1] == {"status": "success"}
    assert [line.get("completed", 0) for line in layer] == sorted(line.get("completed", 0) for line in layer)
    assert layer[-1]["completed"] == layer[-1]["total"]
    assert names(ollama) == {"one:latest"}


def test_a_pull_without_streaming_answers_once(ollama: SimulatedOllama) -> None:
    ok = call(ollama, "POST", "/api/pull", {"model": "sim-smollm2:135m", "stream": False})
    assert ok.json() == {"status": "success"}
    assert "sim-smollm2:135m" in names(ollama)
    failed = call(ollama, "POST", "/api/pull", {"model": "nix", "stream": False})
    assert failed.status_code == 500


def test_create_is_not_simulated(ollama: SimulatedOllama) -> None:
    assert call(ollama, "POST", "/api/create", {"model": "x"}).status_code == 501
