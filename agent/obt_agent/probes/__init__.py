"""Reading this machine: one file per vendor, all saying the same kind of thing.

A probe reads named quantities. The name's ending is its unit (`unit_of`); a GPU's begin with `gpu_<index>_`. What could
not be read is absent from `values` and has its reason in `missing` under the same name. `power_w` is the power of the
moment; where a GPU tells only a mean over the last second or so, it is `power_average_w`.
"""

from __future__ import annotations

from typing import NamedTuple, Optional, Protocol

from ..machine import Gpu, GpuReading, HostReading

_UNITS = {
    "percent": "%",
    "bytes": "B",
    "w": "W",
    "c": "°C",
    "mhz": "MHz",
    "mj": "mJ",
    "bits": "bits",
    "s": "s",
}
_PER_SECOND = "_per_s"
ONLY_AVERAGE = "Only a mean over about a second is told: power_average_w."
OWN_USER_ONLY = "The driver tells memory per process to that process's own user only."


class Reading(NamedTuple):
    """Quantities by name, reasons for missing ones by name, and why each GPU, by its index, or the CPU is held back."""

    values: dict[str, float]
    missing: dict[str, str]
    throttle: dict[int, list[str]]
    cpu_throttle: tuple[str, ...] = ()

    def throttles(self) -> list[str]:
        """All of it by part: "gpu_0.hw_thermal_slowdown", "cpu.thermal"."""
        gpus = [f"gpu_{index}.{name}" for index, names in self.throttle.items() for name in names]
        return [*gpus, *(f"cpu.{name}" for name in self.cpu_throttle)]


class Probe(Protocol):
    """Reads one part of the machine. `read` must be cheap, or `every_s` (seconds between reads) say that it is not."""

    every_s: float  # 0: at every tick
    in_series: bool  # False: shown as the latest value only, not recorded over time

    def read(self) -> Reading: ...

    def gpus(self) -> list[Gpu]: ...


def unit_of(name: str) -> str:
    """The unit a quantity's name ends in, as people write it."""
    if name.endswith(_PER_SECOND):
        return f"{unit_of(name[: -len(_PER_SECOND)])}/s"
    return _UNITS.get(name.rpartition("_")[2], "")


def merge(readings: list[Reading]) -> Reading:
    merged = Reading({}, {}, {})
    for reading in readings:
        merged.values.update(reading.values)
        merged.missing.update(reading.missing)
        merged.throttle.update(reading.throttle)
    return merged._replace(cpu_throttle=tuple(name for reading in readings for name in reading.cpu_throttle))


def host_reading(reading: Reading) -> HostReading:
    """The wire form of one reading of all probes."""
    values = reading.values
    return HostReading(
        cpu_percent=values.get("cpu_percent"),
        memory_used_bytes=_whole(values.get("memory_used_bytes")),
        memory_total_bytes=_whole(values.get("memory_total_bytes")),
        swap_used_bytes=_whole(values.get("swap_used_bytes")),
        disk_free_bytes=_whole(values.get("disk_free_bytes")),
        gpus=[_gpu_reading(index, reading) for index in _gpu_indexes(reading)],
        missing=dict(reading.missing),
    )


def _gpu_indexes(reading: Reading) -> list[int]:
    names = [name for source in (reading.values, reading.missing) for name in source if name.startswith("gpu_")]
    return sorted({int(part) for name in names for part in name.split("_")[1:2] if part.isdigit()})


def _gpu_reading(index: int, reading: Reading) -> GpuReading:
    def value(field: str) -> Optional[float]:
        return reading.values.get(f"gpu_{index}_{field}")

    return GpuReading(
        index=index,
        utilisation_percent=value("utilisation_percent"),
        memory_used_bytes=_whole(value("memory_used_bytes")),
        memory_total_bytes=_whole(value("memory_total_bytes")),
        temperature_c=value("temperature_c"),
        power_w=value("power_w") if value("power_w") is not None else value("power_average_w"),
        sm_clock_mhz=value("sm_clock_mhz"),
        throttle_reasons=reading.throttle.get(index, []),
    )


def _whole(value: Optional[float]) -> Optional[int]:
    return None if value is None else int(value)
