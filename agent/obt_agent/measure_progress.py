"""What the outside hears of a running job: cells, samples, and once a second a live reading.

`report` is called from the measuring thread and from the ticker's thread, never from both at once.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Optional, Protocol

from .contract import CellSpec, HostReading
from .engines import Engine
from .measure_pace import Pace
from .metrics import HEADLINE, NS_PER_S, TOKENS_PER_S
from .rounds import Round, round_metrics
from .stream import Generation

LIVE_INTERVAL_S = 1.0
# Before so many chunks a rate would be noise.
CHUNKS_FOR_A_RATE = 3

Report = Callable[..., None]


class HasLatest(Protocol):
    """The part of `telemetry.Recorder` that a live reading needs."""

    def latest(self) -> HostReading: ...


class Progress:
    """Counts what is done and what is left, and tells both. `total` grows with every sample beyond the needed ones."""

    def __init__(self, report: Report, recorder: HasLatest, pace: Pace) -> None:
        self._report = report
        self._recorder = recorder
        self._pace = pace
        self._lock = threading.Lock()
        self._done = 0
        self._left: dict[str, int] = {}
        self._specs: dict[str, CellSpec] = {}
        self._current: Optional[tuple[CellSpec, int, bool]] = None
        self._stream: Optional[Generation] = None
        self._stop = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="obt-live", daemon=True)

    def start(self) -> None:
        """Begin the live readings."""
        self._ticker.start()

    def stop(self) -> None:
        """End them. Nothing is reported by the ticker after this returns."""
        self._stop.set()
        if self._ticker.is_alive():
            self._ticker.join()

    def plan(self, spec: CellSpec, samples: int) -> None:
        """How many rounds, warm-ups included, this cell still needs; a round counts as one sample."""
        self._specs[spec.name] = spec
        self._left[spec.name] = max(0, samples)

    def already_done(self, samples: int) -> None:
        """Rounds that were measured before a restart."""
        self._done += samples

    def cell(self, spec: CellSpec) -> None:
        """A cell begins."""
        self._tell("cell", cell=spec.name, of=spec.repetitions, **self._counts())

    def note(self, spec: Optional[CellSpec], text: str) -> None:
        """A sentence for people."""
        self._tell("note", cell=spec.name if spec else None, text=text)

    def sample_begins(self, spec: CellSpec, index: int, warmup: bool) -> None:
        """What the live readings belong to from here on."""
        self._stream = None
        self._current = (spec, index, warmup)

    def stream_begins(self, generation: Generation) -> None:
        """A request was sent; its result grows while chunks arrive."""
        self._stream = generation

    def round_ended(self, spec: CellSpec, one: Round, engine: Engine) -> None:
        """A judged round ended."""
        self._stream = None
        self._done += 1
        if one.valid or one.warmup:
            self._left[spec.name] = max(0, self._left.get(spec.name, 0) - 1)
        name = HEADLINE[spec.kind]
        metric = round_metrics(one, spec, engine).get(name)
        self._tell(
            "sample",
            cell=spec.name,
            index=one.index,
            of=rounds_in_all(spec, one.index),
            warmup=one.warmup,
            valid=None if one.warmup else one.valid,
            flags=one.flags,
            metric=name if metric is not None else None,
            value=metric.value if metric is not None else None,
            unit=metric.unit if metric is not None else None,
            **self._counts(),
        )

    def remaining_s(self) -> Optional[float]:
        """Expected seconds for all that is left; None while a part of it cannot be predicted."""
        seconds = 0.0
        for name, samples in list(self._left.items()):
            each = self._pace.sample_s(self._specs[name])
            if samples and each is None:
                return None
            seconds += samples * (each or 0.0)
        return seconds

    def _counts(self) -> dict[str, Any]:
        total = self._done + sum(self._left.values())
        return {"done": self._done, "total": total, "remaining_s": self.remaining_s()}

    def _tell(self, kind: str, **fields: Any) -> None:
        with self._lock:
            self._report(kind, **fields)

    def _tick(self) -> None:
        while not self._stop.wait(LIVE_INTERVAL_S):
            if self._current is not None:
                self._live(*self._current)

    def _live(self, spec: CellSpec, index: int, warmup: bool) -> None:
        rate = self._estimated_rate()
        self._tell(
            "live",
            cell=spec.name,
            index=index,
            of=rounds_in_all(spec, index),
            warmup=warmup,
            metric=None if rate is None else "decode_rate",
            value=rate,
            unit=None if rate is None else TOKENS_PER_S,
            estimated=rate is not None,
            reading=self._recorder.latest(),
            **self._counts(),
        )

    def _estimated_rate(self) -> Optional[float]:
        """Chunks per second so far × tokens per chunk of earlier answers: an estimate, since chunks are not tokens."""
        stream = self._stream
        if stream is None or stream.ttft_ns is None or stream.e2e_ns is not None or stream.chunks < CHUNKS_FOR_A_RATE:
            return None
        elapsed_ns = time.perf_counter_ns() - stream.start_ns - stream.ttft_ns
        if elapsed_ns <= 0:
            return None
        return (stream.chunks - 1) * self._pace.tokens_per_chunk / elapsed_ns * NS_PER_S


def rounds_in_all(spec: CellSpec, index: int) -> int:
    """How many rounds the cell is to have, seen from this one: its repetitions, beyond them its most."""
    return spec.repetitions if index < spec.repetitions else max(spec.repetitions, spec.max_repetitions or 0)
