"""Reading one streamed answer of Ollama: when each chunk arrived, what the final message counted, how it ended.

The stream is read with the standard library's HTTP client and not with requests: cancelling has to reach the socket
while the answer's first byte is still awaited (a load or a long prompt takes minutes), and requests hands the socket
out only afterwards. Nothing of the answer is kept but its timing and counters, so memory stays bounded whatever comes.

Every arrival is stamped with `perf_counter_ns` right after the read that completed the line, before it is parsed.
"""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Callable, Optional
from urllib.parse import SplitResult

from .cancel import Cancel
from .contract import RawCounters
from .ollama_errors import OllamaError, classified, refusal
from .stream_message import counters, message_of, text_of

CONNECT_TIMEOUT_S = 5.0
DRAIN_TIMEOUT_S = 0.25
READ_BYTES = 64 * 1024
MAX_LINE_BYTES = 1024 * 1024
MAX_STREAM_BYTES = 64 * 1024 * 1024
MAX_ERROR_BODY_BYTES = 64 * 1024
# A token makes at most one chunk, besides what a parser held back until the end.
CHUNKS_BEYOND_ASKED = 64
MAX_CHUNK_STAMPS = 100_000  # the wire contract's limit
# Ollama ends a stream without a final message after 30 equal chunks in a row.
EQUAL_CHUNKS_TO_ABORT = 30


@dataclass
class Generation:
    """One request and its answer. Times in ns of `perf_counter_ns`, relative to `start_ns`, except `start_ns`.

    `error` says why it is not whole; what arrived before is kept. `cancelled`: it was stopped from here.
    """

    start_ns: int = 0
    raw: RawCounters = field(default_factory=RawCounters)
    ttft_ns: Optional[int] = None
    ttfo_ns: Optional[int] = None
    last_token_ns: Optional[int] = None
    e2e_ns: Optional[int] = None
    chunk_ns: list[int] = field(default_factory=list)
    chunks: int = 0
    equal_chunks: int = 0
    error: Optional[OllamaError] = None
    bad_counters: Optional[str] = None
    cancelled: bool = False


@dataclass(frozen=True)
class StreamLimits:
    """Seconds without a byte that are borne before the first one and after it, and the job's end (perf_counter)."""

    first_byte_s: float
    stall_s: float
    deadline: Optional[float] = None
    chunks: int = MAX_CHUNK_STAMPS


