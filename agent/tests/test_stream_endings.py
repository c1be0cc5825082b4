"""Every bad ending of a stream, and every refusal, told apart by kind and words."""

from __future__ import annotations

import socket
import time
import tracemalloc
from urllib.parse import urlsplit

import pytest

from agent.obt_agent.stream import Stream, StreamLimits
from agent.obt_agent.wire import dumps

from .nasty import Peer
from .streaming import DONE, LIMITS, QUICK, error_kind, lines, read


def test_an_error_in_the_middle_of_the_stream_is_a_broken_stream_with_ollamas_words() -> None:
    generation = read(lines({"response": "a"}, {"error": "an error was encountered while running the model: EOF"}))
    assert error_kind(generation) == "broken_stream"
    assert "running the model: EOF" in str(generation.error)
    assert generation.ttft_ns is not None


def test_running_out_of_memory_in_the_middle_is_told_apart() -> None:
    assert error_kind(read(lines({"response": "a"}, {"error": "CUDA error: out of memory"}))) == "out_of_memory"


def test_a_connection_that_breaks_in_the_middle_is_a_broken_stream() -> None:
    def play(peer: Peer) -> None:
        peer.head()
        peer.line(response="a")

    generation = read(play)
    assert error_kind(generation) == "broken_stream"
    assert str(generation.error) == "Ollama closed the connection in the middle of the answer"


def test_a_connection_that_breaks_before_any_answer_is_a_broken_stream() -> None:
    assert error_kind(read(lambda peer: None)) == "broken_stream"


def test_half_a_body_of_known_length_is_a_broken_stream() -> None:
    def play(peer: Peer) -> None:
        peer.sock.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"response":"a"}\n')

    assert error_kind(read(play)) == "broken_stream"


def test_a_clean_end_without_a_final_message_is_not_done() -> None:
    assert error_kind(read(lines({"response": "a"}))) == "not_done"


def test_thirty_equal_chunks_are_named_as_the_reason_for_a_missing_end() -> None:
    generation = read(lines(*[{"response": " x"}] * 31))
    assert error_kind(generation) == "not_done"
    assert "31 equal pieces" in str(generation.error)


def test_silence_in_the_middle_is_a_stall_with_its_length() -> None:
    def play(peer: Peer) -> None:
        peer.head()
        peer.line(response="a")
        peer.hold()

    generation = read(play, StreamLimits(first_byte_s=5.0, stall_s=0.2))
    assert error_kind(generation) == "stalled"
    assert "in the middle of the answer (no data for 0.2 s)" in str(generation.error)


def test_the_first_byte_has_a_patience_of_its_own() -> None:
    def play(peer: Peer) -> None:
        peer.stopping.wait(0.5)
        lines({"response": "a"}, DONE)(peer)

    assert error_kind(read(play, QUICK)) == "stalled"
    assert error_kind(read(play, StreamLimits(first_byte_s=5.0, stall_s=0.2))) is None


def test_a_stream_that_drips_for_ever_ends_at_the_deadline() -> None:
    def play(peer: Peer) -> None:
        peer.head()
        while not peer.stopping.wait(0.02):
            peer.chunk(b" ")

    limits = StreamLimits(first_byte_s=5.0, stall_s=5.0, deadline=time.perf_counter() + 0.3)
    assert error_kind(read(play, limits)) == "deadline"


@pytest.mark.parametrize(
    "line",
    [
        b"this is no JSON\n",
        b'{"response": NaN}\n',
        b'{"done": true, "eval_duration": Infinity}\n',
        b"[1, 2]\n",
        b'{"response": 7}\n',
        b'{"response": {"$ne": ""}}\n',
        b'{"response": "\xff\xfe"}\n',
        b"[" * 100_000 + b"\n",
    ],
)
def test_a_line_that_is_not_ollamas_is_garbage(line: bytes) -> None:
    def play(peer: Peer) -> None:
        peer.head()
        peer.chunk(line)
        peer.end()

    assert error_kind(read(play)) == "garbage"


def test_a_line_without_end_is_cut_off_with_bounded_memory() -> None:
    def play(peer: Peer) -> None:
        peer.head()
        for _ in range(400):
            peer.chunk(b"x" * 65536)

    tracemalloc.start()
    generation = read(play)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert error_kind(generation) == "garbage"
    assert peak_bytes < 8 * 1024 * 1024


def test_more_chunks_than_asked_for_are_cut_off() -> None:
    generation = read(lines(*[{"response": f"t{i}"} for i in range(200)]), StreamLimits(5.0, 5.0, None, 64))
    assert error_kind(generation) == "garbage"


def test_an_answer_from_a_cloud_is_refused() -> None:
    generation = read(lines({"response": "a", "remote_host": "https://ollama.com"}, DONE))
    assert error_kind(generation) == "model_remote"


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        ("404 Not Found", "model 'm' not found", "model_missing"),
        ("503 Service Unavailable", "server busy, please try again.  maximum pending requests exceeded", "server_busy"),
        ("500 Error", "model requires more system memory (9 GiB) than is available (2 GiB)", "out_of_memory"),
        ("500 Error", "llama runner process has terminated: exit status 2", "load_failed"),
        ("500 Error", "llama runner process has terminated: cudaMalloc failed: out of memory", "out_of_memory"),
        ("400 Bad Request", "the input length exceeds the context length", "context_exceeded"),
        ("400 Bad Request", '"m" does not support generate', "http"),
        ("418 Teapot", "short and stout", "http"),
    ],
)
def test_a_refused_request_is_named_after_ollamas_own_words(status: str, text: str, kind: str) -> None:
    generation = read(lambda peer: peer.answer(dumps({"error": text}), status))
    assert error_kind(generation) == kind
    assert text.split("  ")[0] in str(generation.error)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error": 5}', b"\xff" * 300_000])
def test_a_refusal_without_words_still_has_its_status(body: bytes) -> None:
    generation = read(lambda peer: peer.answer(body, "500 Error"))
    assert error_kind(generation) == "http"
    assert "HTTP 500" in str(generation.error)


def test_something_that_does_not_speak_http_is_not_ollama() -> None:
    assert error_kind(read(lambda peer: peer.sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"))) == "not_ollama"


def test_a_closed_port_is_refused_with_its_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    generation = Stream(urlsplit(f"http://127.0.0.1:{port}"), b"{}", LIMITS).run()
    assert str(generation.error) == f"Ollama refused the connection at http://127.0.0.1:{port}"
    assert error_kind(generation) == "refused"
