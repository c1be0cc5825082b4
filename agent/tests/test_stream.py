"""Reading a stream over real HTTP: what is timed, what is counted, how it is cancelled and watched."""

from __future__ import annotations

import threading
import time
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import pytest

from agent.obt_agent.cancel import CANCELLED, Cancel
from agent.obt_agent.stream import Generation, Stream, StreamLimits

from .nasty import Peer, serving
from .streaming import DONE, LIMITS, lines, read


def test_it_reads_the_counters_of_the_final_message_as_they_are() -> None:
    generation = read(lines({"response": "a"}, {"response": "b"}, DONE))
    assert generation.error is None
    assert (generation.raw.eval_count, generation.raw.eval_duration) == (3, 4_000_000)
    assert (generation.raw.done, generation.raw.done_reason) == (True, "length")
    assert generation.raw.prompt_eval_cached_count is None


def test_an_empty_first_chunk_is_not_a_token() -> None:
    def play(peer: Peer) -> None:
        peer.head()
        peer.line(response="")
        time.sleep(0.05)
        peer.line(response="a")
        peer.line(**DONE)

    generation = read(play)
    assert generation.chunks == 1
    assert generation.ttft_ns is not None
    assert generation.ttft_ns > 45_000_000


def test_thinking_is_a_first_token_but_not_a_first_answer() -> None:
    def play(peer: Peer) -> None:
        peer.head()
        peer.line(response="", thinking="hm")
        time.sleep(0.05)
        peer.line(response="a")
        peer.line(**DONE)

    generation = read(play)
    assert generation.ttft_ns is not None
    assert generation.ttfo_ns is not None
    assert generation.ttfo_ns - generation.ttft_ns > 45_000_000


def test_the_first_token_is_stamped_within_a_millisecond_of_being_sent() -> None:
    late_ms = []
    for _ in range(20):
        sent = []

        def play(peer: Peer, sent: list[int] = sent) -> None:
            peer.head()
            time.sleep(0.01)
            sent.append(time.perf_counter_ns())
            peer.line(response="a")
            peer.line(**DONE)

        generation = read(play)
        assert generation.ttft_ns is not None
        late_ms.append((generation.start_ns + generation.ttft_ns - sent[0]) / 1e6)
    assert min(late_ms) >= 0
    assert median(late_ms) < 1.0


def test_a_line_in_pieces_is_stamped_when_it_is_whole() -> None:
    def play(peer: Peer) -> None:
        peer.head()
        peer.chunk(b'{"response":')
        time.sleep(0.05)
        peer.chunk('"é"}\n'.encode())
        peer.line(**DONE)

    generation = read(play)
    assert generation.chunks == 1
    assert generation.ttft_ns is not None
    assert generation.ttft_ns > 45_000_000


def test_many_lines_in_one_chunk_are_all_read() -> None:
    def play(peer: Peer) -> None:
        peer.head()
        peer.chunk(b'{"response":"a"}\n\n{"response":"b"}\n{"response":"c"}\n')
        peer.line(**DONE)

    generation = read(play)
    assert len(generation.chunk_ns) == 3
    assert generation.chunk_ns == sorted(generation.chunk_ns)


@pytest.mark.parametrize("value", [-5, 1.5, "7", True, 2**80, [1]])
def test_a_counter_that_is_no_count_is_missing_and_named(value: Any) -> None:
    generation = read(lines({"response": "a"}, {**DONE, "eval_count": value}))
    assert generation.error is None
    assert generation.raw.eval_count is None
    assert generation.raw.eval_duration == 4_000_000
    assert "eval_count" in (generation.bad_counters or "")


@pytest.mark.parametrize("begun", [False, True])
def test_cancelling_ends_a_read_that_waits_for_data(begun: bool) -> None:
    waiting = threading.Event()

    def play(peer: Peer) -> None:
        if begun:
            peer.head()
            peer.line(response="a")
        waiting.set()
        peer.hold()

    cancel = Cancel()
    threading.Thread(target=lambda: waiting.wait() and cancel.set(CANCELLED)).start()
    begun_at = time.monotonic()
    generation = read(play, StreamLimits(60.0, 60.0), cancel)
    assert generation.cancelled
    assert generation.error is None
    assert time.monotonic() - begun_at < 2.0


def test_a_request_after_the_cancel_is_cancelled_at_once() -> None:
    cancel = Cancel()
    cancel.set(CANCELLED)
    assert read(lambda peer: peer.hold(), StreamLimits(60.0, 60.0), cancel).cancelled


def test_others_can_watch_a_stream_grow() -> None:
    seen: list[Generation] = []
    go_on = threading.Event()

    def play(peer: Peer) -> None:
        peer.head()
        peer.line(response="a")
        go_on.wait(5)
        peer.line(**DONE)

    with serving(play) as url:
        stream = Stream(urlsplit(url), b"{}", LIMITS)
        reader = threading.Thread(target=lambda: stream.run(on_start=seen.append))
        reader.start()
        deadline = time.monotonic() + 5
        while not (seen and seen[0].chunks) and time.monotonic() < deadline:
            time.sleep(0.005)
        assert seen[0].chunks == 1
        assert seen[0].e2e_ns is None
        go_on.set()
        reader.join()
    assert seen[0].e2e_ns is not None
