"""GPUs of Macs: `system_profiler` says what there is, `ioreg` how busy it is. Power cannot be read without root."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any, Optional

from ..machine import Gpu
from . import Reading

IOREG_EVERY_S = 2.0  # a process is started for each reading
COMMAND_TIMEOUT_S = 10.0
NO_POWER = "macOS tells power, temperature and clocks of the GPU to root only."
NO_STATISTICS = "The GPU's driver does not publish it."
DISPLAYS_COMMAND = ["system_profiler", "SPDisplaysDataType", "-json"]
REGISTRY_COMMAND = ["ioreg", "-r", "-d", "1", "-w", "0", "-c", "IOAccelerator"]
_BYTES = {"MB": 1024**2, "GB": 1024**3}
_UNREADABLE = ("power_w", "temperature_c", "sm_clock_mhz")


class AppleProbe:
    """The GPUs system_profiler shows. `profile` and `registry` return the two commands' output, "" when they fail."""

    every_s = IOREG_EVERY_S
    in_series = True

    def __init__(self, first_index: int = 0) -> None:
        self.first_index = first_index
        self._gpus = parse_displays(output(DISPLAYS_COMMAND), first_index)

    def gpus(self) -> list[Gpu]:
        return self._gpus

    def read(self) -> Reading:
        shown = output(REGISTRY_COMMAND)
        return read_statistics(parse_accelerators(shown), [gpu.index for gpu in self._gpus])


def read_statistics(statistics: list[dict[str, int]], indexes: list[int]) -> Reading:
    """One reading of the GPUs `indexes` from IOAccelerator's statistics, in the same order."""
    reading = Reading({}, {}, {index: [] for index in indexes})
    for position, index in enumerate(indexes):
        known = statistics[position] if position < len(statistics) else {}
        _take(reading, f"gpu_{index}_utilisation_percent", known.get("Device Utilization %"))
        _take(reading, f"gpu_{index}_memory_used_bytes", known.get("In use system memory"))
        reading.missing.update({f"gpu_{index}_{field}": NO_POWER for field in _UNREADABLE})
    return reading


def _take(reading: Reading, name: str, value: Optional[int]) -> None:
    if value is None:
        reading.missing[name] = NO_STATISTICS
    else:
        reading.values[name] = float(value)


def parse_displays(text: str, first_index: int = 0) -> list[Gpu]:
    """GPUs from `system_profiler SPDisplaysDataType -json`. Unified memory has no size of its own: None."""
    try:
        entries = json.loads(text)["SPDisplaysDataType"]
    except (ValueError, KeyError, TypeError):
        return []
    gpus = [
        entry for entry in entries if isinstance(entry, dict) and entry.get("sppci_device_type") == "spdisplays_gpu"
    ]
    return [_gpu(entry, first_index + i) for i, entry in enumerate(gpus)]


def _gpu(entry: dict[str, Any], index: int) -> Gpu:
    maker = str(entry.get("spdisplays_vendor", "")).lower()
    vendor = next((known for known in ("apple", "amd", "nvidia", "intel") if known in maker), "other")
    return Gpu(
        index=index,
        name=str(entry.get("sppci_model") or entry.get("_name") or "GPU"),
        vendor=vendor,  # type: ignore[arg-type]
        memory_total_bytes=_size(str(entry.get("spdisplays_vram", ""))),
    )


def _size(text: str) -> Optional[int]:
    match = re.fullmatch(r"(\d+) (MB|GB)", text.strip())
    return int(match[1]) * _BYTES[match[2]] if match else None


def parse_accelerators(text: str) -> list[dict[str, int]]:
    """The whole numbers of each accelerator's PerformanceStatistics, from `ioreg -r -d 1 -w 0 -c IOAccelerator`."""
    blocks = re.findall(r'"PerformanceStatistics" = \{(.*?)\}', text)
    return [{name: int(value) for name, value in re.findall(r'"([^"]+)"=(\d+)', block)} for block in blocks]


def output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False)
    except (OSError, subprocess.SubprocessError, ValueError):
        return ""
    return done.stdout if done.returncode == 0 else ""
