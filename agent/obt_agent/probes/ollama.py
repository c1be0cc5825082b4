"""What Ollama itself uses: CPU time and memory of its server and all runners below it."""

from __future__ import annotations

import time
from typing import Callable, Optional

import psutil

from ..machine import Gpu
from ..processes import Tree
from . import Reading

FIND_EVERY_S = 60.0  # finding it reads every process of the machine
NOT_FOUND = "Ollama's process cannot be seen by the agent's user on this machine."
NOT_ALLOWED = "The operating system does not let the agent's user read Ollama's processes."
FIRST_READING = "The first reading has nothing to compare with."
NAMES = ("ollama_cpu_percent", "ollama_cpu_s", "ollama_rss_bytes")


class OllamaProbe:
    """`ollama_cpu_percent` (100: one core busy), `ollama_cpu_s` since the first reading, `ollama_rss_bytes`.

    Resident memory includes the mapped file of the weights. `find` finds the server's process.
    """

    every_s = 0.0
    in_series = True

    def __init__(self, find: Callable[[], Optional[psutil.Process]]) -> None:
        self._find = find
        self._tree: Optional[Tree] = None
        self._looked_for_at_s = float("-inf")
        self._before_s = 0.0  # of servers that are gone

    def read(self) -> Reading:
        now = time.monotonic()
        if self._tree is None and now - self._looked_for_at_s >= FIND_EVERY_S:
            self._looked_for_at_s = now
            root = self._find()
            self._tree = Tree(root) if root is not None else None
        if self._tree is None:
            return without(NOT_FOUND)
        try:
            use = self._tree.look(now)
        except psutil.AccessDenied:
            return without(NOT_ALLOWED)
        except psutil.Error:
            self._before_s += self._tree.total_s
            self._tree, self._looked_for_at_s = None, float("-inf")
            return without(NOT_FOUND)
        reading = Reading({"ollama_cpu_s": self._before_s + use.cpu_s, "ollama_rss_bytes": use.rss_bytes}, {}, {})
        if use.cpu_percent is None:
            reading.missing["ollama_cpu_percent"] = FIRST_READING
        else:
            reading.values["ollama_cpu_percent"] = round(use.cpu_percent, 2)
        return reading

    def gpus(self) -> list[Gpu]:
        return []


def without(reason: str) -> Reading:
    """A reading of nothing."""
    return Reading({}, dict.fromkeys(NAMES, reason), {})
