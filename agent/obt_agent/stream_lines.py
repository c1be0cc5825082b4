"""What a stream's lines say: which is a token, when the first and the last came, what the final message counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from .contract import RawCounters
from .ollama_errors import OllamaError, classified
from .stream_message import counters, message_of, plain_token, text_of

MAX_LINE_BYTES = 1024 * 1024
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


class Lines:
    """Takes a stream's content piece by piece and fills `result`. Raises OllamaError for what is not Ollama's.

    `limit`: the most pieces of text. Times are in ns of `perf_counter_ns`.
    """

    def __init__(self, result: Generation, limit: int, model: Optional[str]) -> None:
        self.result, self.limit, self.model = result, limit, model
        self._rest = b""
        self._stamp = 0
        self._last_text: Optional[str] = None

    def add(self, stamp: int, content: bytes) -> None:
        """What arrived at `stamp`. A line counts from its last byte."""
        *lines, self._rest = (self._rest + content).split(b"\n")
        self._stamp = stamp
        if len(self._rest) > MAX_LINE_BYTES:
            raise too_much()
        for line in lines:
            self._take(line)

    def end(self) -> None:
        """There is no more; a last line may have no end."""
        self._take(self._rest)

    def _take(self, line: bytes) -> None:
        if not line.strip() or self.result.raw.done:
            return
        plain = plain_token(line)
        if plain is not None:  # nearly all lines: a third of the work
            if plain:
                self._token(self._stamp - self.result.start_ns, plain, "")
            return
        message = message_of(line)
        error = message.get("error")
        if error is not None:
            raise classified(error if isinstance(error, str) else "an error it did not name", None, self.model)
        if message.get("remote_host") or message.get("remote_model"):
            raise OllamaError("model_remote", "The answer came from a cloud service, not from this machine")
        at_ns = self._stamp - self.result.start_ns
        answer, thinking = text_of(message, "response"), text_of(message, "thinking")
        if answer or thinking or message.get("tool_calls"):
            self._token(at_ns, answer, thinking)
        if message.get("done") is True:
            self.result.e2e_ns = at_ns
            self.result.raw, self.result.bad_counters = counters(message)

    def _token(self, at_ns: int, answer: str, thinking: str) -> None:
        result = self.result
        result.chunks += 1
        if result.chunks > self.limit:
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


def too_much() -> OllamaError:
    """More than any answer has."""
    return OllamaError("garbage", "Ollama sent far more data than an answer has; the connection was closed")


def without_done(result: Generation) -> OllamaError:
    """A clean end with no final message is no connection failure: the sample is invalid and Ollama is well."""
    why = ""
    if result.equal_chunks >= EQUAL_CHUNKS_TO_ABORT:
        why = f": it stops after {result.equal_chunks} equal pieces of text in a row"
    return OllamaError("not_done", f"Ollama ended the answer without its final message{why}")
