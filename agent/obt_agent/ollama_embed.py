"""One call of `/api/embed`, timed by the agent's clock: Ollama counts its tokens and, but for the load, no durations.

The answer is one JSON object. It is read whole within bounds, its arrival is stamped before it is parsed, and the
vectors are only looked at: as many as texts were sent, all of one length, every number finite.
"""

from __future__ import annotations

import http.client
import math
import time
from typing import Any
from urllib.parse import SplitResult

from .ollama_errors import OllamaError, refusal
from .stream import MAX_ERROR_BODY_BYTES, READ_BYTES, Stream, StreamLimits
from .stream_message import counters, message_of
from .wire import dumps

# 256 vectors of 4,096 numbers, as Ollama writes them.
MAX_ANSWER_BYTES = 32 * 1024 * 1024


class EmbedCall(Stream):
    """One POST with a single answer. Use once: `run` always returns a Generation, never raises."""

    path = "/api/embed"

    def __init__(self, address: SplitResult, body: dict[str, Any], limits: StreamLimits) -> None:
        super().__init__(address, dumps(body), limits, str(body.get("model")))
        self.texts = len(body["input"])

    def _read(self, response: http.client.HTTPResponse) -> None:
        if response.status != 200:
            raise refusal(response.status, response.read(MAX_ERROR_BODY_BYTES), self.model)
        content = self._whole(response)
        arrived_ns = time.perf_counter_ns() - self.result.start_ns
        message = message_of(content)
        check_vectors(message.get("embeddings"), self.texts)
        self.result.e2e_ns = arrived_ns
        self.result.raw, self.result.bad_counters = counters(message)

    def _whole(self, response: http.client.HTTPResponse) -> bytes:
        content = bytearray()
        self._allow(self.limits.stall_s)
        while piece := response.read1(READ_BYTES):
            content += piece
            if len(content) > MAX_ANSWER_BYTES:
                raise OllamaError("garbage", f"Ollama's answer is larger than {MAX_ANSWER_BYTES >> 20} MiB")
            self._allow(self.limits.stall_s)
        if response.length:
            raise OllamaError("broken_stream", "Ollama closed the connection in the middle of the answer")
        return bytes(content)


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
