"""Reading one streamed answer of Ollama: when each chunk arrived, what the final message counted, how it ended.

The stream is read from its socket and not with requests: cancelling has to reach it while the answer's first byte is
still awaited (a load or a long prompt takes minutes), and requests hands the socket out only afterwards. Nothing of the
answer is kept but its timing and counters, so memory stays bounded whatever comes.

Every arrival is stamped with `perf_counter_ns` right after the read that completed the line. After the first token
lines are parsed some at a time: work between two tokens is taken from the machine that is measured. What does not look
like one more token is looked at as it comes.
"""

from __future__ import annotations

import http.client
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Callable, Optional
from urllib.parse import SplitResult

from .cancel import Cancel
from .ollama_errors import OllamaError, refusal
from .stream_http import READ_BYTES, Answer, post
from .stream_lines import MAX_CHUNK_STAMPS, Generation, Lines, too_much, without_done

__all__ = ["Generation", "Stream", "StreamLimits", "unreachable"]

CONNECT_TIMEOUT_S = 5.0
DRAIN_TIMEOUT_S = 0.25
MAX_STREAM_BYTES = 64 * 1024 * 1024
MAX_ERROR_BODY_BYTES = 64 * 1024
# A token makes at most one chunk, besides what a parser held back until the end.
CHUNKS_BEYOND_ASKED = 64
# How Ollama ends the line of a token, and the HTTP chunk around it: its fields have a fixed order.
ORDINARY_END = b'"done":false}\n'
ORDINARY_ENDS = (ORDINARY_END, ORDINARY_END + b"\r\n")
ORDINARY_BYTES = 4096
LOOK_EVERY_NS = 500_000_000


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
    accept = "application/x-ndjson"

    def __init__(self, address: SplitResult, body: bytes, limits: StreamLimits, model: Optional[str] = None) -> None:
        self.address = address
        self.body = body
        self.limits = limits
        self.model = model
        self.result = Generation()
        self._connection = _connection(address)
        self._socket: socket.socket
        self._unread: list[tuple[int, bytes]] = []
        self._lines = Lines(self.result, limits.chunks, model)
        self._parsed_chunks = 0

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
        self._socket = self._connection.sock

    def _shut_down(self) -> None:
        """Wake a thread that is blocked in recv. Called from another thread, so it must not close the socket."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _exchange(self, on_start: Optional[Callable[[Generation], None]]) -> None:
        request = post(self.address, self.path, self.body, self.accept)
        answer = Answer(self._socket)
        self._allow(self.limits.first_byte_s)
        self.result.start_ns = time.perf_counter_ns()
        if on_start is not None:
            on_start(self.result)
        try:
            self._socket.sendall(request)
            answer.begin()
            self._allow(self.limits.stall_s)
            self._read(answer)
        except (socket.timeout, TimeoutError):
            raise self._silent() from None
        except (OSError, http.client.HTTPException) as error:
            raise self._broken(error) from None

    def _read(self, answer: Answer) -> None:
        if answer.status != 200:
            raise refusal(answer.status, self._whole(answer, MAX_ERROR_BODY_BYTES)[0], self.model)
        self._unread.append(answer.first)
        try:
            self._look(answer)
            self._receive(answer)
        finally:
            self._look(answer)  # what arrived before a failure counts
        if answer.ended or not answer.end_is_marked:
            self._lines.end()
        if self.result.raw.done:
            return self._drain(answer)
        if not answer.ended:  # without a length, a dead server looks the same as an end
            raise OllamaError("broken_stream", "Ollama closed the connection in the middle of the answer")
        self.result.error = without_done(self.result)

    def _whole(self, answer: Answer, most: int) -> tuple[bytes, int]:
        """The body, or what comes until it is longer than `most` bytes; and when its end was read."""
        stamp, data = answer.first
        pieces = [answer.content(data)]
        while not answer.ended and sum(map(len, pieces)) <= most:
            self._allow(self.limits.stall_s)
            data = self._socket.recv(READ_BYTES)
            stamp = time.perf_counter_ns()
            if not data:
                break
            pieces.append(answer.content(data))
        return b"".join(pieces), stamp

    def _receive(self, answer: Answer) -> None:
        """Read to the answer's end or the connection's."""
        total, more = 0, True
        while more and not (answer.ended or self.result.raw.done):
            more = self._gather()
            total += sum(len(data) for _, data in self._unread)
            if total > MAX_STREAM_BYTES:
                raise too_much()
            self._look(answer)

    def _gather(self) -> bool:
        """Read until there is something to look at; False at the connection's end. What is done here per token is what
        a stream costs."""
        result, unread, read, now = self.result, self._unread, self._socket.recv, time.perf_counter_ns
        calm_until_ns = self._calm_until_ns()
        while data := read(READ_BYTES):
            stamp = now()
            unread.append((stamp, data))
            if stamp > calm_until_ns or not data.endswith(ORDINARY_ENDS) or len(data) > ORDINARY_BYTES:
                return True
            result.chunks += 1  # by the looks of it
        return False

    def _calm_until_ns(self) -> int:
        """How long tokens may go unparsed: not the first, and not near the deadline."""
        bounded = self._allow(self.limits.stall_s) < self.limits.stall_s
        return 0 if bounded or self.result.ttft_ns is None else time.perf_counter_ns() + LOOK_EVERY_NS

    def _look(self, answer: Answer) -> None:
        """Parse what was read since the last look."""
        unread, self._unread = self._unread, []
        if not unread:
            return
        self.result.chunks = self._parsed_chunks
        for stamp, data in unread:
            self._lines.add(stamp, answer.content(data))
        self._parsed_chunks = self.result.chunks

    def _drain(self, answer: Answer) -> None:
        """Take the end of the answer as well: closing before it would look like a broken connection to Ollama."""
        with suppress(OSError):
            if not answer.ended:
                self._socket.settimeout(DRAIN_TIMEOUT_S)
                self._socket.recv(READ_BYTES)

    def _allow(self, seconds: float) -> float:
        """Let reads wait so long, but not beyond the deadline. Returns the seconds."""
        if self.limits.deadline is not None:
            left = self.limits.deadline - time.perf_counter()
            if left <= 0:
                raise OllamaError("deadline", "The job's time was up in the middle of an answer")
            seconds = min(seconds, left)
        self._socket.settimeout(seconds)
        return seconds

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


def _shown(address: SplitResult) -> str:
    return f"{address.scheme}://{address.hostname}:{address.port}" if address.port else address.geturl()
