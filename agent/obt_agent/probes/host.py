"""CPU, memory, swap and disk, by psutil: the same on every operating system."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Optional

import psutil

from ..machine import Gpu
from . import Reading

DISK_EVERY_S = 5.0
DISK_TRAFFIC_EVERY_S = 1.0
NO_DISK_COUNTERS = "The operating system does not count the disks' traffic for this user."
FIRST_READING = "The first reading has nothing to compare with."


class HostProbe:
    """CPU busy share since the reading before (mean of all cores, and the busiest one), memory and swap in use."""

    every_s = 0.0
    in_series = True

    def __init__(self) -> None:
        self._before: Any = None

    def read(self) -> Reading:
        reading = Reading({}, {}, {})
        self._read_cpu(reading)
        memory = psutil.virtual_memory()
        reading.values["memory_used_bytes"] = memory.total - memory.available
        reading.values["memory_total_bytes"] = memory.total
        self._read_swap(reading)
        return reading

    def _read_cpu(self, reading: Reading) -> None:
        now = psutil.cpu_times(percpu=True)
        before, self._before = self._before, now
        busy = cores_busy(before, now)
        if not busy:
            reading.missing.update(dict.fromkeys(("cpu_percent", "cpu_busiest_core_percent"), FIRST_READING))
            return
        reading.values["cpu_percent"] = round(sum(busy) / len(busy), 2)
        reading.values["cpu_busiest_core_percent"] = max(busy)

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


class DiskTrafficProbe:
    """Bytes per second read from and written to all disks since the reading before: a model that does not fit in
    memory is read again and again."""

    every_s = DISK_TRAFFIC_EVERY_S
    in_series = True

    def __init__(self) -> None:
        self._before: Optional[tuple[float, int, int]] = None

    def read(self) -> Reading:
        reading = Reading({}, {}, {})
        now = disk_counters()
        before, self._before = self._before, now
        for position, name in enumerate(("disk_read_bytes_per_s", "disk_written_bytes_per_s"), 1):
            if now is None:
                reading.missing[name] = NO_DISK_COUNTERS
            elif before is None or now[0] <= before[0]:
                reading.missing[name] = FIRST_READING
            else:
                reading.values[name] = max(0.0, (now[position] - before[position]) / (now[0] - before[0]))
        return reading

    def gpus(self) -> list[Gpu]:
        return []


def disk_counters() -> Optional[tuple[float, int, int]]:
    """(monotonic seconds, bytes read, bytes written) of all disks; None where the system does not count them."""
    try:
        counters = psutil.disk_io_counters()
    except (psutil.Error, OSError, RuntimeError, ValueError):
        return None
    return None if counters is None else (time.monotonic(), counters.read_bytes, counters.write_bytes)


def cores_busy(before: Any, after: Any) -> list[float]:
    """The busy share of every core between two psutil.cpu_times(percpu=True). A core put offline is left out."""
    each = (busy_percent(one, other) for one, other in zip(before or [], after))
    return [share for share in each if share is not None]


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
