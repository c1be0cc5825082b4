"""The server: Ollama's paths over HTTP/1.1, a thread per connection, streams by the clock."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from agent.truth import answers
from agent.truth.clock import NS_PER_S, wait_until
from agent.truth.profiles import DEFAULT_TOKENS, LONG_LINE, PROFILES, Piece, Profile
from agent.truth.records import Record, Records, Sent

LONG_LINE_BYTES = 256 * 1024 * 1024
BLOCK_BYTES = 64 * 1024
DONE_AFTER_NS = 500_000  # the final message follows the last token so soon
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
STREAM_END = b"0\r\n\r\n"


class TruthServer(ThreadingHTTPServer):
    """Listens on loopback as soon as it is made. `serve_forever` serves."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        self.records = Records()
        self._lock = threading.Lock()
        self._loaded: dict[str, tuple[datetime, int]] = {}
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def used(self, name: str, keep_alive: object, num_ctx: int) -> None:
        """A request for the model ended; 0 to keep alive unloads it."""
        with self._lock:
            self._loaded.pop(name, None)
            if keep_alive != 0:
                self._loaded[name] = (answers.expiry(keep_alive), num_ctx)

    def ps(self) -> dict[str, Any]:
        """`/api/ps`."""
        with self._lock:
            return {"models": [answers.loaded(name, *how) for name, how in self._loaded.items()]}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes in the middle of an answer is nothing to talk about."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: TruthServer

    def do_GET(self) -> None:
        """What is known without asking a model."""
        known = {
            "/api/version": lambda: {"version": answers.VERSION},
            "/api/tags": answers.tags,
            "/api/ps": self.server.ps,
            "/truth": self.server.records.as_json,
        }
        answer = known.get(self.path)
        if answer is None:
            return self._json({"error": "not found"}, 404)
        self._json(answer())

    def do_POST(self) -> None:
        """`/api/show`, `/api/generate` and `/api/chat`."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        received_ns = time.perf_counter_ns()
        try:
            asked = json.loads(body)
        except ValueError:
            return self._json({"error": "invalid JSON"}, 400)
        name = str(asked.get("model") or asked.get("name")).removesuffix(":latest")
        if name not in answers.NAMES:
            return self._json({"error": f"model '{name}' not found"}, 404)
        if self.path == "/api/show":
            return self._json(answers.show())
        if self.path not in ("/api/generate", "/api/chat"):
            return self._json({"error": "not found"}, 404)
        if name == LONG_LINE:
            return self._long_line()
        Answer(self, asked, PROFILES[name], received_ns).send()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: writing takes time."""

    def _json(self, value: Any, status: int = 200) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _long_line(self) -> None:
        """Text without an end of line, until the client has enough or 256 MiB are sent."""
        block = _chunk(b"x" * BLOCK_BYTES)
        self.wfile.write(STREAM_HEAD + _chunk(b'{"response":"'))
        for _ in range(LONG_LINE_BYTES // BLOCK_BYTES):
            self.wfile.write(block)
        self.wfile.write(STREAM_END)


class Answer:
    """One answer of a model. `asked`: the request's JSON."""

    def __init__(self, handler: Handler, asked: dict[str, Any], profile: Profile, received_ns: int) -> None:
        self.handler, self.asked, self.profile = handler, asked, profile
        self.is_chat = handler.path == "/api/chat"
        self.prompt = _prompt(asked)
        options = asked.get("options") or {}
        self.tokens = int(options.get("num_predict") or DEFAULT_TOKENS)
        self.num_ctx = int(options.get("num_ctx") or answers.CONTEXT_LENGTH)
        self.record = Record(profile.name, received_ns)

    def send(self) -> None:
        """All of it. Raises OSError when the client goes."""
        if not self.prompt:
            return self._only_load()
        if self.asked.get("stream", True) is False:
            return self._whole()
        head = STREAM_HEAD
        for piece in self._pieces():
            self._send_piece(piece, head)
            head = b""
        wait_until(self.record.pieces[-1].due_ns + DONE_AFTER_NS)
        self._ended()
        content = head + _chunk(_line(self._final(""))) + STREAM_END
        self.record.done_ns = time.perf_counter_ns()
        self.handler.server.records.add(self.record)  # before the client can ask for it
        self.handler.connection.sendall(content)

    def _pieces(self) -> Iterator[Piece]:
        return self.profile.pieces(self.profile, self.tokens)

    def _send_piece(self, piece: Piece, head: bytes) -> None:
        """At its time. The bytes are ready before, so that nothing but the call lies between clock and wire."""
        line = _line(self._part(piece.text))
        due_ns = self.record.received_ns + round(piece.due_s * NS_PER_S)
        content = head + _chunk(line)
        send = self.handler.connection.sendall
        if piece.early_half_s:
            first, second = halves(line)
            wait_until(due_ns - round(piece.early_half_s * NS_PER_S))
            send(head + _chunk(first))
            content = _chunk(second)
        wait_until(due_ns)
        sent_ns = time.perf_counter_ns()
        send(content)
        took_ns = time.perf_counter_ns() - sent_ns
        self.record.pieces.append(Sent(sent_ns, due_ns, piece.tokens, took_ns))

    def _whole(self) -> None:
        """Not streamed: one object when the last token is due."""
        pieces = list(self._pieces())
        due = [self.record.received_ns + round(piece.due_s * NS_PER_S) for piece in pieces]
        self.record.pieces = [Sent(due[-1], due_ns, piece.tokens, 0) for due_ns, piece in zip(due, pieces, strict=True)]
        wait_until(due[-1])
        self._ended()
        self.record.done_ns = time.perf_counter_ns()
        self.handler.server.records.add(self.record)
        self.handler._json(self._final("".join(piece.text for piece in pieces)))

    def _only_load(self) -> None:
        """An empty prompt loads the model, or unloads it."""
        self._ended()
        reason = "unload" if self.asked.get("keep_alive") == 0 else "load"
        self.handler._json({**self._part(""), "done": True, "done_reason": reason})

    def _ended(self) -> None:
        self.handler.server.used(self.profile.name, self.asked.get("keep_alive"), self.num_ctx)

    def _part(self, text: str) -> dict[str, Any]:
        said = {"message": {"role": "assistant", "content": text}} if self.is_chat else {"response": text}
        return {
            "model": self.asked.get("model"),
            "created_at": answers.rfc3339(answers.now()),
            **said,
            "done": False,
        }

    def _final(self, text: str) -> dict[str, Any]:
        counted = answers.counters(self.profile, self.record, self.prompt)
        return {**self._part(text), "done": True, "done_reason": "length", **counted}


def halves(line: bytes) -> tuple[bytes, bytes]:
    """A line cut inside its first character of several bytes; in the middle when it has none."""
    cut = next((position + 1 for position, byte in enumerate(line) if byte >= 0x80), len(line) // 2)
    return line[:cut], line[cut:]


def _prompt(asked: dict[str, Any]) -> str:
    if "messages" in asked:
        return "\n".join(str(message.get("content", "")) for message in asked["messages"] or [])
    return str(asked.get("prompt") or "")


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)
