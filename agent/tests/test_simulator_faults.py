"""Each fault the simulator can be asked for, seen from a client."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from agent.simulator import ModelSpec, SimulatedOllama
from agent.simulator.faults import KINDS

TIMEOUT_S = 10
SHORT_TIMEOUT_S = 0.4
BROKEN = (requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)


@pytest.fixture
def ollama() -> Iterator[SimulatedOllama]:
    models = [ModelSpec("one", decode_tps=1000, load_s=0), ModelSpec("two", decode_tps=1000, load_s=0)]
    with SimulatedOllama([*models, ModelSpec("embeds", load_s=0, capabilities=("embedding",))]) as running:
        yield running


def post(ollama: SimulatedOllama, model: str = "one", timeout_s: float = TIMEOUT_S, **more: Any) -> requests.Response:
    body = {"model": model, "prompt": "x", "raw": True, "options": {"num_predict": 10}, **more}
    return requests.post(f"{ollama.url}/api/generate", json=body, stream=True, timeout=timeout_s)


def lines_until_it_breaks(response: requests.Response) -> list[bytes]:
    lines: list[bytes] = []
    with pytest.raises(BROKEN):
        lines.extend(response.iter_lines())
    return lines


def models_when_back(ollama: SimulatedOllama) -> list[str]:
    """Wait until it answers again; the names of the loaded models."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            models = requests.get(f"{ollama.url}/api/ps", timeout=TIMEOUT_S).json()["models"]
            return [one["name"] for one in models]
        except requests.exceptions.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def parsed(response: requests.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in response.iter_lines()]


def test_cut_closes_the_connection_in_the_middle(ollama: SimulatedOllama) -> None:
    ollama.add_fault("cut", after_tokens=4)
    assert len(lines_until_it_breaks(post(ollama))) == 4
    assert parsed(post(ollama))[-1]["done"] is True  # once was ordered


def test_cut_at_the_start_sends_nothing(ollama: SimulatedOllama) -> None:
    ollama.add_fault("cut")
    with pytest.raises(requests.exceptions.ConnectionError):
        post(ollama)


def test_error_line_comes_after_status_200(ollama: SimulatedOllama) -> None:
    ollama.add_fault("error_line", after_tokens=3, message="CUDA error: out of memory")
    response = post(ollama)
    assert response.status_code == 200
    *chunks, last = parsed(response)
    assert len(chunks) == 3
    assert last == {"error": "CUDA error: out of memory"}


def test_an_error_before_the_first_token_is_a_500(ollama: SimulatedOllama) -> None:
    ollama.add_fault("error_line")
    response = post(ollama)
    assert response.status_code == 500
    assert "error was encountered" in response.json()["error"]


def test_hang_sends_not_even_headers(ollama: SimulatedOllama) -> None:
    ollama.add_fault("hang")
    with pytest.raises(requests.exceptions.ReadTimeout):
        post(ollama, timeout_s=SHORT_TIMEOUT_S)


def test_hang_in_the_middle_stalls_the_stream(ollama: SimulatedOllama) -> None:
    ollama.add_fault("hang", after_tokens=5)
    response = post(ollama, timeout_s=SHORT_TIMEOUT_S)
    assert len(lines_until_it_breaks(response)) == 5


def test_hang_with_a_time_goes_on_after_it(ollama: SimulatedOllama) -> None:
    ollama.add_fault("hang", after_tokens=5, seconds=0.3)
    start = time.monotonic()
    assert parsed(post(ollama))[-1]["done"] is True
    assert time.monotonic() - start >= 0.3


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        ("load_failed", 500, "llama runner process has terminated"),
        ("out_of_memory", 500, "model requires more system memory"),
        ("queue_full", 503, "server busy, please try again.  maximum pending requests exceeded"),
        ("status", 500, "as ordered"),
    ],
)
def test_errors_instead_of_an_answer(ollama: SimulatedOllama, kind: str, status: int, words: str) -> None:
    ollama.add_fault(kind)
    response = post(ollama)
    assert response.status_code == status
    assert words in response.json()["error"]
    assert post(ollama).status_code == 200


def test_status_can_be_any_with_any_message(ollama: SimulatedOllama) -> None:
    ollama.add_fault("status", status=429, message="slow down")
    response = post(ollama)
    assert (response.status_code, response.json()) == (429, {"error": "slow down"})


