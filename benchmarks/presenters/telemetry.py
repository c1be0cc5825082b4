"""Recorded telemetry as panels on one clock: what people look at first, the rest, and what could not be read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from agent.obt_agent.probes.nvidia import EVENT_REASONS
from agent.obt_agent.validity_around import THROTTLE_REASONS
from obt_site.charts import Panel
from obt_site.formatting import duration

Recorded = Mapping[str, Any] | None
GIB, MIB, MEGA = 1024**3, 1024**2, 1e6
MJ_PER_J = 1000.0
FIVE_DIGITS = 10_000
LARGER_UNITS = {"J": "kJ", "MHz": "GHz"}
BITS = "clocks_event_reasons_bits"
POWER_CAP = "sw_power_cap"
HARDWARE_WORDS = {"nvidia": "NVIDIA GPUs", "amd": "AMD GPUs", "apple": "Apple GPUs"}

# What each quantity is called, in the order of the panels; those of a GPU without their `gpu_0_`.
GPU_WORDS = {
    "utilisation_percent": "GPU use",
    "memory_used_bytes": "GPU memory",
    "power_w": "GPU power",
    "power_average_w": "GPU power, mean of a second",
    "temperature_c": "GPU temperature",
    "sm_clock_mhz": "GPU core clock",
    "ollama_memory_bytes": "GPU memory of Ollama",
    "other_memory_bytes": "GPU memory of others",
    "memory_clock_mhz": "GPU memory clock",
    "energy_mj": "GPU energy",
}
HOST_WORDS = {
    "ollama_cpu_percent": "Ollama, CPU",
    "ollama_rss_bytes": "Ollama, memory",
    "cpu_percent": "CPU use",
    "memory_used_bytes": "Memory",
    "cpu_busiest_core_percent": "Busiest core",
    "cpu_frequency_mhz": "CPU clock",
    "cpu_temperature_c": "CPU temperature",
    "cpu_throttle_count": "CPU throttling",
    "ollama_cpu_s": "Ollama, CPU time",
    "swap_used_bytes": "Swap",
    "disk_read_bytes_per_s": "Disk, read",
    "disk_written_bytes_per_s": "Disk, written",
}
FIRST = frozenset(
    {"utilisation_percent", "memory_used_bytes", "power_w", "temperature_c", "sm_clock_mhz", "cpu_percent"}
    | {"ollama_cpu_percent", "ollama_rss_bytes"}
)
LIMITS = frozenset({"memory_total_bytes", "power_limit_w", BITS})  # shown in other panels, not as one
NOTES = {
    "ollama_cpu_percent": "100 % is one core",
    "ollama_rss_bytes": "weights included",
    "ollama_cpu_s": "since the run began",
    "cpu_throttle_count": "since the machine began",
    "energy_mj": "since the run began",
}
THROTTLED = frozenset({"sm_clock_mhz", "power_w", "temperature_c"})


@dataclass(frozen=True)
class Readings:
    """A recording as the page shows it. `unread`: what has no panel, with the reason, the same reasons together."""

    panels: Sequence[Panel] = ()
    more: Sequence[Panel] = ()
    unread: Sequence[tuple[str, str]] = ()
    length_s: float | None = None
    note: str = ""
    elsewhere: bool = False


@dataclass(frozen=True)
class Spread:
    """What a panel's readings come to; `gaps` is how many are missing."""

    name: str
    unit: str
    least: float | None
    middle: float | None
    most: float | None
    n: int
    gaps: int


def spread(panel: Panel) -> Spread:
    """The panel as one line of a table."""
    values = [value for _, value in panel.points if value is not None]
    least, middle, most = (min(values), median(values), max(values)) if values else (None, None, None)
    return Spread(panel.name, panel.unit, least, middle, most, len(values), len(panel.points) - len(values))


def readings(recorded: Recorded, content: Mapping[str, Any] | None = None) -> Readings:
    """All that was read. `content`: the machine's hardware, for the limits of its scales."""
    if not recorded:
        return Readings()
    series = {each["name"]: each for each in recorded["series"] if any(v is not None for v in each["values"])}
    shown = sorted((name for name in series if _short(name) not in LIMITS), key=_rank)
    several = len({name.split("_")[1] for name in series if _is_gpu(name)}) > 1
    panels = {name: _panel(name, series, recorded["t_s"], content, several) for name in shown}
    return Readings(
        panels=[panel for name, panel in panels.items() if _short(name) in FIRST],
        more=[panel for name, panel in panels.items() if _short(name) not in FIRST],
        unread=_unread(recorded.get("missing") or {}, series),
        length_s=max(recorded["t_s"], default=None),
        note=_note(recorded),
        elsewhere=recorded.get("of_this_machine") is False,
    )


def _is_gpu(name: str) -> bool:
    return name.startswith("gpu_") and name.count("_") > 1


def _short(name: str) -> str:
    """`power_w` of `gpu_0_power_w`."""
    return name.split("_", 2)[2] if _is_gpu(name) else name


def _rank(name: str) -> tuple[bool, int, str]:
    """GPUs first, each quantity of all of them together; what has no place in the tables comes last."""
    known = list(GPU_WORDS if _is_gpu(name) else HOST_WORDS)
    short = _short(name)
    return (not _is_gpu(name), known.index(short) if short in known else len(known), name)


