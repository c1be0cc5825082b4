"""One object that tells a running job to stop, from whichever thread learns of it first."""

from __future__ import annotations

import threading
from typing import Callable, Optional

CANCELLED = "cancelled"  # a person asked for it: deliver what there is, as cancelled
STALE = "stale"  # the lease is no longer this agent's: drop the job without a result
ABORT = "abort"  # the agent must be gone now: the job stays in the spool


class Released(Exception):
    """The job stopped between two samples because the agent is shutting down; what was measured is in the spool."""


class Cancel:
    """Two strengths of stopping: `set` means within the current chunk, `finish_soon` after the current sample."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._event = threading.Event()
        self._finishing = threading.Event()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._numbered = 0
        self._reason: Optional[str] = None

    @property
    def reason(self) -> Optional[str]:
        """Why it was set: "cancelled", "stale" or "abort"; None while it is not. The first reason stays."""
        return self._reason

    @property
    def finishing(self) -> bool:
        return self._finishing.is_set()

    def is_set(self) -> bool:
        return self._event.is_set()

    def wait(self, timeout_s: Optional[float] = None) -> bool:
        """Wait until it is set, at most `timeout_s` seconds. True when it is set."""
        return self._event.wait(timeout_s)

    def set(self, reason: str) -> None:
        """Stop now. Calls every callback once, in this thread; later calls change nothing."""
        with self._lock:
            if self._event.is_set():
                return
            self._reason = reason
            self._event.set()
            callbacks, self._callbacks = list(self._callbacks.values()), {}
        for callback in callbacks:
            callback()

    def finish_soon(self) -> None:
        """Finish the current sample, then stop."""
        self._finishing.set()

    def on_set(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` when it is set, at once when it already is. Returns a function that takes it back.

        It runs in the thread that calls `set`: closing a socket is what it is for, anything slow is not.
        """
        with self._lock:
            if not self._event.is_set():
                self._numbered += 1
                number = self._numbered
                self._callbacks[number] = callback
                return lambda: self._forget(number)
        callback()
        return lambda: None

    def _forget(self, number: int) -> None:
        with self._lock:
            self._callbacks.pop(number, None)
