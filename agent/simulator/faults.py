"""Errors on demand: what to do wrong, to which request, how often."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

CUT = "cut"
ERROR_LINE = "error_line"
HANG = "hang"
LOAD_FAILED = "load_failed"
OUT_OF_MEMORY = "out_of_memory"
QUEUE_FULL = "queue_full"
STATUS = "status"
GARBAGE = "garbage"
SLOW_START = "slow_start"
WRONG_COUNTS = "wrong_counts"
EARLY_STOP = "early_stop"
NO_DONE = "no_done"
RESTART = "restart"
CACHE_HIT = "cache_hit"

KINDS = {
    CUT: "the connection is closed after `after_tokens` tokens",
    ERROR_LINE: 'a line {"error": message} ends the stream after `after_tokens` tokens, status 200 already sent',
    HANG: "no bytes for `seconds` (for ever when left out) after `after_tokens` tokens; at 0 not even headers",
    LOAD_FAILED: "500: the runner died while the model was loaded",
    OUT_OF_MEMORY: "500: the model needs more memory than there is",
    QUEUE_FULL: "503: too many requests wait",
    STATUS: "`status` (500 when left out) with `message`",
    GARBAGE: "one line that is not JSON, `size_bytes` long, after `after_tokens` tokens; the stream goes on",
    SLOW_START: "`seconds` more before the first token, in no field but total_duration",
    WRONG_COUNTS: "eval_count is `delta` off",
    EARLY_STOP: 'done_reason "stop" after `after_tokens` tokens',
    NO_DONE: "the stream ends after `after_tokens` tokens without a line that says done",
    CACHE_HIT: "all but `after_tokens` tokens of the prompt (1 at least) are answered from the prompt cache",
    RESTART: "the whole server goes away for `seconds` after `after_tokens` tokens and comes back with nothing loaded",
}

INFERENCE_PATHS = frozenset({"/api/generate", "/api/chat", "/api/embed"})


@dataclass
class Fault:
    """One fault. `times` counts down and the fault is gone at 0; None is for ever.

    Without `endpoint` it concerns generate, chat and embed; without `model` every model.
    """

    kind: str
    model: str | None = None
    after_tokens: int = 0
    times: int | None = 1
    endpoint: str | None = None
    seconds: float | None = None
    status: int = 500
    message: str | None = None
    delta: int = -1
    size_bytes: int = 64

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault kind {self.kind!r}; known: {', '.join(KINDS)}")
        if self.times is not None and self.times < 1:
            raise ValueError("times must be 1 or more, or null for ever")
        if self.after_tokens < 0 or self.size_bytes < 0 or (self.seconds is not None and self.seconds < 0):
            raise ValueError("after_tokens, size_bytes and seconds must not be negative")

    def concerns(self, endpoint: str, model: str) -> bool:
        """Whether it applies to a request for `model` at the path `endpoint`."""
        here = endpoint in INFERENCE_PATHS if self.endpoint is None else endpoint == self.endpoint
        return here and self.model in (None, model)


FIELD_TYPES: dict[str, tuple[type, ...]] = {
    "kind": (str,),
    "model": (str, type(None)),
    "after_tokens": (int,),
    "times": (int, type(None)),
    "endpoint": (str, type(None)),
    "seconds": (int, float, type(None)),
    "status": (int,),
    "message": (str, type(None)),
    "delta": (int,),
    "size_bytes": (int,),
}


def fault_from_json(value: object) -> Fault:
    """A fault from a JSON object. Raise `ValueError` with the reason."""
    if not isinstance(value, Mapping):
        raise ValueError("a fault must be a JSON object")
    for key, one in value.items():
        if key not in FIELD_TYPES:
            raise ValueError(f"unknown fault field: {key}")
        if not isinstance(one, FIELD_TYPES[key]) or isinstance(one, bool):
            raise ValueError(f"{key} has the wrong type")
    if "kind" not in value:
        raise ValueError("a fault needs a kind")
    return Fault(**value)


class FaultPlan:
    """The faults one request got, by kind."""

    def __init__(self, faults: list[Fault]) -> None:
        self._by_kind = {fault.kind: fault for fault in faults}

    def get(self, kind: str) -> Fault | None:
        """The fault of that kind, if this request has one."""
        return self._by_kind.get(kind)

    def due(self, kind: str, tokens: int) -> Fault | None:
        """The fault of that kind when `tokens` are exactly as many as it waits for."""
        fault = self._by_kind.get(kind)
        return fault if fault is not None and fault.after_tokens == tokens else None


class FaultBook:
    """The faults still to come. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, kind: str, **details: Any) -> Fault:
        """Order a fault; `details` are fields of `Fault`."""
        fault = Fault(kind, **details)
        self.put([fault])
        return fault

    def put(self, faults: list[Fault]) -> None:
        """Order several."""
        with self._lock:
            self._faults.extend(faults)

    def clear(self) -> None:
        """Forget all faults still to come."""
        with self._lock:
            self._faults.clear()

    def pending(self) -> list[dict[str, Any]]:
        """The faults still to come, as JSON objects."""
        with self._lock:
            return [asdict(fault) for fault in self._faults]

    def take(self, endpoint: str, model: str = "") -> FaultPlan:
        """The faults for one request, at most one of each kind; each is used up by one."""
        with self._lock:
            chosen: dict[str, Fault] = {}
            for fault in self._faults:
                if fault.kind not in chosen and fault.concerns(endpoint, model):
                    chosen[fault.kind] = fault
            for fault in chosen.values():
                if fault.times is not None:
                    fault.times -= 1
            self._faults = [fault for fault in self._faults if fault.times != 0]
            return FaultPlan(list(chosen.values()))


assert set(FIELD_TYPES) == {one.name for one in fields(Fault)}