def _word(name: str, several: bool) -> str:
    known = GPU_WORDS if _is_gpu(name) else HOST_WORDS
    short = _short(name)
    word = known.get(short) or HARDWARE_WORDS.get(short) or short.replace("_", " ").capitalize()
    return f"{word}, GPU {name.split('_')[1]}" if several and _is_gpu(name) else word


def _panel(
    name: str, series: Mapping[str, Any], t_s: Sequence[float], content: Mapping[str, Any] | None, several: bool
) -> Panel:
    one, short = series[name], _short(name)
    limit = limit_of(name, content) or _recorded_limit(name, series)
    unit, values, ceiling = _scaled(short, one["unit"], one["values"], limit)
    throttled, capped_s = _held_back(name, series, t_s) if short in THROTTLED else ([], 0.0)
    notes = [NOTES.get(short, ""), f"limit {ceiling:.0f} {unit}" if limit and ceiling else ""]
    if capped_s and short == "power_w":
        notes.append(f"at it for {duration(capped_s)}")
    return Panel(
        name=_word(name, several),
        unit=unit,
        points=list(zip(t_s, values, strict=False)),
        floor=None if unit in ("°C", "MHz", "GHz", "") else 0.0,
        ceiling=100.0 if unit == "%" and short != "ollama_cpu_percent" else ceiling,
        note=", ".join(note for note in notes if note),
        throttled=throttled,
    )


def limit_of(name: str, content: Mapping[str, Any] | None) -> float | None:
    """The most a quantity can be on this hardware, in its own unit; None where nothing says so."""
    known, short = content or {}, _short(name)
    if not _is_gpu(name):
        return known.get("memory_total_bytes") if short == "memory_used_bytes" else None
    gpu: Mapping[str, Any] = next(
        (one for one in known.get("gpus") or [] if str(one.get("index")) == name.split("_")[1]), {}
    )
    field = {"memory_used_bytes": "memory_total_bytes", "power_w": "power_limit_w"}.get(short, "")
    return gpu.get(field)


def _recorded_limit(name: str, series: Mapping[str, Any]) -> float | None:
    """The same, where it was recorded beside it."""
    beside = {"memory_used_bytes": "memory_total_bytes", "power_w": "power_limit_w"}.get(_short(name))
    recorded = series.get(name.removesuffix(_short(name)) + beside) if beside else None
    return max((value for value in recorded["values"] if value is not None), default=None) if recorded else None


def _scaled(
    short: str, unit: str, values: Sequence[float | None], limit: float | None
) -> tuple[str, Sequence[float | None], float | None]:
    """Unit, values and ceiling as people read them."""
    if unit == "B":
        most = limit or max((value for value in values if value is not None), default=0.0)
        unit, size = ("GB", GIB) if most >= GIB else ("MB", MIB)
        return unit, _times(values, 1 / size), None if limit is None else limit / size
    if unit == "B/s":
        return "MB/s", _times(values, 1 / MEGA), None
    if unit == "mJ":
        first = next((value for value in values if value is not None), 0.0)
        unit, values = "J", [None if value is None else (value - first) / MJ_PER_J for value in values]
    # Five digits do not fit beside the scale.
    if unit in LARGER_UNITS and max((value for value in values if value is not None), default=0.0) >= FIVE_DIGITS:
        return LARGER_UNITS[unit], _times(values, 1 / 1000), limit
    return unit, values, limit


def _times(values: Iterable[float | None], factor: float) -> list[float | None]:
    return [None if value is None else value * factor for value in values]


def _held_back(name: str, series: Mapping[str, Any], t_s: Sequence[float]) -> tuple[list[tuple[float, float]], float]:
    """When heat or the power supply slowed a GPU down, and for how many seconds its set power limit held it."""
    reasons = series.get(f"gpu_{name.split('_')[1]}_{BITS}")
    if reasons is None:
        return [], 0.0
    spans: list[tuple[float, float]] = []
    capped_s = 0.0
    for (start, end), bits in zip(pairwise(t_s), reasons["values"], strict=False):
        names = {word for bit, word in EVENT_REASONS.items() if int(bits or 0) & bit}
        capped_s += (end - start) if POWER_CAP in names else 0.0
        if names & THROTTLE_REASONS and spans and spans[-1][1] == start:
            spans[-1] = (spans[-1][0], end)
        elif names & THROTTLE_REASONS:
            spans.append((start, end))
    return spans, capped_s


def _unread(missing: Mapping[str, str], series: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(the quantities, why): those with the same reason in one entry."""
    several = len({name.split("_")[1] for name in {*missing, *series} if _is_gpu(name)}) > 1
    by_reason: dict[str, list[str]] = {}
    for name in sorted((name for name in missing if name != "gaps" and name not in series), key=_rank):
        by_reason.setdefault(missing[name], []).append(_word(name, several))
    return [(", ".join(words), reason) for reason, words in by_reason.items()]


def _note(recorded: Mapping[str, Any]) -> str:
    """How it was recorded, and what that means."""
    words = f"every {recorded['interval_ms']} ms, on one clock with the samples"
    gaps = (recorded.get("missing") or {}).get("gaps")
    return f"{words}; {gaps[0].lower()}{gaps[1:].rstrip('.')}" if gaps else words
