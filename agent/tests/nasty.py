"""An HTTP server that answers exactly what a test tells it to, byte by byte: for everything an Ollama must not do."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

Play = Callable[["Peer"], None]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"


class Peer:
    """One accepted connection with its request read."""

    def __init__(self, sock: socket.socket, request: bytes, stopping: threading.Event) -> None:
        self.sock = sock
        self.request = request
        self.stopping = stopping

    def head(self) -> None:
        """Begin a chunked answer."""
        self.sock.sendall(HEAD)

    def chunk(self, data: bytes) -> None:
        """One HTTP chunk."""
        self.sock.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def line(self, **message: Any) -> None:
        """One line of a stream, in a chunk of its own."""
        self.chunk(json.dumps(message).encode() + b"\n")

    def end(self) -> None:
        """The chunk that ends an answer."""
        self.sock.sendall(b"0\r\n\r\n")

    def answer(self, body: bytes, status: str = "200 OK") -> None:
        """A whole answer of known length."""
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.sock.sendall(head.encode() + body)

    def hold(self) -> None:
        """Say nothing more until the test is over."""
        self.stopping.wait()


@contextlib.contextmanager
def serving(play: Play) -> Iterator[str]:
    """A server on a free loopback port that plays `play` to each connection; yields its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()
    threading.Thread(target=_accept, args=(listener, play, stopping), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stopping.set()
        listener.close()


def _accept(listener: socket.socket, play: Play, stopping: threading.Event) -> None:
    while not stopping.is_set():
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(sock, play, stopping), daemon=True).start()


def _serve(sock: socket.socket, play: Play, stopping: threading.Event) -> None:
    with sock, contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        play(Peer(sock, _request(sock), stopping))


def _request(sock: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(sock)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += _more(sock)
    return head + b"\r\n\r\n" + body


def _more(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise OSError("the client went away")
    return data
