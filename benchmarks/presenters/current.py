"""The running job of a machine in a session: its cell, its samples so far, its rate and its machine's readings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId

from benchmarks.presenters.figures import metric_word, off_by, whole_seconds
from benchmarks.presenters.stored import Stored

HIGHEST_TEMPERATURE_C = 100.0
HEADROOM = 1.15  # of the scale above the highest rate


@dataclass(frozen=True)
class Line:
    """One quantity of a machine under way: its value now, and the last two minutes on a fixed scale."""

    name: str
    value: float | None
    unit: str  # "B": shown as memory
    of: float | None
    points: Sequence[float | None]
    ceiling: float | None  # None: no scale is known, so no line is drawn


@dataclass(frozen=True)
class Current:
    """The running job of a lane."""

    job_id: str
    model: str
    state: str
    cell: str | None
    sample: int | None
    of: int | None
    warmup: bool
    dots: Sequence[str]
    rate_word: str
    rate: float | None
    unit: str
    estimated: bool
    rates: Sequence[float | None]
    rates_ceiling: float
    lines: Sequence[Line]
    text: str | None
    elapsed_s: float | None
    remaining_s: float | None
    expected_s: float | None = None

    @property
    def plan(self) -> str:
        """What was expected, and by how much it will be off; empty where nothing could be foreseen."""
        if not self.expected_s:
            return ""
        words = f"expected {whole_seconds(self.expected_s)}"
        if self.elapsed_s is None or self.remaining_s is None:
            return words
        return f"{words}, {off_by(self.expected_s, self.elapsed_s + self.remaining_s)}"

    @property
    def elapsed(self) -> str:
        return whole_seconds(self.elapsed_s)

    @property
    def to_go(self) -> str:
        return whole_seconds(self.remaining_s)


def samples_of(job: Stored, tails: Mapping[ObjectId, Stored]) -> Sequence[Stored]:
    """Samples of the job's current attempt so far."""
    tail = tails.get(job["_id"])
    return tail["samples"] if tail and tail.get("attempt") == job["attempt"] else ()


def _points_of(job: Stored, tails: Mapping[ObjectId, Stored]) -> Sequence[Stored]:
    tail = tails.get(job["_id"])
    return tail["points"] if tail and tail.get("attempt") == job["attempt"] else ()


def current(job: Stored, tails: Mapping[ObjectId, Stored], content: Stored | None, moment: datetime) -> Current:
    """What a running job does now, from its progress and its live tail."""
    progress = job.get("progress") or {}
    points = _points_of(job, tails)
    measured = [
        sample for sample in samples_of(job, tails) if sample["cell"] == progress.get("cell") and not sample["warmup"]
    ]
    of = progress.get("of")
    warmup = bool(progress.get("warmup"))
    dots = sample_dots(measured, of, warmup)
    rates = [point.get("value") if point.get("unit") == progress.get("unit") else None for point in points]
    begun = job.get("started_at")
    return Current(
        job_id=str(job["_id"]),
        model=job["model"],
        state=job["state"],
        cell=progress.get("cell"),
        sample=min(dots.count("done") + 1, of) if of else None,
        of=of,
        warmup=warmup,
        dots=dots,
        rate_word=metric_word(progress["metric"]) if progress.get("metric") else "",
        rate=progress.get("value"),
        unit=progress.get("unit") or "",
        estimated=bool(progress.get("estimated")),
        rates=rates,
        rates_ceiling=HEADROOM * max((rate for rate in rates if rate is not None), default=1.0) or 1.0,
        lines=_lines(progress.get("reading") or {}, points, content),
        text=progress.get("text"),
        elapsed_s=(moment - begun).total_seconds() if begun else progress.get("elapsed_s"),
        remaining_s=progress.get("remaining_s"),
        expected_s=job.get("expected_s"),
    )


def sample_dots(measured: Sequence[Stored], of: int | None, warmup: bool = False) -> list[str]:
    """One word per sample of the cell: done, left_out, now, todo."""
    dots = ["left_out" if sample.get("valid") is False else "done" for sample in measured]
    counted = dots.count("done")
    left = max((of or 0) - counted, 0)
    if left and not warmup:
        dots.append("now")
        left -= 1
    return dots + ["todo"] * left


def _lines(reading: Stored, points: Sequence[Stored], content: Stored | None) -> list[Line]:
    """CPU and memory always, the GPU where there is one; what was not read says so."""
    gpus = reading.get("gpus") or []
    gpu = gpus[0] if gpus else {}
    limit = next((each.get("power_limit_w") for each in (content or {}).get("gpus") or []), None)

    def line(name: str, value: Any, unit: str, key: str, ceiling: float | None, of: float | None = None) -> Line:
        return Line(name, value, unit, of, [point.get(key) for point in points], ceiling)

    memory, gpu_memory = reading.get("memory_total_bytes"), gpu.get("memory_total_bytes")
    found = [
        line("CPU", reading.get("cpu_percent"), "%", "cpu_percent", 100.0),
        line("Memory", reading.get("memory_used_bytes"), "B", "memory_used_bytes", memory, memory),
    ]
    if not gpus:
        return found
    used = gpu.get("memory_used_bytes")
    return [
        line("GPU", gpu.get("utilisation_percent"), "%", "gpu_percent", 100.0),
        line("GPU mem.", used, "B", "gpu_memory_used_bytes", gpu_memory, gpu_memory),
        line("Power", gpu.get("power_w"), "W", "gpu_power_w", limit),
        line("Temp.", gpu.get("temperature_c"), "°C", "gpu_temperature_c", HIGHEST_TEMPERATURE_C),
        *found,
    ]
