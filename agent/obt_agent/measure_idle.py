"""What the machine uses with the model loaded and nothing asked: measured once before the first cell."""

from __future__ import annotations

from typing import Callable, Protocol

from .cancel import Cancel, Released
from .contract import HostReading
from .measure_outcome import Stopped

# A phase must be so long for its energy to be told from its borders'.
IDLE_S = 6.0
# Of a short budget it would be too large a part.
LEAST_BUDGET_S = 20 * IDLE_S
LOOK_EVERY_S = 0.2


class Recorder(Protocol):
    """The part of `telemetry.Recorder` that is needed."""

    def latest(self) -> HostReading: ...

    def phase(self, cell: str, kind: str, start_s: float, end_s: float) -> None: ...


def measure_idle(
    recorder: Recorder, cancel: Cancel, elapsed_s: Callable[[], float], budget_s: float, idle_s: float = IDLE_S
) -> bool:
    """Wait, and mark the time as idle in the telemetry. Returns whether it did: not without a GPU whose power is read.

    Raises Stopped or Released when the job is to end.
    """
    if budget_s < LEAST_BUDGET_S or all(gpu.power_w is None for gpu in recorder.latest().gpus):
        return False
    start_s = elapsed_s()
    while elapsed_s() - start_s < idle_s:
        if cancel.finishing:
            raise Released
        if cancel.wait(min(LOOK_EVERY_S, idle_s)):
            raise Stopped
    recorder.phase("idle", "idle", start_s, elapsed_s())
    return True
