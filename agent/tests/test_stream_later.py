"""Lines of tokens are parsed some at a time: nothing of their timing, counting and checking may differ for it."""

from __future__ import annotations

import json
import threading
import time
from statistics import median
from urllib.parse import urlsplit

import pytest

from agent.obt_agent.stream import Generation, Stream, StreamLimits
from agent.obt_agent.stream_message import message_of, plain_token

from .nasty import Peer, serving
from .streaming import DONE, LIMITS, error_kind, read


def ordinary(text: str) -> bytes:
    """A line of a token as Ollama writes it."""
    return b'{"model":"m","created_at":"2026-01-01T00:00:00Z","response":"%s","done":false}\n' % text.encode()


def final() -> bytes:
    return json.dumps(DONE).encode() + b"\n"


def test_every_token_keeps_the_moment_of_its_own_arrival() -> None:
    sent: list[int] = []

    def play(peer: Peer) -> None:
        peer.head()
        for number in range(8):
            time.sleep(0.02)
            sent.append(time.perf_counter_ns())
            peer.chunk(ordinary(f" w{number}"))
        peer.chunk(final())

    generation = read(play)
    assert generation.error is None
    arrived = [generation.start_ns + stamp for stamp in generation.chunk_ns]
    assert len(arrived) == 8
    late_ms = [(there - gone) / 1e6 for there, gone in zip(arrived, sent, strict=True)]
    assert min(late_ms) >= 0
    assert median(late_ms) < 5  # parsed together, they would seem to come together: up to 140 ms late


def test_tokens_are_counted_for_others_before_they_are_parsed() -> None:
    seen: list[Generation] = []
    go_on = threading.Event()

    def play(peer: Peer) -> None:
        peer.head()
        for number in range(4):
            peer.chunk(ordinary(f" w{number}"))
            time.sleep(0.01)
        go_on.wait(5)
        peer.chunk(final())

    with serving(play) as url:
        stream = Stream(urlsplit(url), b"{}", LIMITS)
        reader = threading.Thread(target=lambda: stream.run(on_start=seen.append))
        reader.start()
        deadline = time.monotonic() + 5
        while not (seen and seen[0].chunks == 4) and time.monotonic() < deadline:
            time.sleep(0.005)
        assert seen[0].chunks == 4
        go_on.set()
        reader.join()
    assert (seen[0].chunks, len(seen[0].chunk_ns)) == (4, 4)


def test_a_line_without_text_is_taken_back_from_the_count() -> None:
    def play(peer: Peer) -> None:
        peer.head()
        for text in (" a", " b", "", " c", ""):
            peer.chunk(ordinary(text))
            time.sleep(0.01)
        peer.chunk(final())

    generation = read(play)
    assert (generation.chunks, len(generation.chunk_ns)) == (3, 3)


@pytest.mark.parametrize("chunked", [True, False])
def test_a_stream_is_the_same_however_its_bytes_are_cut(chunked: bool) -> None:
    lines_sent = b"".join(ordinary(f" w{number}") for number in range(5)) + '{"response":"é"}\n'.encode() + final()
    framed = b"%x\r\n%s\r\n0\r\n\r\n" % (len(lines_sent), lines_sent) if chunked else lines_sent
    kind = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(lines_sent)

    def play(peer: Peer) -> None:
        for byte in b"HTTP/1.1 200 OK\r\n%s\r\n\r\n%s" % (kind, framed):
            peer.sock.sendall(bytes([byte]))

    generation = read(play)
    assert generation.error is None
    assert (generation.chunks, generation.raw.eval_count) == (6, 3)


def test_garbage_after_ordinary_tokens_is_found_and_what_came_before_is_kept() -> None:
    def play(peer: Peer) -> None:
        peer.head()
        for number in range(3):
            peer.chunk(ordinary(f" w{number}"))
            time.sleep(0.01)
        peer.chunk(b'{"response":7,"done":false}\n')
        peer.end()

    generation = read(play)
    assert error_kind(generation) == "garbage"
    assert len(generation.chunk_ns) == 3


@pytest.mark.parametrize("kind", ["broken_stream", "stalled"])
def test_tokens_that_were_not_parsed_yet_count_when_the_connection_breaks_or_stalls(kind: str) -> None:
    def play(peer: Peer) -> None:
        peer.head()
        for number in range(3):
            peer.chunk(ordinary(f" w{number}"))
            time.sleep(0.01)
        if kind == "stalled":
            peer.hold()

    generation = read(play, StreamLimits(5.0, 0.3))
    assert error_kind(generation) == kind
    assert (generation.chunks, len(generation.chunk_ns)) == (3, 3)


def test_a_line_that_does_not_end_as_tokens_do_is_read_as_it_comes() -> None:
    seen: list[Generation] = []
    go_on = threading.Event()

    def play(peer: Peer) -> None:
        peer.head()
        peer.chunk(ordinary(" a"))
        peer.chunk(b'{"response":" b", "done" : false}\n')
        peer.chunk(json.dumps({**DONE, "done": True}).encode() + b" \n")
        go_on.wait(5)
        peer.end()

    with serving(play) as url:
        stream = Stream(urlsplit(url), b"{}", LIMITS)
        begun = time.monotonic()
        seen.append(stream.run())
        assert time.monotonic() - begun < 3  # it did not wait for more after the final message
        go_on.set()
    assert (seen[0].error, seen[0].chunks) == (None, 2)


@pytest.mark.parametrize("text", ["", " a", "é", "語🙂", " w12 ", "{}", "\\u00e9", 'say \\"a\\"', "a\\n"])
def test_a_tokens_line_means_the_same_whether_json_is_read_or_not(text: str) -> None:
    line = ordinary(text).strip()
    plain = plain_token(line)
    assert plain is None or plain == message_of(line)["response"]
    assert (plain is None) == ("\\" in text)


@pytest.mark.parametrize(
    "line",
    [
        b'{"model":"m","created_at":"t","response":"\xff","done":false}',
        b'{"model":"m","created_at":"t","response":"a\tb","done":false}',
        b'{"model":"m","created_at":"t","response":"a","done":false} ',
        b'{"model":"m","created_at":"t","response":"a","done":true}',
        b'{"model":"m","created_at":"t","response":"a","response":"b","done":false}',
        b'{"model":"m","remote_host":"h","created_at":"t","response":"a","done":false}',
        b'{"model":"m","created_at":"t","response":"","thinking":"a","done":false}',
        b'{"model":"m","created_at":"t","response":"a","done":false,"error":"b"}',
    ],
)
def test_a_line_with_anything_else_in_it_is_read_as_json(line: bytes) -> None:
    assert plain_token(line) is None
