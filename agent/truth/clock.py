"""Doing something at one exact moment."""

from __future__ import annotations

import time

NS_PER_S = 1_000_000_000
# A sleeping thread is woken up to a millisecond late on a busy machine: the rest is waited for awake.
AWAKE_NS = 1_000_000


def wait_until(due_ns: int) -> None:
    """Return as soon as `time.perf_counter_ns()` is `due_ns`; at once when it is past."""
    left = due_ns - time.perf_counter_ns()
    if left > AWAKE_NS:
        time.sleep((left - AWAKE_NS) / NS_PER_S)
    while time.perf_counter_ns() < due_ns:
        pass
