"""What can go wrong with Ollama, as one exception with a kind for programs and a sentence for people.

Kinds: refused (nobody listens), timeout (no answer in time), not_ollama (something else answers), http (another
refusal; see `status`), broken_stream (ended in the middle), stalled (no data in the middle), garbage (not what its API
says), model_missing, model_remote (a cloud model), out_of_memory, server_busy, load_failed, context_exceeded, deadline
(the job's time is up).
"""

from __future__ import annotations

import json
from typing import Any, Optional

MAX_SENTENCE = 500


class OllamaError(Exception):
    """`kind` and `message` as above; `status` is the HTTP status where there was one."""

    def __init__(self, kind: str, message: str, status: Optional[int] = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status


# Parts of Ollama's own error texts (server and runners, 0.1 to 0.33), in lower case. Memory before loading: a runner
# that died of it says both.
OUT_OF_MEMORY_TEXTS = (
    "out of memory",
    "requires more system memory",
    "unable to allocate",
    "failed to allocate",
    "cudamalloc failed",
    "not enough memory",
    "insufficient memory",
)
LOAD_FAILED_TEXTS = (
    "runner process has terminated",
    "runner process no longer running",
    "llama-server process has terminated",
    "llama-server process no longer running",
    "error loading model",
    "failed to load model",
    "unable to load model",
    "unable to load full model",
    "waiting for llama runner to start",
    "unsupported model",
    "unable to create llama context",
    "timed out waiting for",
)
CONTEXT_TEXTS = (
    "exceeds the context length",
    "exceeds maximum context",
    "context size has been exceeded",
    "exceeds the available context size",  # llama-server, 0.30 and later
    "exceeds the model's maximum context length",  # MLX
)
BUSY_TEXTS = ("server busy", "maximum pending requests exceeded")


def clipped(text: str) -> str:
    """Somebody else's text, in one line and no longer than a sentence may be."""
    line = " ".join("".join(ch if ch.isprintable() else " " for ch in text).split())
    return line if len(line) <= MAX_SENTENCE else line[: MAX_SENTENCE - 1] + "…"


def refusal(status: int, body: bytes, model: Optional[str] = None) -> OllamaError:
    """The error for an HTTP answer that is not 200."""
    text = error_text(body)
    if text is None and status != 404:
        return OllamaError("http", f"Ollama answered HTTP {status} without saying why", status)
    return classified(text or "", status, model)


def classified(text: str, status: Optional[int] = None, model: Optional[str] = None) -> OllamaError:
    """The error for a text of Ollama's, from a refused request or from the middle of a stream (no status then)."""
    said, low = clipped(text), text.lower()
    if status == 503 or _any(BUSY_TEXTS, low):
        return OllamaError("server_busy", f"Ollama is busy with other requests: {said}", status)
    if status == 404 and (model is not None or "not found" in low):
        return OllamaError("model_missing", f"Ollama does not have the model {model or ''}: {said}".strip(), status)
    if _any(OUT_OF_MEMORY_TEXTS, low):
        return OllamaError("out_of_memory", f"The model does not fit into this machine's memory: {said}", status)
    if _any(CONTEXT_TEXTS, low):
        return OllamaError("context_exceeded", f"The prompt does not fit the context length: {said}", status)
    if _any(LOAD_FAILED_TEXTS, low):
        return OllamaError("load_failed", f"Ollama could not load the model: {said}", status)
    if status is None:
        return OllamaError("broken_stream", f"Ollama stopped in the middle of the answer: {said}")
    return OllamaError("http", f"Ollama refused the request (HTTP {status}): {said}", status)


def error_text(body: bytes) -> Optional[str]:
    """The `error` of a JSON body; None when there is none."""
    try:
        value: Any = json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    text = value.get("error") if isinstance(value, dict) else None
    return text if isinstance(text, str) and text else None


def _any(parts: tuple[str, ...], text: str) -> bool:
    return any(part in text for part in parts)
