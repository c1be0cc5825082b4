"""Reading one line of Ollama's stream: a JSON object, its text, and the counters of the final one. Trusts nothing."""

from __future__ import annotations

import re
from typing import Any, Optional

from .contract import RawCounters
from .ollama_errors import OllamaError
from .wire import MAX_INT, WireError, loads

COUNTERS = (
    "total_duration",
    "load_duration",
    "prompt_eval_count",
    "prompt_eval_cached_count",
    "prompt_eval_duration",
    "eval_count",
    "eval_duration",
)
# A token's line as Ollama writes it, without anything that would have to be looked at; its text has no escapes.
_TOKEN_LINE = re.compile(
    rb'{"model":"[^"\\\x00-\x1f]*","created_at":"[^"\\\x00-\x1f]*","response":"([^"\\\x00-\x1f]*)","done":false}'
)


def plain_token(line: bytes) -> Optional[str]:
    """The text of a token's line where that can be told without reading JSON; None for every other line."""
    found = _TOKEN_LINE.fullmatch(line)
    if found is None:
        return None
    try:
        return line.decode() and found[1].decode()
    except UnicodeDecodeError:
        return None


def message_of(line: bytes) -> dict[str, Any]:
    """The object on a line. Raises OllamaError garbage."""
    try:
        value = loads(line)
    except WireError as error:
        raise OllamaError(
            "garbage", f"Ollama sent a line that is not JSON ({error.problems[0].message[:200]})"
        ) from None
    if not isinstance(value, dict):
        raise OllamaError("garbage", "Ollama sent a line that is not a JSON object")
    return value


def text_of(message: dict[str, Any], name: str) -> str:
    """A text field, empty when absent. Raises OllamaError garbage when it is something else."""
    value = message.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise OllamaError("garbage", f"Ollama sent a {name} that is not text")
    return value


def counters(message: dict[str, Any]) -> tuple[RawCounters, Optional[str]]:
    """The counters of a final message, and what is wrong with the first that is not a count (it becomes None)."""
    values: dict[str, Optional[int]] = {}
    wrong: Optional[str] = None
    for name in COUNTERS:
        value = message.get(name)
        countable = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_INT
        values[name] = value if countable else None
        if value is not None and not countable:
            wrong = wrong or f"Ollama's {name} is {str(value)[:40]}, which is not a count"
    raw = RawCounters(
        **values,
        done=True,
        done_reason=_short(message.get("done_reason")),
        created_at=_short(message.get("created_at")),
    )
    return raw, wrong


def _short(value: Any) -> Optional[str]:
    return value[:100] if isinstance(value, str) else None
