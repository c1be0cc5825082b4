"""Recorded telemetry as panels on one clock, with the cells of the run as bands behind."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from obt_site.charts import Panel, Phase

Recorded = Mapping[str, Any] | None
GIB = 1024**3
WORDS = {
    "cpu_percent": "CPU use",
    "memory_used_bytes": "Memory",
    "utilisation_percent": "GPU use",
    "power_w": "Power",
    "temperature_c": "Temperature",
    "sm_clock_mhz": "Core clock",
}
GPU_MEMORY = "GPU memory"
ORDER = ("utilisation_percent", "power_w", "temperature_c", "sm_clock_mhz", "cpu_percent", "memory_used_bytes")
MOST_PANELS = 10


def panels(recorded: Recorded, content: Mapping[str, Any] | None = None) -> list[Panel]:
    """One panel per quantity that people read, GPUs first; a missing one keeps its place and says why."""
    if not recorded:
        return []
    series = {each["name"]: each for each in recorded["series"]}
    missing = recorded.get("missing") or {}
    names = sorted((name for name in {*series, *missing} if _word(name)), key=_rank)[:MOST_PANELS]
    several = len({name.split("_")[1] for name in names if name.startswith("gpu_")}) > 1
    found = []
    for name in names:
        panel = _panel(name, series.get(name), recorded["t_s"], missing.get(name, ""), several)
        limit = limit_of(name, content)
        if limit and panel.points and panel.ceiling is None:
            panel = replace(panel, ceiling=limit, note=f"limit {limit:.0f} {panel.unit}")
        found.append(panel)
    return found


def limit_of(name: str, content: Mapping[str, Any] | None) -> float | None:
    """The most a quantity can be on this hardware, in the panel's unit; None where nothing says so."""
    known = content or {}
    if name == "memory_used_bytes":
        return _gib(known.get("memory_total_bytes"))
    gpus = {str(gpu.get("index")): gpu for gpu in known.get("gpus") or []}
    gpu = gpus.get(name.split("_")[1], {}) if name.startswith("gpu_") else {}
    if _short(name) == "memory_used_bytes":
        return _gib(gpu.get("memory_total_bytes"))
    return gpu.get("power_limit_w") if _short(name) == "power_w" else None


def _gib(size_bytes: int | None) -> float | None:
    return None if not size_bytes else size_bytes / GIB


def _word(name: str) -> str | None:
    short = _short(name)
    if name.startswith("gpu_") and short == "memory_used_bytes":
        return GPU_MEMORY
    return WORDS.get(short)


def _short(name: str) -> str:
    """`power_w` of `gpu_0_power_w`."""
    return name.split("_", 2)[2] if name.startswith("gpu_") and name.count("_") > 1 else name


def _rank(name: str) -> tuple[bool, int, str]:
    short = _short(name)
    return (not name.startswith("gpu_"), ORDER.index(short) if short in ORDER else len(ORDER), name)


def _panel(name: str, series: Mapping[str, Any] | None, t_s: Sequence[float], missing: str, several: bool) -> Panel:
    word = _word(name) or name
    if several and name.startswith("gpu_"):
        word = f"{word} {name.split('_')[1]}"
    unit = series["unit"] if series else ""
    values = series["values"] if series else []
    if unit == "B":
        unit, values = "GiB", [None if value is None else value / GIB for value in values]
    fixed = unit == "%"
    return Panel(
        name=word,
        unit=unit,
        points=list(zip(t_s, values, strict=False)),
        floor=0.0 if fixed or unit in ("GiB", "W") else None,
        ceiling=100.0 if fixed else None,
        missing_reason=missing,
    )


def phases(recorded: Recorded, chosen: str | None) -> list[Phase]:
    """The run's cells, each from its first to its last request."""
    spans: dict[str, tuple[float, float]] = {}
    for phase in recorded["phases"] if recorded else ():
        start, end = spans.get(phase["cell"], (phase["start_s"], phase["end_s"]))
        spans[phase["cell"]] = (min(start, phase["start_s"]), max(end, phase["end_s"]))
    return [Phase(cell, start, end, cell == chosen) for cell, (start, end) in spans.items()]


def length_s(recorded: Recorded) -> float | None:
    """Seconds the recording spans."""
    return max(recorded["t_s"], default=None) if recorded and recorded["t_s"] else None


def note(recorded: Recorded) -> str:
    """How it was recorded, and what that means."""
    if not recorded:
        return ""
    words = f"every {recorded['interval_ms']} ms, on one clock with the samples"
    if recorded.get("of_this_machine") is False:
        words += "; Ollama ran elsewhere, so this is not the machine that computed"
    gaps = (recorded.get("missing") or {}).get("gaps")
    return f"{words}; {gaps[0].lower()}{gaps[1:].rstrip('.')}" if gaps else words
