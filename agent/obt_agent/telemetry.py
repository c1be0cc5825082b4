"""Recording the machine while it is measured.

A thread of its own reads the probes every 200 ms on a fixed schedule. A tick that comes late is left out, never moved
or made up, so a gap shows as a gap in `t_s`. Memory is bounded: when a recording grows too long, every second point of
it is dropped and the interval doubled.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from array import array
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, Optional

from .contract import TELEMETRY_INTERVAL_MS
from .machine import HostReading
from .probes import Probe, Reading, host_reading, merge, unit_of
from .results import Phase, Series, Telemetry

MAX_VALUES = 400_000  # over all series: about 3 MB of memory, 4 MB in the result
MAX_POINTS = 16_000
MAX_PHASES = 20_000
MAX_SERIES = 300
GAP_INTERVALS = 2.5  # a distance of more intervals than this is a gap
MAX_MOMENTS = 9000  # half an hour at 200 ms: the longest sample whose stretch is known from its beginning
JOIN_TIMEOUT_S = 2.0
_NOTHING = float("nan")  # inside arrays only; None on the wire

log = logging.getLogger(__name__)


class Stretch(NamedTuple):
    """What the recording says about a piece of time. `longest_gap_s`: the longest time in it without a reading."""

    throttle: list[str]
    longest_gap_s: float
    interval_s: float


class Recorder:
    """Records from `start` to `stop`. Both may be called twice; the second call changes nothing."""

    def __init__(
        self,
        probes: Sequence[Probe],
        interval_ms: int = TELEMETRY_INTERVAL_MS,
        of_this_machine: Optional[bool] = None,
        missing: Optional[dict[str, str]] = None,
        max_points: int = MAX_POINTS,
    ) -> None:
        self.interval_ms = interval_ms
        self.of_this_machine = of_this_machine
        self._probes = list(probes)
        self._due = [-math.inf] * len(self._probes)
        self._last = [Reading({}, {}, {}) for _ in self._probes]
        self._lock = threading.Lock()
        self._times = array("d")
        self._series: dict[str, array[float]] = {}
        self._missing: dict[str, str] = dict(missing or {})
        self._phases: list[Phase] = []
        self._moments: deque[tuple[float, tuple[str, ...]]] = deque(maxlen=MAX_MOMENTS)
        self._max_points = max_points
        self._ending = threading.Lock()  # held while it records; waiting for a lock takes less than for an Event
        self._thread: Optional[threading.Thread] = None
        self._t0 = 0.0

    def start(self, t0: float) -> None:
        """Begin. `t0` is time.perf_counter() at the job's beginning: the zero of every time in the recording."""
        if self._thread is not None:
            return
        self._t0 = t0
        self._read(time.perf_counter())  # discarded: a CPU share needs a reading to compare with
        self._ending.acquire()
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
        self._thread.start()

    def latest(self) -> HostReading:
        """The latest value of everything, for the live view."""
        with self._lock:
            reading = merge(self._last)
            reading.missing.update(self._missing)
        return host_reading(reading)

    def phase(self, cell: str, kind: str, start_s: float, end_s: float, index: Optional[int] = None) -> None:
        """Note what the machine did from `start_s` to `end_s`, seconds since `t0`. `kind`: load, warmup or sample."""
        with self._lock:
            if len(self._phases) < MAX_PHASES:
                self._phases.append(Phase(cell, kind, max(0.0, start_s), max(0.0, end_s), index))  # type: ignore[arg-type]

    def stretch(self, start_s: float, end_s: float) -> Optional[Stretch]:
        """What was seen from `start_s` to `end_s`, seconds since `t0`; None when nothing is recorded."""
        if self._thread is None:
            return None
        with self._lock:
            moments = [moment for moment in self._moments if start_s <= moment[0] <= end_s]
            forgotten = self._moments[0][0] if len(self._moments) == MAX_MOMENTS else start_s
            interval_s = self.interval_ms / 1000
        times = [max(start_s, forgotten), *(t_s for t_s, _ in moments), end_s]
        throttle = dict.fromkeys(name for _, names in moments for name in names)
        return Stretch(list(throttle), max(b - a for a, b in zip(times, times[1:])), interval_s)

    def stop(self) -> Telemetry:
        """End the recording and return all of it."""
        with contextlib.suppress(RuntimeError):  # it had ended before
            self._ending.release()
        if self._thread is not None:
            self._thread.join(JOIN_TIMEOUT_S)
        with self._lock:
            return self._telemetry()

    # -- the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        begun, tick = time.perf_counter(), 0
        while True:
            # The schedule is fixed: ticks that were missed are skipped, not caught up with.
            interval_s = self.interval_ms / 1000
            tick = max(tick + 1, int((time.perf_counter() - begun) / interval_s) + 1)
            if self._ending.acquire(timeout=max(0.0, begun + tick * interval_s - time.perf_counter())):
                return
            try:
                if self._record():
                    begun, tick = time.perf_counter(), 0
            except Exception:  # a probe's fault must not end the recording of the others
                log.exception("A telemetry reading failed.")

    def _record(self) -> bool:
        """Take one point. True when the recording was thinned and the interval is another one."""
        now = time.perf_counter()
        values, throttles = self._read(now)
        t_s = max(0.0, now - self._t0)
        with self._lock:
            self._moments.append((t_s, throttles))
            self._append(t_s, values)
            thin = len(self._times) >= self._max_points or len(self._times) * len(self._series) >= MAX_VALUES
            if thin:
                self._thin()
        return thin

    def _read(self, now: float) -> tuple[dict[str, float], tuple[str, ...]]:
        """Read the probes that are due; returns what belongs into the series at this moment, and what throttles."""
        values: dict[str, float] = {}
        throttles: tuple[str, ...] = ()
        for position, probe in enumerate(self._probes):
            if now < self._due[position]:
                continue
            reading = probe.read()
            self._due[position] = now + probe.every_s
            self._last[position] = reading
            if probe.in_series:
                values.update(reading.values)
                if reading.throttle or reading.cpu_throttle:
                    throttles += tuple(reading.throttles())
        return values, throttles

    def _append(self, t_s: float, values: dict[str, float]) -> None:
        for name in values:
            if name not in self._series and len(self._series) < MAX_SERIES:
                self._series[name] = array("d", [_NOTHING]) * len(self._times)
        self._times.append(round(t_s, 4))
        for name, series in self._series.items():
            series.append(values.get(name, _NOTHING))

    def _thin(self) -> None:
        self._times = self._times[::2]
        self._series = {name: series[::2] for name, series in self._series.items()}
        self.interval_ms *= 2

    # -- the result ----------------------------------------------------------------------------------------------

    def _telemetry(self) -> Telemetry:
        missing = dict(self._missing)
        for reading in self._last:
            missing.update({name: why for name, why in reading.missing.items() if name not in self._series})
        gaps = gaps_in(self._times, self.interval_ms / 1000)
        if gaps:
            missing["gaps"] = f"Gaps between readings: {len(gaps)}, the longest {max(gaps):.1f} s."
        return Telemetry(
            interval_ms=self.interval_ms,
            t_s=list(self._times),
            series=[Series(name, unit_of(name), [_known(v) for v in values]) for name, values in self._series.items()],
            phases=list(self._phases),
            missing=missing,
            of_this_machine=self.of_this_machine,
        )


def gaps_in(times: Sequence[float], interval_s: float) -> list[float]:
    """Distances between neighbours, in seconds, that are longer than the interval explains."""
    return [b - a for a, b in zip(times, times[1:]) if b - a > GAP_INTERVALS * interval_s]


def _known(value: float) -> Optional[float]:
    return None if math.isnan(value) else value
