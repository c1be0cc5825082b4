"""What the simulator generates: lengths, repeatability, thinking, stop strings, whole characters."""

from __future__ import annotations

import http.client
import itertools
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from agent.simulator import ModelSpec, SimulatedOllama

TIMEOUT_S = 30
ONE_TOKEN = {"num_predict": 1}
PLAIN = ModelSpec("plain", decode_tps=2000, load_s=0)
THINKER = ModelSpec("thinker", decode_tps=2000, load_s=0, capabilities=("completion", "thinking"), sign_every=3)
STOPPER = ModelSpec("stopper", decode_tps=2000, load_s=0, end_probability=0.05)


@pytest.fixture(scope="module")
def ollama() -> Iterator[SimulatedOllama]:
    with SimulatedOllama([PLAIN, THINKER, STOPPER]) as running:
        yield running


def stream(ollama: SimulatedOllama, path: str = "/api/generate", **body: Any) -> list[dict[str, Any]]:
    response = requests.post(ollama.url + path, json=body, timeout=TIMEOUT_S)
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.text.splitlines()]


def text_of(lines: list[dict[str, Any]], field: str = "response") -> str:
    return "".join(line.get(field, "") for line in lines)


@pytest.mark.parametrize("count", [1, 2, 17, 128])
def test_it_generates_exactly_the_tokens_asked_for(ollama: SimulatedOllama, count: int) -> None:
    lines = stream(ollama, model="plain", prompt="x", raw=True, options={"num_predict": count, "stop": []})
    assert lines[-1]["eval_count"] == count
    assert lines[-1]["done_reason"] == "length"
    assert len(lines) == count + 1


def test_temperature_0_answers_a_prompt_always_alike(ollama: SimulatedOllama) -> None:
    options = {"num_predict": 20, "temperature": 0}
    first, again = (text_of(stream(ollama, model="plain", prompt="x", options=options)) for _ in range(2))
    other = text_of(stream(ollama, model="plain", prompt="y", options=options))
    assert first == again != other


def test_a_seed_repeats_an_answer_and_another_one_changes_it(ollama: SimulatedOllama) -> None:
    def answer(**options: Any) -> str:
        return text_of(stream(ollama, model="plain", prompt="x", options={"num_predict": 20, **options}))

    assert answer(seed=7) == answer(seed=7) != answer(seed=8)
    assert answer() != answer()


def test_no_two_neighbouring_chunks_are_equal(ollama: SimulatedOllama) -> None:
    lines = stream(ollama, model="plain", prompt="x", options={"num_predict": 400, "temperature": 0})
    chunks = [line["response"].strip() for line in lines[:-1]]
    assert all(one != other for one, other in itertools.pairwise(chunks))


def test_a_model_with_a_likely_end_stops_and_counts_its_end_token(ollama: SimulatedOllama) -> None:
    lines = stream(ollama, model="stopper", prompt="x", raw=True, options={"num_predict": 2000, "temperature": 0})
    assert lines[-1]["done_reason"] == "stop"
    assert lines[-1]["eval_count"] == len(lines)  # every line but the last is a token, and the end is one more


def test_a_model_that_can_think_thinks_unless_told_not_to(ollama: SimulatedOllama) -> None:
    options = {"num_predict": 60, "temperature": 0}
    unset = stream(ollama, model="thinker", prompt="x", options=options)
    off = stream(ollama, model="thinker", prompt="x", think=False, options=options)
    assert text_of(unset, "thinking")
    assert text_of(unset)
    assert not text_of(off, "thinking")
    assert unset[-1]["eval_count"] == off[-1]["eval_count"] == 60


def test_the_first_line_of_a_thinking_stream_is_empty_in_generate_and_missing_in_chat(ollama: SimulatedOllama) -> None:
    options = {"num_predict": 5}
    first = stream(ollama, model="thinker", prompt="x", think=True, options=options)[0]
    assert first["response"] == ""
    assert "thinking" not in first
    messages = [{"role": "user", "content": "x"}]
    chat = stream(ollama, "/api/chat", model="thinker", messages=messages, think=True, options=options)
    assert chat[0]["message"]["thinking"]


def test_thinking_is_apart_from_the_answer_without_streaming(ollama: SimulatedOllama) -> None:
    options = {"num_predict": 60, "temperature": 0}
    (whole,) = stream(ollama, model="thinker", prompt="x", think=True, stream=False, options=options)
    lines = stream(ollama, model="thinker", prompt="x", think=True, options=options)
    assert whole["thinking"] == text_of(lines, "thinking")
    assert whole["response"] == text_of(lines)


