"""Everything one simulated server knows; it outlives a simulated restart, except for what is loaded."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .eras import TODAY, Era
from .faults import FaultBook
from .models import ModelStore
from .scheduler import Scheduler

DEFAULT_VERSION = TODAY.marked_version
KEPT_REQUESTS = 1000
PROMPT_START_CHARACTERS = 60


class RequestLog:
    """The last requests, oldest first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[dict[str, Any]] = deque(maxlen=KEPT_REQUESTS)

    def add(self, endpoint: str, fields: Mapping[str, Any]) -> None:
        """Note a request: the fields a benchmark should have pinned, and the start of the prompt."""
        kept = ("model", "options", "keep_alive", "think", "raw", "truncate", "stream")
        entry = {"endpoint": endpoint, **{key: fields.get(key) for key in kept}, "prompt_start": _prompt_start(fields)}
        with self._lock:
            self._entries.append(entry)

    def all(self) -> list[dict[str, Any]]:
        """A copy of what was noted."""
        with self._lock:
            return list(self._entries)

    def clear(self) -> None:
        """Forget what was noted."""
        with self._lock:
            self._entries.clear()


def _prompt_start(fields: Mapping[str, Any]) -> str:
    messages = fields.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    content = last.get("content") if isinstance(last, dict) else None
    prompt = fields.get("prompt") or fields.get("input") or content or ""
    return str(prompt)[:PROMPT_START_CHARACTERS]


@dataclass
class World:
    """The parts of a simulated server. `seed` makes its noise repeatable; `speed` multiplies all rates."""

    models: ModelStore
    scheduler: Scheduler
    faults: FaultBook = field(default_factory=FaultBook)
    log: RequestLog = field(default_factory=RequestLog)
    version: str = DEFAULT_VERSION
    era: Era = TODAY
    speed: float = 1.0
    seed: int = 0
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def next_seed(self) -> str:
        """A seed for one request's noise."""
        return f"{self.seed}:{next(self._numbers)}"
