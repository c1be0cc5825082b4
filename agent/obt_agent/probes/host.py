"""CPU, memory, swap and disk: by psutil, the same on every operating system; under Linux read in a cheaper way."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import psutil

from ..machine import Gpu
from . import Reading
from .proc import PROC, Core, Disks, KernelFile, cores, memory

DISK_EVERY_S = 5.0
DISK_TRAFFIC_EVERY_S = 1.0
NO_DISK_COUNTERS = "The operating system does not count the disks' traffic for this user."
FIRST_READING = "The first reading has nothing to compare with."


class HostProbe:
    """CPU busy share since the reading before (mean of all cores, and the busiest one), memory and swap in use."""

    every_s = 0.0
    in_series = True

    def __init__(self, proc: Path = PROC) -> None:
        self._before: list[Core] = []
        self._stat, self._meminfo = opened(proc / "stat"), opened(proc / "meminfo")

    def read(self) -> Reading:
        reading = Reading({}, {}, {})
        self._read_cpu(reading)
        self._read_memory(reading)
        return reading

    def _read_cpu(self, reading: Reading) -> None:
        now = self._cores()
        before, self._before = self._before, now
        busy = cores_busy(before, now)
        if not busy:
            reading.missing.update(dict.fromkeys(("cpu_percent", "cpu_busiest_core_percent"), FIRST_READING))
            return
        reading.values["cpu_percent"] = round(sum(busy) / len(busy), 2)
        reading.values["cpu_busiest_core_percent"] = max(busy)

    def _cores(self) -> list[Core]:
        if self._stat is not None:
            with contextlib.suppress(OSError, ValueError, IndexError):
                return cores(self._stat.read())
        return [core_of(times) for times in psutil.cpu_times(percpu=True)]

    def _read_memory(self, reading: Reading) -> None:
        if self._meminfo is not None:
            with contextlib.suppress(OSError, ValueError):
                total, used, swap = memory(self._meminfo.read())
                values = {"memory_used_bytes": used, "memory_total_bytes": total, "swap_used_bytes": swap}
                reading.values.update(values)
                return
        now = psutil.virtual_memory()
        reading.values["memory_used_bytes"] = now.total - now.available
        reading.values["memory_total_bytes"] = now.total
        self._read_swap(reading)

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

    def __init__(self, proc: Path = PROC) -> None:
        self._before: Optional[tuple[float, int, int]] = None
        self._disks: Optional[Disks] = None
        with contextlib.suppress(OSError):
            self._disks = Disks(proc)

    def read(self) -> Reading:
        reading = Reading({}, {}, {})
        now = disk_counters(self._disks)
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


def opened(path: Path) -> Optional[KernelFile]:
    """The file; None where there is none, as on other systems than Linux."""
    try:
        return KernelFile(path)
    except OSError:
        return None


def disk_counters(disks: Optional[Disks] = None) -> Optional[tuple[float, int, int]]:
    """(monotonic seconds, bytes read, bytes written) of all disks; None where the system does not count them."""
    if disks is not None:
        with contextlib.suppress(OSError, ValueError):
            return (time.monotonic(), *disks.read())
    try:
        counters = psutil.disk_io_counters()
    except (psutil.Error, OSError, RuntimeError, ValueError):
        return None
    return None if counters is None else (time.monotonic(), counters.read_bytes, counters.write_bytes)


def cores_busy(before: Sequence[Core], after: Sequence[Core]) -> list[float]:
    """The busy share of every core between two readings. A core put offline is left out."""
    each = (busy_percent(one, other) for one, other in zip(before, after))
    return [share for share in each if share is not None]


def busy_percent(before: Optional[Core], after: Core) -> Optional[float]:
    """Share of time not idle between two readings, 0 to 100.

    None without a first reading, or when the counters did not move between the two.
    """
    if before is None:
        return None
    total = after.total - before.total
    if total <= 0:
        return None
    return round(min(100.0, max(0.0, 100.0 * (1 - (after.idle - before.idle) / total))), 2)


def core_of(times: Any) -> Core:
    """What psutil says of one core. Linux counts guest time inside user time as well."""
    idle = float(times.idle) + float(getattr(times, "iowait", 0.0))
    guest = float(getattr(times, "guest", 0.0)) + float(getattr(times, "guest_nice", 0.0))
    return Core(idle, float(sum(times)) - guest)