def test_chunks_are_not_tokens_where_a_character_takes_two(ollama: SimulatedOllama) -> None:
    lines = stream(ollama, model="thinker", prompt="x", think=False, options={"num_predict": 60, "temperature": 0})
    assert lines[-1]["eval_count"] == 60 > len(lines) - 1
    assert "�" not in text_of(lines)


def test_a_character_cut_off_by_the_length_is_left_out(ollama: SimulatedOllama) -> None:
    lines = stream(ollama, model="thinker", prompt="x", think=False, options={"num_predict": 3, "temperature": 0})
    assert lines[-1]["eval_count"] == 3
    assert len(lines) - 1 == 2


def test_a_stop_string_over_several_tokens_ends_the_answer(ollama: SimulatedOllama) -> None:
    options = {"num_predict": 40, "temperature": 0}
    text = text_of(stream(ollama, model="plain", prompt="x", raw=True, options=options))
    stop = " ".join(text.split(" ")[9:11])
    lines = stream(ollama, model="plain", prompt="x", raw=True, options={**options, "stop": [stop]})
    assert text_of(lines) == text[: text.index(stop)]
    assert lines[-1]["done_reason"] == "stop"
    assert lines[-1]["eval_count"] == 11


def test_num_predict_0_is_not_zero_tokens(ollama: SimulatedOllama) -> None:
    options = {"num_predict": 0, "num_ctx": 32}
    last = stream(ollama, model="plain", prompt="x", raw=True, shift=False, options=options)[-1]
    assert last["eval_count"] > 20


def test_num_predict_below_0_ends_after_ten_contexts(ollama: SimulatedOllama) -> None:
    last = stream(ollama, model="plain", prompt="x", raw=True, options={"num_predict": -1, "num_ctx": 16})[-1]
    assert last["eval_count"] == 160


def test_images_are_ignored(ollama: SimulatedOllama) -> None:
    lines = stream(ollama, model="plain", prompt="x", raw=True, images=["aGVsbG8="], options={"num_predict": 2})
    assert lines[-1]["eval_count"] == 2


def test_one_connection_serves_request_after_request(ollama: SimulatedOllama) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", ollama.port, timeout=TIMEOUT_S)
    connection.connect()
    local_port = connection.sock.getsockname()[1]
    for _ in range(3):
        connection.request("POST", "/api/generate", json.dumps({"model": "plain", "prompt": "x", "options": ONE_TOKEN}))
        assert json.loads(connection.getresponse().read().splitlines()[-1])["eval_count"] == 1
        assert connection.sock.getsockname()[1] == local_port
    connection.close()


def test_a_body_in_chunks_is_read(ollama: SimulatedOllama) -> None:
    body = json.dumps({"model": "plain", "prompt": "x", "options": ONE_TOKEN}).encode()
    parts = iter([body[:10], body[10:]])
    response = requests.post(f"{ollama.url}/api/generate", data=parts, timeout=TIMEOUT_S)
    assert json.loads(response.text.splitlines()[-1])["eval_count"] == 1


@pytest.mark.parametrize("prompt", [r"\ud800", r"\u0000\u2028", "é" * 5000, r"\\u003c&<>"])
def test_odd_characters_in_a_prompt_are_answered(ollama: SimulatedOllama, prompt: str) -> None:
    body = f'{{"model": "plain", "prompt": "{prompt}", "options": {{"num_predict": 2, "temperature": 0}}}}'
    for path in ("/api/generate", "/api/embed"):
        answer = requests.post(ollama.url + path, data=body.replace("prompt", "input").encode(), timeout=TIMEOUT_S)
        assert answer.status_code == 200
    answer = requests.post(f"{ollama.url}/api/generate", data=body.encode(), timeout=TIMEOUT_S)
    assert json.loads(answer.text.splitlines()[-1])["eval_count"] == 2


@pytest.mark.parametrize("number", ["1e400", "-1e400", "NaN", "Infinity"])
def test_numbers_out_of_range_are_refused(ollama: SimulatedOllama, number: str) -> None:
    body = f'{{"model": "plain", "prompt": "x", "options": {{"num_predict": {number}}}}}'
    answer = requests.post(f"{ollama.url}/api/generate", data=body, timeout=TIMEOUT_S)
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize("head", [b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"Content-Length: many\r\n\r\n"])
def test_a_body_of_no_sensible_length_ends_the_connection(ollama: SimulatedOllama, head: bytes) -> None:
    with socket.create_connection(("127.0.0.1", ollama.port), timeout=TIMEOUT_S) as connection:
        connection.sendall(b"POST /api/generate HTTP/1.1\r\nHost: x\r\n" + head)
        assert connection.recv(100) == b""
