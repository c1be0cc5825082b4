"""How fast the machine itself is from moment to moment: the same small piece of work, timed again and again.

A virtual machine's processor may run at half its speed for minutes, when a neighbour is busy, and nothing in the system
tells it: no stolen time, no frequency. What is measured then differs, whoever measures. This is a process of its own,
so that it shares no lock with the bench, and it counts its own CPU time, so that waiting for a core is not taken for
a slow one.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from types import TracebackType

EVERY_S = 0.25
STEPS = 20_000  # about a millisecond
READ_WITHIN_S = 60.0
BEAT_OF_A_WINDOW_S = 1.0  # around a short window, so that it has beats
FEWEST_BEATS = 3


class Metronome:
    """`with Metronome() as metronome:` counts; afterwards `cost_ms` tells of any window in between."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self.at_s: list[float] = []  # unix time
        self.ms: list[float] = []

    def __enter__(self) -> Metronome:
        command = [sys.executable, "-m", "agent.bench.metronome"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        told, _ = self._process.communicate("", timeout=READ_WITHIN_S)
        for line in told.splitlines():
            at_s, ms = line.split()
            self.at_s.append(float(at_s))
            self.ms.append(float(ms))

    def cost_ms(self, windows: Sequence[tuple[float, float]]) -> list[float]:
        """What the work cost during windows of unix time, lowest first; empty when too little was seen."""
        found: set[int] = set()
        for begin, end in windows:
            margin = max(0.0, BEAT_OF_A_WINDOW_S - (end - begin)) / 2
            found.update(range(bisect_left(self.at_s, begin - margin), bisect_right(self.at_s, end + margin)))
        return sorted(self.ms[place] for place in found) if len(found) >= FEWEST_BEATS else []


def share_of(costs: Sequence[float], share: float) -> float:
    """The value below which this share of sorted costs lies."""
    return costs[min(len(costs) - 1, int(share * len(costs)))]


def work(steps: int = STEPS) -> int:
    total = 0
    for step in range(steps):
        total += step * step
    return total


def beat() -> None:
    """Until standard input ends, and at least once: a line of unix time and milliseconds per beat, told at the end."""
    beats: list[tuple[float, float]] = []
    work()
    ending = _ending()
    while not beats or not ending.is_set():
        begun = time.thread_time()
        work()
        beats.append((time.time(), 1000 * (time.thread_time() - begun)))
        ending.wait(EVERY_S)
    sys.stdout.write("".join(f"{at_s:.3f} {ms:.4f}\n" for at_s, ms in beats))


def _ending() -> threading.Event:
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    return ended


if __name__ == "__main__":
    beat()
