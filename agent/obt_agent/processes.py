"""Ollama's processes on this machine: its server, and what the whole tree of it uses.

The server starts a runner per loaded model, with a new process id at each reload; so the tree is walked anew every
second, and what a process used before it was first seen counts as well when it began under our eyes.
"""

from __future__ import annotations

import contextlib
from typing import NamedTuple, Optional

import psutil

from .locality import is_local
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


class Tree:
    """A process and all below it. `look` raises psutil.NoSuchProcess when the root is gone, AccessDenied when no
    process may be read."""

    def __init__(self, root: psutil.Process) -> None:
        self.root = root
        self._members: dict[psutil.Process, float] = {}  # CPU seconds at the last look
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
        for process in [self.root, *self.root.children(recursive=True)]:
            if process not in self._members:
                with contextlib.suppress(psutil.Error):
                    self._members[process] = 0.0 if self._looked_at_s is not None else cpu_seconds(process)

    def _read(self) -> tuple[float, int, bool]:
        """CPU seconds since the last look, resident bytes, and whether a process ended."""
        used, rss, lost, denied = 0.0, 0, False, 0
        for process, before in list(self._members.items()):
            try:
                with process.oneshot():
                    now = cpu_seconds(process)
                    rss += process.memory_info().rss
            except psutil.AccessDenied:
                denied += 1
                continue
            except psutil.Error:
                del self._members[process]
                lost = True
                continue
            used += max(0.0, now - before)
            self._members[process] = now
        if denied and denied == len(self._members):
            raise psutil.AccessDenied(self.root.pid)
        return used, rss, lost


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time of one process."""
    times = process.cpu_times()
    return float(times.user + times.system)
