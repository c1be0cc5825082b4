"""The answers that are no stream: what models there are, what is loaded, and the counters of a final message."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.truth.profiles import LONG_LINE, PROFILES, Profile
from agent.truth.records import Record

# "simul" in it is how an agent knows that no real Ollama answers.
VERSION = "0.24.0-simulated-truth"
SIZE_BYTES = 1_000_000
CONTEXT_LENGTH = 2_000_000
CHARACTERS_PER_TOKEN = 4
LOAD_NS = 1_000_000
KEEP_ALIVE_S = 300.0
NAMES = (*PROFILES, LONG_LINE)
_DETAILS = {
    "format": "gguf",
    "family": "truth",
    "families": ["truth"],
    "parameter_size": "1K",
    "quantization_level": "F16",
}
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def digest(name: str) -> str:
    """A model's digest: made of its name."""
    return hashlib.sha256(name.encode()).hexdigest()


def full(name: str) -> str:
    """The name with its tag, as Ollama lists it."""
    return name if ":" in name else f"{name}:latest"


def tags() -> dict[str, Any]:
    """`/api/tags`."""
    return {"models": [_listed(name) for name in NAMES]}


def show() -> dict[str, Any]:
    """`/api/show`, the same for every model."""
    info = {"general.architecture": "truth", "truth.context_length": CONTEXT_LENGTH}
    return {"details": _DETAILS, "model_info": info, "capabilities": ["completion"]}


def loaded(name: str, expires: datetime, num_ctx: int) -> dict[str, Any]:
    """A row of `/api/ps`: on no GPU."""
    where = {"expires_at": rfc3339(expires), "size_vram": 0, "context_length": num_ctx}
    return {**_listed(name), **where}


def rfc3339(moment: datetime) -> str:
    """A time as Go writes it."""
    return moment.isoformat().replace("+00:00", "Z")


def now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def keep_alive_s(value: object) -> float:
    """Seconds of a `keep_alive`: a number of them, or "5m"; five minutes for anything else."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    text = value if isinstance(value, str) else ""
    try:
        return float(text[:-1]) * _UNITS[text[-1:]]
    except (KeyError, ValueError):
        return KEEP_ALIVE_S


def expiry(keep_alive: object) -> datetime:
    """When a model goes that is used until now."""
    return now() + timedelta(seconds=min(keep_alive_s(keep_alive), 10.0**9))


def counters(profile: Profile, record: Record, prompt: str) -> dict[str, int]:
    """A final message's: durations by when tokens were due, the first token not in `eval_duration`."""
    tokens = record.tokens
    first_ns, last_ns = round(profile.due_s(0) * 1e9), round(profile.due_s(max(0, tokens - 1)) * 1e9)
    return {
        "total_duration": time.perf_counter_ns() - record.received_ns,
        "load_duration": LOAD_NS,
        "prompt_eval_count": max(1, len(prompt) // CHARACTERS_PER_TOKEN),
        "prompt_eval_duration": max(1, first_ns - LOAD_NS),
        "eval_count": tokens,
        "eval_duration": max(1, last_ns - first_ns),
    }


def _listed(name: str) -> dict[str, Any]:
    called = {"name": full(name), "model": full(name), "modified_at": "2026-01-01T00:00:00Z"}
    return {**called, "size": SIZE_BYTES, "digest": digest(name), "details": _DETAILS}
