"""`/api/embed`: one answer, timed as a whole, and nothing in it trusted."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from agent.obt_agent.cancel import CANCELLED, Cancel
from agent.obt_agent.ollama import Generation, OllamaClient
from agent.obt_agent.stream import StreamLimits

from .nasty import Peer, Play, serving
from .streaming import LIMITS, QUICK, error_kind

GOOD = {"embeddings": [[0.1, -0.2], [1, 0]], "total_duration": 5, "load_duration": 1, "prompt_eval_count": 8}


def embed(play: Play, limits: StreamLimits = LIMITS, cancel: Cancel | None = None) -> Generation:
    with serving(play) as url:
        return OllamaClient(url).embed({"model": "m", "input": ["a", "b"]}, limits, cancel)


def answering(**changes: Any) -> Play:
    return lambda peer: peer.answer(json.dumps({**GOOD, **changes}).encode())


def test_a_whole_answer_is_timed_and_its_counters_kept() -> None:
    answer = embed(answering())
    assert answer.error is None
    assert answer.e2e_ns
    assert (answer.raw.done, answer.raw.prompt_eval_count, answer.raw.load_duration) == (True, 8, 1)
    assert answer.ttft_ns is None


@pytest.mark.parametrize(
    "vectors",
    [
        None,
        {},
        [],
        [[0.1]],
        [[0.1], []],
        [[0.1], [0.1, 0.2]],
        [[0.1], "0"],
        [[0.1], ["0"]],
        [[0.1], [None]],
        [[1], [True]],
    ],
)
def test_vectors_that_are_none_are_garbage(vectors: object) -> None:
    answer = embed(answering(embeddings=vectors))
    assert error_kind(answer) == "garbage"
    assert answer.e2e_ns is None


def test_a_vector_with_nan_in_it_is_garbage() -> None:
    assert error_kind(embed(lambda peer: peer.answer(b'{"embeddings": [[NaN], [1]]}'))) == "garbage"


def test_a_counter_that_is_no_count_is_named() -> None:
    assert "prompt_eval_count is -3" in (embed(answering(prompt_eval_count=-3)).bad_counters or "")


def test_a_refusal_keeps_ollamas_words() -> None:
    answer = embed(lambda peer: peer.answer(b'{"error": "the input length exceeds the context length"}', "400 Bad"))
    assert error_kind(answer) == "context_exceeded"


def test_half_an_answer_is_a_broken_connection() -> None:
    play = lambda peer: peer.sock.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"embeddings": [[')  # noqa: E731
    assert error_kind(embed(play)) == "broken_stream"


def test_silence_is_a_stall() -> None:
    assert error_kind(embed(Peer.hold, QUICK)) == "stalled"


def test_an_answer_without_end_is_cut_off() -> None:
    def play(peer: Peer) -> None:
        peer.head()
        while True:
            peer.chunk(b" " * 1_000_000)

    assert error_kind(embed(play)) == "garbage"


def test_cancelling_reaches_a_request_that_waits() -> None:
    cancel = Cancel()
    asked = threading.Event()

    def play(peer: Peer) -> None:
        asked.set()
        peer.hold()

    threading.Thread(target=lambda: asked.wait(5) and cancel.set(CANCELLED)).start()
    answer = embed(play, cancel=cancel)
    assert answer.cancelled
    assert answer.error is None
