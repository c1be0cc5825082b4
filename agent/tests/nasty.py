"""An HTTP server that answers exactly what a test tells it to, byte by byte: for everything an Ollama must not do."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
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
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self.sock.sendall(head.encode() + b"Connection: close\r\n\r\n" + body)

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


class NastyOllama:
    """An Ollama with one model, `nasty:1b`, that answers truly until it is told to misbehave.

    A token is four characters of a prompt; times are those that really passed.
    """

    MODEL = "nasty:1b"
    DIGEST = "0123456789abcdef" * 4

    def __init__(self) -> None:
        self.version = "0.24.0"
        self.asked = 0
        self._wrong: Play | None = None
        self._times = 0
        self._loaded = False
        self._ended = datetime.now(UTC)

    def misbehave(self, play: Play, times: int = 1) -> None:
        """Answer the next `times` generations by `play`."""
        self._wrong, self._times = play, times

    def play(self, peer: Peer) -> None:
        """The answer to any request."""
        path = peer.request.split(b" ", 2)[1].decode()
        body = json.loads(peer.request.partition(b"\r\n\r\n")[2] or b"{}")
        if path != "/api/generate":
            peer.answer(json.dumps(self._facts(path)).encode())
        elif body.get("keep_alive") == 0:
            self._loaded = False
            peer.answer(b'{"done": true, "done_reason": "unload"}')
        else:
            self._generate(peer, body)

    def _facts(self, path: str) -> dict[str, Any]:
        model = {"name": self.MODEL, "digest": self.DIGEST, "size": 1000, "details": {"format": "gguf"}}
        loaded = {**model, "size_vram": 0, "expires_at": (self._ended + timedelta(seconds=600)).isoformat()}
        facts: dict[str, dict[str, Any]] = {
            "/api/version": {"version": self.version},
            "/api/tags": {"models": [model]},
            "/api/show": {"capabilities": ["completion"], "details": {"format": "gguf"}, "model_info": {}},
            "/api/ps": {"models": [loaded] if self._loaded else []},
        }
        return facts[path]

    def _generate(self, peer: Peer, body: dict[str, Any]) -> None:
        self._loaded = True
        self.asked += 1
        if self._times:
            self._times -= 1
            assert self._wrong is not None
            self._wrong(peer)
            return
        begun = time.perf_counter_ns()
        peer.head()
        for _ in range(body["options"]["num_predict"]):
            peer.line(response="t")
        peer.line(**self.final(len(body["prompt"]) // 4, body["options"]["num_predict"], begun))
        peer.end()

    def final(self, prompt_tokens: int, output_tokens: int, begun: int) -> dict[str, Any]:
        """A final message that is true of an answer begun at this `perf_counter_ns`."""
        took = time.perf_counter_ns() - begun
        self._ended = datetime.now(UTC)
        counts = {"prompt_eval_count": prompt_tokens, "eval_count": output_tokens}
        times = {"load_duration": took // 10, "prompt_eval_duration": took // 10 + 1, "eval_duration": took // 2 + 1}
        end = {"done": True, "done_reason": "length", "response": "", "created_at": self._ended.isoformat()}
        return {**end, **counts, **times, "total_duration": took + 2}
