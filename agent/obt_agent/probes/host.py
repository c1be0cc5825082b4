"""CPU, memory, swap and disk, by psutil: the same on every operating system."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import psutil

from ..machine import Gpu
from . import Reading

DISK_EVERY_S = 5.0
FIRST_READING = "The first reading has nothing to compare with."


class HostProbe:
    """CPU busy share since the reading before, memory and swap in use."""

    every_s = 0.0
    in_series = True

    def __init__(self) -> None:
        self._before: Any = None

    def read(self) -> Reading:
        reading = Reading({}, {}, {})
        now = psutil.cpu_times()
        busy, self._before = busy_percent(self._before, now), now
        if busy is None:
            reading.missing["cpu_percent"] = FIRST_READING
        else:
            reading.values["cpu_percent"] = busy
        memory = psutil.virtual_memory()
        reading.values["memory_used_bytes"] = memory.total - memory.available
        reading.values["memory_total_bytes"] = memory.total
        self._read_swap(reading)
        return reading

    def _read_swap(self, reading: Reading) -> None:
        try:
            reading.values["swap_used_bytes"] = psutil.swap_memory().used
        except (psutil.Error, OSError, RuntimeError) as error:
            reading.missing["swap_used_bytes"] = f"The operating system did not tell: {error}"

    def gpus(self) -> list[Gpu]:
        return []


class DiskProbe:
    """Bytes free for this user on the disk of the agent's state folder."""

    every_s = DISK_EVERY_S
    in_series = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self) -> Reading:
        try:
            return Reading({"disk_free_bytes": psutil.disk_usage(str(self.folder)).free}, {}, {})
        except OSError as error:
            return Reading(
                {}, {"disk_free_bytes": f"The disk of {self.folder} could not be read: {error.strerror}"}, {}
            )

    def gpus(self) -> list[Gpu]:
        return []


def busy_percent(before: Any, after: Any) -> Optional[float]:
    """Share of CPU time not idle between two psutil.cpu_times(), 0 to 100 over all cores.

    None without a first reading, or when the counters did not move between the two.
    """
    if before is None:
        return None
    total = _total(after) - _total(before)
    if total <= 0:
        return None
    idle = _idle(after) - _idle(before)
    return round(min(100.0, max(0.0, 100.0 * (1 - idle / total))), 2)


def _idle(times: Any) -> float:
    return float(times.idle) + float(getattr(times, "iowait", 0.0))


def _total(times: Any) -> float:
    # Linux counts guest time inside user time as well.
    return float(sum(times)) - float(getattr(times, "guest", 0.0)) - float(getattr(times, "guest_nice", 0.0))
