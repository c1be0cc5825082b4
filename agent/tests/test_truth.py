"""The truth server: what it says it does, it does, and it writes down what it did."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from agent.obt_agent.ollama import OllamaClient, StreamLimits
from agent.obt_agent.processes import find_server
from agent.truth.clock import wait_until
from agent.truth.process import TruthProcess
from agent.truth.profiles import CHARACTERS, PROFILES, TIMED
from agent.truth.server import halves

LIMITS = StreamLimits(first_byte_s=10.0, stall_s=10.0)
MS = 1_000_000


@pytest.fixture(scope="module")
def truth() -> Iterator[TruthProcess]:
    with TruthProcess() as server:
        yield server


def body(model: str, tokens: int = 8, **fields: Any) -> dict[str, Any]:
    return {"model": model, "prompt": "What is true?", "options": {"num_predict": tokens}, **fields}


def texts(truth: TruthProcess, model: str, tokens: int) -> list[str]:
    """The pieces of text that a reader of lines gets."""
    with requests.post(f"{truth.url}/api/generate", json=body(model, tokens), stream=True, timeout=10) as answer:
        lines = [json.loads(line) for line in answer.iter_lines()]
    assert lines[-1]["done"] is True
    return [line["response"] for line in lines[:-1]]


def test_it_waits_until_the_moment_and_not_longer_than_the_system_makes_it() -> None:
    for ahead_ms in (0, 0.2, 5):
        due = time.perf_counter_ns() + round(ahead_ms * MS)
        wait_until(due)
        assert time.perf_counter_ns() >= due


@pytest.mark.parametrize("model", TIMED)
def test_nothing_is_sent_before_it_is_due_and_all_of_it_is_written_down(truth: TruthProcess, model: str) -> None:
    seen = OllamaClient(truth.url).generate(body(model, 12), LIMITS)
    record = truth.records()[-1]
    assert seen.error is None
    assert (record.profile, record.tokens, seen.raw.eval_count) == (model, 12, 12)
    assert len(record.pieces) == seen.chunks
    profile = PROFILES[model]
    due = [record.received_ns + round(piece.due_s * 1e9) for piece in profile.pieces(profile, 12)]
    assert [piece.due_ns for piece in record.pieces] == due
    assert all(piece.sent_ns >= piece.due_ns and piece.took_ns > 0 for piece in record.pieces)
    assert record.done_ns is not None
    assert record.done_ns > record.last_ns


def test_what_arrives_arrives_after_it_was_sent_by_the_same_clock(truth: TruthProcess) -> None:
    seen = OllamaClient(truth.url).generate(body("fast", 30), LIMITS)
    record = truth.records()[-1]
    assert seen.start_ns < record.received_ns
    arrived = [seen.start_ns + stamp for stamp in seen.chunk_ns]
    assert all(stamp > piece.sent_ns for stamp, piece in zip(arrived, record.pieces, strict=True))


def test_a_piece_comes_when_its_last_token_is_due() -> None:
    several = list(PROFILES["several"].pieces(PROFILES["several"], 10))
    assert [piece.tokens for piece in several] == [4, 4, 2]
    assert several[0].due_s == PROFILES["several"].due_s(3)
    bursts = [PROFILES["bursty"].due_s(number) for number in range(11)]
    assert bursts[9] - bursts[8] == pytest.approx(0.004)
    assert bursts[10] - bursts[9] > 0.2
    slow = [PROFILES["slow-start"].due_s(number) for number in range(20)]
    assert slow[0] == 0.6
    assert slow[1] - slow[0] > slow[19] - slow[18]


def test_characters_are_held_back_until_they_are_whole(truth: TruthProcess) -> None:
    tokens = sum(len(text.encode()) for text in CHARACTERS)
    assert texts(truth, "multibyte", tokens) == list(CHARACTERS)
    assert truth.records()[-1].tokens == tokens


def test_an_unfinished_last_character_still_counts_its_tokens(truth: TruthProcess) -> None:
    assert texts(truth, "multibyte", 4) == ["é", "\ufffd"]
    assert [piece.tokens for piece in truth.records()[-1].pieces] == [2, 2]


def test_a_line_is_cut_inside_a_character_and_comes_in_two_halves(truth: TruthProcess) -> None:
    first, second = halves('{"response":"語"}\n'.encode())
    with pytest.raises(UnicodeDecodeError):
        first.decode()
    assert (first + second).decode() == '{"response":"語"}\n'
    host, port = truth.url.removeprefix("http://").split(":")
    content = json.dumps(body("multibyte", 2)).encode()
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        head = f"POST /api/generate HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(content)}\r\n\r\n"
        connection.sendall(head.encode() + content)
        arrived = b""
        while b'"done":true' not in arrived:
            arrived += connection.recv(65536)
    assert re.search(rb'"\xc3\r\n[0-9a-f]+\r\n\xa9"', arrived)  # HTTP's framing stands between the bytes of é


def test_pieces_differ_from_their_neighbours(truth: TruthProcess) -> None:
    said = texts(truth, "fast", 40)
    assert all(one != other for one, other in pairwise(said))


def test_chat_has_messages_and_an_answer_need_not_be_streamed(truth: TruthProcess) -> None:
    asked = {"model": "fast", "messages": [{"role": "user", "content": "hello"}], "options": {"num_predict": 3}}
    with requests.post(f"{truth.url}/api/chat", json=asked, stream=True, timeout=10) as answer:
        lines = [json.loads(line) for line in answer.iter_lines()]
    assert [line["message"]["content"] for line in lines] == [" w0", " w1", " w2", ""]
    whole = requests.post(f"{truth.url}/api/generate", json=body("fast", 3, stream=False), timeout=10).json()
    assert whole["response"] == " w0 w1 w2"
    assert (whole["done"], whole["done_reason"], whole["eval_count"]) == (True, "length", 3)


def test_the_agent_finds_its_models_its_process_and_what_is_loaded(truth: TruthProcess) -> None:
    client = OllamaClient(truth.url)
    assert "simul" in client.version()
    models = {model.name: model for model in client.models()}
    assert models["steady:latest"].capabilities == ["completion"]
    client.generate(body("fast", 2, keep_alive="600s"), LIMITS)
    assert models["fast:latest"].digest in [model.digest for model in client.ps()]
    assert models["fast:latest"].digest in client.expiries()
    client.unload("fast")
    assert models["fast:latest"].digest not in [model.digest for model in client.ps()]
    if sys.platform.startswith("linux"):
        found = find_server(truth.url)
        assert found is not None
        assert found.pid == truth.pid
        assert len(found.children()) == 1


def test_an_unknown_model_is_not_found(truth: TruthProcess) -> None:
    answer = OllamaClient(truth.url).generate(body("nothing"), LIMITS)
    assert answer.error is not None
    assert answer.error.kind == "model_missing"


def test_it_ends_with_its_parent_and_takes_its_child_along() -> None:
    with TruthProcess() as server:
        family = [psutil.Process(server.pid), *psutil.Process(server.pid).children()]
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGTERM to handle")
def test_a_signal_ends_it() -> None:
    command = [sys.executable, "-m", "agent.truth"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "http://127.0.0.1:" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
