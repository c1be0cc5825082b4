"""One call of `/api/embed`, timed by the agent's clock: Ollama counts its tokens and, but for the load, no durations.

The answer is one JSON object. It is read whole within bounds, its arrival is stamped before it is parsed, and the
vectors are only looked at: as many as texts were sent, all of one length, every number finite.
"""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import SplitResult

from .ollama_errors import OllamaError, refusal
from .stream import MAX_ERROR_BODY_BYTES, Stream, StreamLimits
from .stream_http import Answer
from .stream_message import counters, message_of
from .wire import dumps

# 256 vectors of 4,096 numbers, as Ollama writes them, and the memory that their parsing takes.
MAX_ANSWER_BYTES = 16 * 1024 * 1024
MAX_NUMBERS = 1_500_000
BRACKETS_BESIDE_VECTORS = 64


class EmbedCall(Stream):
    """One POST with a single answer. Use once: `run` always returns a Generation, never raises."""

    path = "/api/embed"
    accept = "application/json"

    def __init__(self, address: SplitResult, body: dict[str, Any], limits: StreamLimits) -> None:
        super().__init__(address, dumps(body), limits, str(body.get("model")))
        self.texts = len(body["input"])

    def _read(self, answer: Answer) -> None:
        if answer.status != 200:
            raise refusal(answer.status, self._whole(answer, MAX_ERROR_BODY_BYTES)[0], self.model)
        content, arrived_ns = self._whole(answer, MAX_ANSWER_BYTES)
        if len(content) > MAX_ANSWER_BYTES:
            raise OllamaError("garbage", f"Ollama's answer is larger than {MAX_ANSWER_BYTES >> 20} MiB")
        if not answer.ended:
            raise OllamaError("broken_stream", "Ollama closed the connection in the middle of the answer")
        check_size(content, self.texts)
        message = message_of(content)
        check_vectors(message.get("embeddings"), self.texts)
        self.result.e2e_ns = arrived_ns - self.result.start_ns
        self.result.raw, self.result.bad_counters = counters(message)


def check_size(content: bytes, texts: int) -> None:
    """Raise OllamaError garbage for what would grow far beyond its own size when it is parsed."""
    brackets = content.count(b"[") + content.count(b"{")
    if brackets > texts + BRACKETS_BESIDE_VECTORS or content.count(b",") > MAX_NUMBERS:
        raise OllamaError("garbage", f"Ollama did not answer {texts} texts with as many vectors")


def check_vectors(vectors: object, texts: int) -> None:
    """Raise OllamaError garbage unless there is one vector for each text, all of one length and finite."""
    if not isinstance(vectors, list) or len(vectors) != texts:
        raise OllamaError("garbage", f"Ollama did not answer {texts} texts with as many vectors")
    lengths = {len(vector) if isinstance(vector, list) else 0 for vector in vectors}
    if len(lengths) != 1 or 0 in lengths:
        raise OllamaError("garbage", "Ollama sent vectors that are empty or of different lengths")
    if not all(_is_number(value) for vector in vectors for value in vector):
        raise OllamaError("garbage", "Ollama sent a vector with something in it that is not a number")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
