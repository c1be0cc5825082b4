"""Linux's own counters, read with one system call each.

psutil reads and parses a file anew for every question, some of them several times; five times a second that alone is
half a percent of a core taken from the machine that is measured. The meanings here are psutil's.

Source: Linux, Documentation/filesystems/proc.rst and admin-guide/iostats.rst; proc(5).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple, Optional

PROC = Path("/proc")
READ_BYTES = 64 * 1024
SURELY_WHOLE_BYTES = 2048  # half a page, and no line is as long as the other half
KIB = 1024
SECTOR_BYTES = 512  # in diskstats, whatever the disk's own are
TICKS_PER_S = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100  # Windows has none, and no /proc either
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
# Times in a core's line: user nice system idle iowait irq softirq steal. Guest time, after them, is inside user time.
_IDLE, _IOWAIT, _TIMES_END = 3, 4, 9
# Fields of a process' line, counted from the one after its name.
_UTIME, _STIME, _RSS = 11, 12, 21
# Fields of a disk's line: its name, sectors read, sectors written.
_NAME, _READ, _WRITTEN = 2, 5, 9


class KernelFile:
    """A file whose content is made when it is read, kept open. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed with this object

    def read(self) -> bytes:
        """All of it, as it is now. A list comes a page of whole lines at a time, whatever is asked for."""
        number = self._file.fileno()
        data = os.pread(number, READ_BYTES, 0)
        if len(data) > SURELY_WHOLE_BYTES:
            while more := os.pread(number, READ_BYTES, len(data)):
                data += more
        return data


class Core(NamedTuple):
    """Seconds since the start of the machine: without work, and all."""

    idle: float
    total: float


class Memory(NamedTuple):
    """Bytes. `used` is what cannot be had without swapping."""

    total: int
    used: int
    swap_used: int


def cores(stat: bytes) -> list[Core]:
    """Every core that is online, from the content of /proc/stat. Raises ValueError."""
    lines = stat[: stat.find(b"\nintr")].split(b"\n")  # the first is the sum of all
    found = [list(map(int, line.split()[1:_TIMES_END])) for line in lines[1:] if line.startswith(b"cpu")]
    return [Core((ticks[_IDLE] + ticks[_IOWAIT]) / TICKS_PER_S, sum(ticks) / TICKS_PER_S) for ticks in found]


def memory(meminfo: bytes) -> Memory:
    """From the content of /proc/meminfo. Raises ValueError where the kernel does not tell, as before Linux 3.14."""
    total, available = _kib(meminfo, b"MemTotal:"), _kib(meminfo, b"MemAvailable:")
    if available > total:  # seen inside containers, where the one is the container's and the other the machine's
        available = _kib(meminfo, b"MemFree:")
    swap_used = _kib(meminfo, b"SwapTotal:") - _kib(meminfo, b"SwapFree:")
    return Memory(total * KIB, (total - available) * KIB, swap_used * KIB)


def _kib(meminfo: bytes, name: bytes) -> int:
    begin = meminfo.index(name) + len(name)
    return int(meminfo[begin : meminfo.index(b"kB", begin)])


class Used(NamedTuple):
    """What one process has used: seconds of CPU so far, bytes of main memory now."""

    cpu_s: float
    rss_bytes: int


def process_use(stat: bytes) -> Used:
    """From the content of /proc/PID/stat. Raises ValueError, IndexError."""
    fields = stat[stat.rindex(b")") + 2 :].split()  # a program's name may hold anything, brackets too
    ticks = int(fields[_UTIME]) + int(fields[_STIME])
    return Used(ticks / TICKS_PER_S, int(fields[_RSS]) * PAGE_BYTES)


def children(pid: int, proc: Path = PROC) -> Optional[list[int]]:
    """The processes that any of its threads started; None where the kernel does not list them or it is gone."""
    try:
        threads = os.listdir(proc / str(pid) / "task")
        lists = [_content(f"{proc}/{pid}/task/{thread}/children") for thread in threads]
    except OSError:
        return None
    return [int(child) for listed in lists for child in listed.split()]


def _content(path: str) -> bytes:
    number = os.open(path, os.O_RDONLY)
    try:
        return os.read(number, READ_BYTES)
    finally:
        os.close(number)


class Disks:
    """Bytes read from and written to all disks, without counting a disk's partitions again."""

    def __init__(self, proc: Path = PROC, blocks: Path = Path("/sys/block")) -> None:
        self._file = KernelFile(proc / "diskstats")
        self._blocks = blocks
        self._is_disk: dict[bytes, bool] = {}

    def read(self) -> tuple[int, int]:
        """(read, written). Raises OSError, ValueError."""
        read = written = 0
        for line in self._file.read().splitlines():
            fields = line.split()
            if len(fields) > _WRITTEN and self._counts(fields[_NAME]):
                read += int(fields[_READ])
                written += int(fields[_WRITTEN])
        return read * SECTOR_BYTES, written * SECTOR_BYTES

    def _counts(self, name: bytes) -> bool:
        if name not in self._is_disk:  # a slash in a device's name is a ! in the folder
            self._is_disk[name] = (self._blocks / name.decode(errors="replace").replace("/", "!")).exists()
        return self._is_disk[name]
