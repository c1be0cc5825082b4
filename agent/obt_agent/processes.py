"""Ollama's processes on this machine: its server, and what the whole tree of it uses.

The server starts a runner per loaded model, with a new process id at each reload; so the tree is walked anew every
second, and what a process used before it was first seen counts as well when it began under our eyes.

Under Linux each process' file stays open: a read of it fails when the process is gone, whoever has its number then.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Callable, NamedTuple, Optional, Protocol

import psutil

from .locality import is_local
from .probes.proc import PROC, KernelFile, Used, children, process_use
from .server_settings import server_process

NAMES = ("ollama", "ollama.exe")


def find_server(url: str) -> Optional[psutil.Process]:
    """The server's process behind `url`; None when it is not on this machine or cannot be told apart."""
    with contextlib.suppress(psutil.Error, OSError, ValueError):
        if is_local(url) is False:
            return None
        return server_process(url) or only_server()
    return None


def only_server() -> Optional[psutil.Process]:
    """The one process that was started as `ollama serve`. Another user's shows its command line, not its sockets."""
    found = []
    for process in psutil.process_iter(["name"]):
        if (process.info["name"] or "").lower() not in NAMES:
            continue
        with contextlib.suppress(psutil.Error):
            if process.cmdline()[1:2] == ["serve"]:
                found.append(process)
    return found[0] if len(found) == 1 else None


class Use(NamedTuple):
    """What a tree of processes used: CPU seconds so far (never less than before), share now, memory now."""

    cpu_s: float
    cpu_percent: Optional[float]  # 100: one core
    rss_bytes: int
    processes: int


class Member(Protocol):
    """One process of the tree. `read` raises psutil.NoSuchProcess or AccessDenied."""

    def read(self) -> Used: ...


class LinuxMember:
    """By /proc/PID/stat, in one system call. Raises as psutil does."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            self._stat = KernelFile(PROC / str(pid) / "stat")
        except OSError as error:
            raise as_psutil(error, pid) from None

    def read(self) -> Used:
        try:
            return process_use(self._stat.read())
        except (OSError, ValueError, IndexError) as error:
            raise as_psutil(error, self.pid) from None


class OtherMember:
    """By psutil, on the other systems."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)

    def read(self) -> Used:
        if not self._process.is_running():
            raise psutil.NoSuchProcess(self._process.pid)
        with self._process.oneshot():
            times = self._process.cpu_times()
            return Used(float(times.user + times.system), self._process.memory_info().rss)


def as_psutil(error: Exception, pid: int) -> psutil.Error:
    """The errors of reading /proc as psutil names them."""
    return psutil.AccessDenied(pid) if isinstance(error, PermissionError) else psutil.NoSuchProcess(pid)


class Tree:
    """A process and all below it. `look` raises psutil.NoSuchProcess when the root is gone, AccessDenied when no
    process may be read."""

    def __init__(self, root: psutil.Process, member: Optional[Callable[[int], Member]] = None) -> None:
        self.root = root
        self._member = member or (LinuxMember if sys.platform.startswith("linux") else OtherMember)
        self._members: dict[int, Member] = {}
        self._used_s: dict[int, float] = {}  # CPU seconds at the last look
        self._walked_at_s = float("-inf")
        self._looked_at_s: Optional[float] = None
        self.total_s = 0.0

    def look(self, now_s: float, walk_every_s: float = 1.0) -> Use:
        """What it uses at `now_s`, on any clock that only grows."""
        if now_s - self._walked_at_s >= walk_every_s:
            self._walk(now_s)
        used, rss, lost = self._read()
        if lost:  # a runner ended: perhaps another was started
            self._walk(now_s)
            more, rss, _ = self._read()
            used += more
        before, self._looked_at_s = self._looked_at_s, now_s
        if before is None:
            return Use(0.0, None, rss, len(self._members))
        self.total_s += used
        share = 100 * used / (now_s - before) if now_s > before else None
        return Use(self.total_s, share, rss, len(self._members))

    def _walk(self, now_s: float) -> None:
        if not self.root.is_running():
            raise psutil.NoSuchProcess(self.root.pid)
        self._walked_at_s = now_s
        for pid in tree_of(self.root):
            if pid not in self._members:
                with contextlib.suppress(psutil.Error):
                    member = self._members[pid] = self._member(pid)
                    self._used_s[pid] = 0.0 if self._looked_at_s is not None else member.read().cpu_s

    def _read(self) -> tuple[float, int, bool]:
        """CPU seconds since the last look, resident bytes, and whether a process ended."""
        used, rss, lost, denied = 0.0, 0, False, 0
        for pid, member in list(self._members.items()):
            try:
                now, memory = member.read()
            except psutil.AccessDenied:
                denied += 1
                continue
            except psutil.Error:
                del self._members[pid]
                lost = True
                continue
            used += max(0.0, now - self._used_s.get(pid, now))
            rss += memory
            self._used_s[pid] = now
        if denied and denied == len(self._members):
            raise psutil.AccessDenied(self.root.pid)
        return used, rss, lost


def tree_of(root: psutil.Process) -> list[int]:
    """The root and all below it."""
    found = [root.pid]
    for pid in found:
        below = children(pid)
        if below is None:
            if pid == root.pid:
                return [root.pid, *(process.pid for process in root.children(recursive=True))]
            continue  # it ended meanwhile
        found += [child for child in below if child not in found]
    return found
