"""HTTP as bytes on a socket, for what no client library would send."""

import contextlib
import json
import select
import socket
import time
from typing import Any

from obt_site.tests.server import RunningServer

PATIENCE_S = 40.0


def connect(server: RunningServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)


def read_to_end(line: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while piece := line.recv(65536):
            found += piece
    return found


def drip(line: socket.socket, piece: bytes, every_s: float = 0.1) -> bytes:
    """Send this again and again until the server has enough of it; what it says then."""
    deadline, found = time.monotonic() + PATIENCE_S, b""
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < deadline:
            readable, _, _ = select.select([line], [], [], every_s)
            if readable:
                got = line.recv(65536)
                if not got:
                    return found
                found += got
            else:
                line.sendall(piece)
    assert time.monotonic() < deadline, "the server never had enough"
    return found


def problem(answer: bytes) -> dict[str, Any]:
    """The problem+json of an answer, with `http`: the status of its first line."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, answer[:500]
    found: dict[str, Any] = json.loads(body)
    return {**found, "http": int(head.split(b" ", 2)[1])}
