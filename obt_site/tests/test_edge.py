"""The outermost fence, against a real daphne: bodies stop at their cap, foreign WebSockets stay out."""

import json
import os
import socket
from pathlib import Path

import psutil
import pytest

from obt_site.edge import same_origin
from obt_site.middleware import body_limit_bytes

MIB = 1024 * 1024
HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{origin}\r\n"
)


def connect(server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def spooled_bytes(server) -> int:
    """What the server process holds in files that have no name."""
    folder = Path(f"/proc/{psutil.Process(server.process.pid).pid}/fd")
    held = [(folder / name) for name in os.listdir(folder)]
    return sum(each.stat().st_size for each in held if each.exists() and "(deleted)" in os.readlink(each))


@pytest.mark.parametrize("length", [5_000_000_000, 99_999_999_999_999_999_999, 300 * 1024])
def test_a_declared_length_over_the_cap_is_refused_before_a_byte_of_it_is_kept(server, length):
    with connect(server) as line:
        line.sendall(
            f"POST /api/v1/agent/register HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n".encode()
        )

        answer = line.recv(65536).decode()

    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 413")
    assert "application/problem+json" in head
    assert json.loads(body)["status"] == 413


def test_a_sender_that_goes_on_is_cut_off_and_nothing_of_it_is_kept(server):
    with connect(server) as line:
        line.sendall(b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5000000000\r\n\r\n")
        with pytest.raises(OSError):  # noqa: PT012  (how many pieces fit is the system's affair)
            for _ in range(400):
                line.sendall(b"x" * MIB)
                assert spooled_bytes(server) < MIB


def test_chunks_without_a_length_are_stopped_at_the_cap(server):
    limit = body_limit_bytes("/api/v1/sessions")
    with connect(server) as line:
        line.sendall(
            b"POST /api/v1/sessions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(limit // 65536 + 2):
            line.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")

        assert line.recv(65536).startswith(b"HTTP/1.1 413")

    assert "Traceback" not in server.log()


def handshake(server, path: str, origin: str) -> bytes:
    with connect(server) as line:
        host = f"127.0.0.1:{server.port}"
        line.sendall(HANDSHAKE.format(path=path, host=host, origin=origin).encode())
        return line.recv(65536)


FOREIGN = [
    "http://evil.example",
    "http://127.0.0.1:9",
    "https://127.0.0.1:{port}",
    "ws://127.0.0.1:{port}",
    "null",
    "",
]


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_socket_of_another_origin_is_refused_in_the_handshake(server, origin):
    header = f"Origin: {origin.format(port=server.port)}\r\n" if origin else ""

    assert handshake(server, "/ws/fleet", header).startswith(b"HTTP/1.1 403")


def test_a_socket_of_this_origin_is_let_in(server):
    header = f"Origin: http://127.0.0.1:{server.port}\r\n"

    assert handshake(server, "/ws/fleet", header).startswith(b"HTTP/1.1 101")


def test_a_socket_to_nowhere_is_refused_without_a_trace_in_the_log(server):
    header = f"Origin: http://127.0.0.1:{server.port}\r\n"

    assert handshake(server, "/ws/nope", header).startswith(b"HTTP/1.1 403")
    assert "No route found" not in server.log()


@pytest.mark.parametrize(
    ("scheme", "is_tls", "origin", "is_let_in"),
    [
        (None, False, "http://bench.example", True),
        (None, False, "http://bench.example:80", True),
        (None, False, "https://bench.example", False),
        (None, True, "https://bench.example", True),
        (None, True, "https://BENCH.example:443", True),
        (None, True, "http://bench.example", False),
        ("wss", False, "https://bench.example", True),  # a trusted proxy says so
        ("https", False, "https://bench.example", True),
        ("ws", True, "https://bench.example", False),
        (None, False, "http://[", False),
    ],
)
async def test_a_socket_s_page_came_by_the_scheme_that_the_browser_asks_by(scheme, is_tls, origin, is_let_in):
    let_in, sent = [], []

    async def application(scope, receive, send):
        let_in.append(scope)

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    scope = {"type": "websocket", "headers": [(b"host", b"bench.example"), (b"origin", origin.encode())]}
    if scheme:
        scope["scheme"] = scheme

    await same_origin(application, is_tls=is_tls)(scope, receive, send)

    assert bool(let_in) is is_let_in
    assert is_let_in or sent[0]["type"] == "websocket.close"
