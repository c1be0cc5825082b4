"""A process that records telemetry until its memory is full, makes a result of it and says what it took.

Prints: the most bytes it had resident, points, series, bytes of the result.
"""

from __future__ import annotations

import sys
import time

import psutil

from agent.bench.whole_agent import peak_bytes
from agent.obt_agent import wire
from agent.obt_agent.contract import Gpu, ResultBody
from agent.obt_agent.probes import Reading
from agent.obt_agent.telemetry import MAX_VALUES, Recorder

SERIES = 100  # a machine with eight GPUs
POINTS = MAX_VALUES // SERIES


class ManyProbe:
    """Another value of every series at each reading."""

    every_s = 0.0
    in_series = True

    def __init__(self) -> None:
        self.count = 0

    def read(self) -> Reading:
        self.count += 1
        return Reading({f"gpu_{number}_power_w": self.count + number / 7 for number in range(SERIES)}, {}, {})

    def gpus(self) -> list[Gpu]:
        return []


def main() -> int:
    """Fill a recording, encode it as the worker does, print."""
    probe = ManyProbe()
    recorder = Recorder([probe], interval_ms=1)
    recorder.start(time.perf_counter())
    while probe.count < POINTS:
        time.sleep(0.01)
    telemetry = recorder.stop()
    result = ResultBody(1, "lease", "succeeded", 1.0, [], telemetry=telemetry)
    content = wire.dumps(result)
    print(peak_bytes(psutil.Process()), len(telemetry.t_s), len(telemetry.series), len(content))
    return 0


if __name__ == "__main__":
    sys.exit(main())