class Stream:
    """One POST whose answer is a stream of JSON lines. Use once: `run` always returns a Generation, never raises."""

    path = "/api/generate"

    def __init__(self, address: SplitResult, body: bytes, limits: StreamLimits, model: Optional[str] = None) -> None:
        self.address = address
        self.body = body
        self.limits = limits
        self.model = model
        self.result = Generation()
        self._connection = _connection(address)
        self._last_text: Optional[str] = None

    def run(
        self, cancel: Optional[Cancel] = None, on_start: Optional[Callable[[Generation], None]] = None
    ) -> Generation:
        """Send the request and read to the end. `on_start` gets the growing result for others to look at."""
        result = self.result
        try:
            self._connect()
            forget = cancel.on_set(self._shut_down) if cancel is not None else lambda: None
            try:
                self._exchange(on_start)
            finally:
                forget()
        except OllamaError as error:
            result.error = error
        finally:
            self._connection.close()
        if cancel is not None and cancel.is_set() and not result.raw.done:
            result.cancelled, result.error = True, None
        return result

    def _connect(self) -> None:
        self.result.start_ns = time.perf_counter_ns()
        try:
            self._connection.connect()
        except OSError as error:
            raise unreachable(self.address, error) from None

    def _shut_down(self) -> None:
        """Wake a thread that is blocked in recv. Called from another thread, so it must not close the socket."""
        sock = self._connection.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _exchange(self, on_start: Optional[Callable[[Generation], None]]) -> None:
        result = self.result
        self._allow(self.limits.first_byte_s)
        result.start_ns = time.perf_counter_ns()
        if on_start is not None:
            on_start(result)
        try:
            headers = {"Content-Type": "application/json", "Accept": "application/x-ndjson"}
            self._connection.request("POST", _path(self.address, self.path), self.body, headers)
            response = self._connection.getresponse()
            self._read(response)
        except (socket.timeout, TimeoutError):
            raise self._silent() from None
        except (OSError, http.client.HTTPException) as error:
            raise self._broken(error) from None

    def _read(self, response: http.client.HTTPResponse) -> None:
        if response.status != 200:
            raise refusal(response.status, response.read(MAX_ERROR_BODY_BYTES), self.model)
        self._allow(self.limits.stall_s)
        end_is_marked = bool(response.chunked) or response.length is not None
        for stamp, line in self._lines(response):
            self._take(stamp - self.result.start_ns, line)
            if self.result.raw.done:
                return self._drain(response)
        if response.length or not end_is_marked:  # it had promised more, or a dead server looks the same as an end
            raise OllamaError("broken_stream", "Ollama closed the connection in the middle of the answer")
        self._ended_without_done()

    def _drain(self, response: http.client.HTTPResponse) -> None:
        """Take the end of the answer as well: closing before it would look like a broken connection to Ollama."""
        if self._connection.sock is not None:
            self._connection.sock.settimeout(DRAIN_TIMEOUT_S)
        with suppress(OSError, http.client.HTTPException):
            response.read1(READ_BYTES)

    def _lines(self, response: http.client.HTTPResponse) -> Iterator[tuple[int, bytes]]:
        """Lines with the moment their last byte was read. Bounded: in one line, and in all."""
        rest, total = b"", 0
        while True:
            data = response.read1(READ_BYTES)
            stamp = time.perf_counter_ns()
            if not data:
                break
            total += len(data)
            *lines, rest = (rest + data).split(b"\n")
            if total > MAX_STREAM_BYTES or len(rest) > MAX_LINE_BYTES:
                raise OllamaError("garbage", "Ollama sent far more data than an answer has; the connection was closed")
            for line in lines:
                if line.strip():
                    yield stamp, line
            self._allow(self.limits.stall_s)
        if rest.strip():
            yield stamp, rest

    def _allow(self, seconds: float) -> None:
        """Let the next read wait so long, but not beyond the deadline."""
        if self.limits.deadline is not None:
            left = self.limits.deadline - time.perf_counter()
            if left <= 0:
                raise OllamaError("deadline", "The job's time was up in the middle of an answer")
            seconds = min(seconds, left)
        sock = self._connection.sock
        if sock is not None:
            sock.settimeout(seconds)

    def _take(self, at_ns: int, line: bytes) -> None:
        message = message_of(line)
        error = message.get("error")
        if error is not None:
            raise classified(error if isinstance(error, str) else "an error it did not name", None, self.model)
        if message.get("remote_host") or message.get("remote_model"):
            raise OllamaError("model_remote", "The answer came from a cloud service, not from this machine")
        answer, thinking = text_of(message, "response"), text_of(message, "thinking")
        if answer or thinking or message.get("tool_calls"):
            self._token(at_ns, answer, thinking)
        if message.get("done") is True:
            self.result.e2e_ns = at_ns
            self.result.raw, self.result.bad_counters = counters(message)

    def _token(self, at_ns: int, answer: str, thinking: str) -> None:
        result = self.result
        result.chunks += 1
        if result.chunks > self.limits.chunks:
            raise OllamaError("garbage", "Ollama sent more pieces of text than tokens were asked for")
        text = (answer or thinking).strip()
        result.equal_chunks = result.equal_chunks + 1 if text == self._last_text else 1
        self._last_text = text
        if result.ttft_ns is None:
            result.ttft_ns = at_ns
        if answer and result.ttfo_ns is None:
            result.ttfo_ns = at_ns
        result.last_token_ns = at_ns
        if len(result.chunk_ns) < MAX_CHUNK_STAMPS:
            result.chunk_ns.append(at_ns)

    def _ended_without_done(self) -> None:
        """A clean end with no final message is no connection failure: the sample is invalid and Ollama is well."""
        why = ""
        if self.result.equal_chunks >= EQUAL_CHUNKS_TO_ABORT:
            why = f": it stops after {self.result.equal_chunks} equal pieces of text in a row"
        self.result.error = OllamaError("not_done", f"Ollama ended the answer without its final message{why}")

    def _silent(self) -> OllamaError:
        if self.limits.deadline is not None and time.perf_counter() >= self.limits.deadline:
            return OllamaError("deadline", "The job's time was up while Ollama was answering")
        started = self.result.ttft_ns is not None
        seconds = self.limits.stall_s if started else self.limits.first_byte_s
        where = "in the middle of the answer" if started else "before the first token"
        return OllamaError("stalled", f"Ollama stopped answering {where} (no data for {round(seconds, 1):g} s)")

    def _broken(self, error: Exception) -> OllamaError:
        if isinstance(error, (http.client.BadStatusLine, http.client.LineTooLong)) and not isinstance(
            error, http.client.RemoteDisconnected
        ):
            return OllamaError("not_ollama", f"What answers at {_shown(self.address)} does not speak HTTP")
        where = "in the middle of the answer" if self.result.ttft_ns is not None else "before the first token"
        return OllamaError("broken_stream", f"Ollama closed the connection {where}")


def unreachable(address: SplitResult, error: Exception) -> OllamaError:
    """The error for a connection that could not be made."""
    shown = _shown(address)
    if isinstance(error, (socket.timeout, TimeoutError)):
        return OllamaError("timeout", f"Ollama did not accept a connection at {shown} within {CONNECT_TIMEOUT_S:.0f} s")
    if isinstance(error, ConnectionRefusedError):
        return OllamaError("refused", f"Ollama refused the connection at {shown}")
    return OllamaError("refused", f"Ollama could not be reached at {shown}: {error}")


def _connection(address: SplitResult) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    return kind(address.hostname or "127.0.0.1", address.port, timeout=CONNECT_TIMEOUT_S)


def _path(address: SplitResult, path: str) -> str:
    return address.path.rstrip("/") + path


def _shown(address: SplitResult) -> str:
    return f"{address.scheme}://{address.hostname}:{address.port}" if address.port else address.geturl()
