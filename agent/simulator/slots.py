"""The parallel slots of a loaded model: who may compute, in order of arrival, and what each prompt cache holds."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .clock import ClientWatch
from .prompt_cache import PromptCache
from .tokenizer import common_prefix_length

QUEUE_LOOK_S = 0.2
"""A waiting request looks this often whether its client is still there."""


@dataclass
class Slot:
    """One sequence's place. `tokens` is what its key-value cache holds, `kept` what others and it held before."""

    kept: PromptCache = field(default_factory=PromptCache)
    tokens: list[str] = field(default_factory=list)
    in_use: bool = False

    def begin(self, prompt: list[str]) -> int:
        """Take over the part of `prompt` already computed; return its length. One token is always left to compute."""
        found = self.kept.best_for(prompt)
        self.kept.keep(self.tokens)
        shared = max(common_prefix_length(self.tokens, prompt), common_prefix_length(found, prompt))
        cached = min(shared, len(prompt) - 1)
        self.tokens = prompt[:cached]
        return cached


@dataclass(eq=False)
class _Waiter:
    prompt: list[str]
    turn: threading.Event = field(default_factory=threading.Event)
    slot: Slot | None = None


class SlotPool:
    """`count` slots, given in order of arrival. All share the prompts that are `kept`."""

    def __init__(self, count: int, kept: PromptCache | None = None) -> None:
        self._lock = threading.Lock()
        kept = PromptCache() if kept is None else kept
        self._slots = [Slot(kept) for _ in range(count)]
        self._queue: deque[_Waiter] = deque()

    @property
    def active(self) -> int:
        """How many slots compute now."""
        return sum(slot.in_use for slot in self._slots)

    @contextmanager
    def slot(self, prompt: list[str], watch: ClientWatch) -> Iterator[Slot]:
        """The free slot with the longest cached start of `prompt`, after waiting in the queue for it."""
        waiter = _Waiter(prompt)
        try:
            yield self._wait(waiter, watch)
        finally:
            self._leave(waiter)

    def _wait(self, waiter: _Waiter, watch: ClientWatch) -> Slot:
        with self._lock:
            self._queue.append(waiter)
            self._admit()
        while not waiter.turn.wait(QUEUE_LOOK_S):
            watch.check()
        if waiter.slot is None:
            raise RuntimeError("a turn came without a slot")
        return waiter.slot

    def _leave(self, waiter: _Waiter) -> None:
        with self._lock:
            if waiter.slot is not None:
                waiter.slot.in_use = False
            elif waiter in self._queue:
                self._queue.remove(waiter)
            self._admit()

    def _admit(self) -> None:
        while self._queue:
            free = [slot for slot in self._slots if not slot.in_use]
            if not free:
                return
            waiter = self._queue.popleft()
            waiter.slot = max(free, key=lambda slot: common_prefix_length(slot.tokens, waiter.prompt))
            waiter.slot.in_use = True
            waiter.turn.set()