def test_garbage_is_one_line_and_the_stream_goes_on(ollama: SimulatedOllama) -> None:
    ollama.add_fault("garbage", after_tokens=2, size_bytes=100_000)
    lines = list(post(ollama).iter_lines())
    with pytest.raises(json.JSONDecodeError):
        json.loads(lines[2])
    assert len(lines[2]) == 99_999
    assert json.loads(lines[-1])["eval_count"] == 10


def test_slow_start_delays_the_first_token_and_only_the_total_tells(ollama: SimulatedOllama) -> None:
    ollama.add_fault("slow_start", seconds=0.3)
    last = parsed(post(ollama))[-1]
    assert last["total_duration"] > 0.3e9
    assert last["load_duration"] + last["prompt_eval_duration"] + last["eval_duration"] < 0.2e9


def test_wrong_counts_do_not_fit_the_stream(ollama: SimulatedOllama) -> None:
    ollama.add_fault("wrong_counts", delta=-3)
    assert parsed(post(ollama))[-1]["eval_count"] == 7


def test_early_stop_says_stop(ollama: SimulatedOllama) -> None:
    ollama.add_fault("early_stop", after_tokens=4)
    *chunks, last = parsed(post(ollama))
    assert len(chunks) == 4
    assert last["done_reason"] == "stop"


def test_no_done_ends_the_stream_without_its_last_line(ollama: SimulatedOllama) -> None:
    ollama.add_fault("no_done", after_tokens=6)
    lines = parsed(post(ollama))
    assert [line["done"] for line in lines] == [False] * 6


def test_restart_cuts_all_and_comes_back_on_the_same_port_with_nothing_loaded(ollama: SimulatedOllama) -> None:
    parsed(post(ollama, "two"))
    ollama.add_fault("restart", after_tokens=3, seconds=0.5)
    assert len(lines_until_it_breaks(post(ollama))) == 3
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(f"{ollama.url}/api/ps", timeout=TIMEOUT_S)
    assert models_when_back(ollama) == []


def test_a_fault_is_for_one_model_only_when_it_names_one(ollama: SimulatedOllama) -> None:
    ollama.add_fault("status", model="two:latest")
    assert post(ollama, "one").status_code == 200
    assert post(ollama, "two").status_code == 500


def test_a_fault_strikes_as_often_as_ordered(ollama: SimulatedOllama) -> None:
    ollama.add_fault("status", times=2)
    assert [post(ollama).status_code for _ in range(3)] == [500, 500, 200]
    ollama.add_fault("status", times=None)
    assert [post(ollama).status_code for _ in range(3)] == [500, 500, 500]
    ollama.clear_faults()
    assert post(ollama).status_code == 200


def test_a_fault_for_a_path_strikes_there(ollama: SimulatedOllama) -> None:
    ollama.add_fault("status", endpoint="/api/tags", status=502)
    assert post(ollama).status_code == 200
    assert requests.get(f"{ollama.url}/api/tags", timeout=TIMEOUT_S).status_code == 502
    assert requests.get(f"{ollama.url}/api/tags", timeout=TIMEOUT_S).status_code == 200


@pytest.mark.parametrize("kind", ["load_failed", "out_of_memory", "queue_full", "status"])
def test_embedding_fails_as_ordered_too(ollama: SimulatedOllama, kind: str) -> None:
    ollama.add_fault(kind)
    body = {"model": "embeds", "input": "x"}
    assert requests.post(f"{ollama.url}/api/embed", json=body, timeout=TIMEOUT_S).status_code >= 500
    assert requests.post(f"{ollama.url}/api/embed", json=body, timeout=TIMEOUT_S).status_code == 200


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_after_each_fault_the_next_request_is_served(ollama: SimulatedOllama, kind: str) -> None:
    ollama.add_fault(kind, after_tokens=2, seconds=0.0)
    for _ in range(2):
        try:
            last = list(post(ollama).iter_lines())[-1]
        except BROKEN:
            models_when_back(ollama)
    assert json.loads(last)["done_reason"] == "length"


def test_an_unknown_kind_is_refused(ollama: SimulatedOllama) -> None:
    with pytest.raises(ValueError, match="unknown fault kind"):
        ollama.add_fault("explode")
