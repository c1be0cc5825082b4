"""The little HTTP that streams are read with: requests as they are sent, heads and framing as they come."""

from __future__ import annotations

import http.client
import socket
import time
from urllib.parse import urlsplit

import pytest

from agent.obt_agent.stream import StreamLimits
from agent.obt_agent.stream_http import MAX_FRAMING_BYTES, Answer, post

from .nasty import Peer
from .streaming import DONE, error_kind, lines, read

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def begun(*pieces: bytes) -> Answer:
    """An answer whose head came in these pieces, each read by itself."""
    here, there = socket.socketpair()
    with here, there:
        answer = Answer(here)
        here.settimeout(5)
        sends = iter(pieces)

        class OneByOne:
            """Sends the next piece when it is read for; after the last the connection ends."""

            def recv(self, size: int) -> bytes:
                following = next(sends, b"")
                if following:
                    there.sendall(following)
                else:
                    there.shutdown(socket.SHUT_WR)
                return here.recv(size)

        answer._socket = OneByOne()  # type: ignore[assignment]
        answer.begin()
        return answer


def body_of(answer: Answer, *rest: bytes) -> bytes:
    return b"".join(answer.content(piece) for piece in (answer.first[1], *rest))


def test_a_request_says_where_it_goes_and_how_long_it_is() -> None:
    sent = post(urlsplit("http://[::1]:11434/behind a/proxy/"), "/api/generate", b'{"a":1}', "application/json")
    head, _, body = sent.partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"POST /behind%20a/proxy/api/generate HTTP/1.1",
        b"Host: [::1]:11434",
        b"Accept: application/json",
        b"Content-Type: application/json",
        b"Content-Length: 7",
    ]
    assert body == b'{"a":1}'


def test_a_request_reaches_a_server_whole() -> None:
    got: list[bytes] = []

    def play(peer: Peer) -> None:
        got.append(peer.request)
        lines({"response": "a"}, DONE)(peer)

    assert read(play).error is None
    assert got[0].startswith(b"POST /api/generate HTTP/1.1\r\n")
    assert got[0].endswith(b'{"model":"m"}')


@pytest.mark.parametrize(
    "head",
    [
        CHUNKED,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding:  Chunked \r\nX: y\r\n\r\n",
        b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_heads_of_many_kinds_are_understood_whole_and_in_bytes(head: bytes) -> None:
    body = b"3\r\nabc\r\n0\r\n\r\n"
    for pieces in ([head + body], [bytes([byte]) for byte in head + body]):
        answer = begun(*pieces)
        assert answer.status == 200
        assert answer.end_is_marked
    answer = begun(head + body)
    assert body_of(answer) == b"abc"
    assert answer.ended


def test_the_first_bytes_of_the_body_have_the_moment_of_their_read() -> None:
    before = time.perf_counter_ns()
    answer = begun(CHUNKED + b"3\r\nabc\r\n")
    assert before < answer.first[0] < time.perf_counter_ns()
    assert answer.first[1] == b"3\r\nabc\r\n"


@pytest.mark.parametrize("head", [b"SSH-2.0-OpenSSH\r\n", b"HTTPS\r\n\r\n", b"\r\n\r\n", b"HTTP/1.1 abc OK\r\n\r\n"])
def test_what_is_no_head_is_not_http(head: bytes) -> None:
    with pytest.raises(http.client.BadStatusLine):
        begun(head)


def test_a_head_without_end_is_bounded() -> None:
    with pytest.raises(http.client.BadStatusLine):
        begun(b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n" * 1000] * 40)


def test_a_connection_that_closes_in_the_head_is_broken() -> None:
    with pytest.raises(http.client.IncompleteRead):
        begun(b"HTTP/1.1 200 OK\r\nX:")
    with pytest.raises(http.client.RemoteDisconnected):
        begun(b"")


def test_chunks_may_have_extensions_and_trailers_and_be_cut_anywhere() -> None:
    body = b'5;name="value"\r\nhello\r\n00A \r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n'
    answer = begun(CHUNKED)
    parts = [answer.content(bytes([byte])) for byte in body]
    assert b"".join(parts) == b"hello0123456789"
    assert answer.ended


def test_a_chunk_is_given_out_before_it_is_whole() -> None:
    answer = begun(CHUNKED)
    assert answer.content(b"ffffffff\r\nbegin") == b"begin"
    assert answer.content(b"ning") == b"ning"
    assert not answer.ended


@pytest.mark.parametrize(
    "framing", [b"xyz\r\n", b"-5\r\n", b"+5\r\n", b"0x5\r\n", b"1_0\r\n", b"\r\n", b"3\r\nabcd\r\n"]
)
def test_framing_that_is_none_is_refused(framing: bytes) -> None:
    answer = begun(CHUNKED)
    with pytest.raises(http.client.IncompleteRead):
        answer.content(framing)


def test_a_chunk_size_without_end_is_bounded() -> None:
    with pytest.raises(http.client.IncompleteRead):
        begun(CHUNKED).content(b"1" * (MAX_FRAMING_BYTES + 1))


def test_a_body_of_known_length_ends_there() -> None:
    answer = begun(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
    assert body_of(answer, b"lo and more") == b"hello"
    assert answer.ended
    assert begun(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").ended


def test_a_body_without_length_ends_with_the_connection_and_is_never_sure_to_be_whole() -> None:
    answer = begun(b"HTTP/1.0 200 OK\r\nContent-Length: many\r\n\r\nhel")
    assert body_of(answer, b"lo") == b"hello"
    assert (answer.ended, answer.end_is_marked) == (False, False)


def test_a_final_message_counts_even_where_nothing_marks_the_end() -> None:
    def play(peer: Peer) -> None:
        peer.sock.sendall(b'HTTP/1.0 200 OK\r\n\r\n{"response":"a"}\n{"done":true,"done_reason":"length"}')

    assert read(play).raw.done is True


def test_half_a_line_of_a_chunked_answer_that_breaks_off_is_no_garbage() -> None:
    def play(peer: Peer) -> None:
        peer.head()
        peer.line(response="a")
        peer.chunk(b'{"respon')

    assert error_kind(read(play)) == "broken_stream"


def test_a_stall_is_noticed_although_the_answer_says_close() -> None:
    def play(peer: Peer) -> None:
        peer.sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n")
        peer.hold()

    assert error_kind(read(play, StreamLimits(5.0, 0.2))) == "stalled"
