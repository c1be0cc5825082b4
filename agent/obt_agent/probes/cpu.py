"""CPU frequency, temperature and throttling under Linux, from sysfs; other systems tell them to root only, or not.

Source: Linux kernel documentation, "CPU performance scaling" (cpufreq), "hwmon sysfs", "thermal sysfs", and
arch/x86/kernel/cpu/mce/therm_throt.c for the throttle counters of Intel's CPUs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from ..machine import Gpu
from . import Reading
from .sysfs import read_number

READ_EVERY_S = 1.0  # reading a core's frequency may wake it
MAX_CORES_READ = 16
CPU_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "soc_thermal")
CPU_ZONES = ("x86_pkg_temp", "cpu-thermal", "cpu_thermal", "soc-thermal")
NO_FREQUENCY = "The operating system does not tell the CPU's frequency (virtual machines seldom do)."
NO_TEMPERATURE = "No temperature sensor of the CPU is readable by the agent's user."
NO_THROTTLE = "The CPU's driver does not count how often heat slowed it down."


class CpuProbe:
    """`cpu_frequency_mhz` (mean of up to 16 cores), `cpu_temperature_c`, `cpu_throttle_count`, below `root`/sys."""

    every_s = READ_EVERY_S
    in_series = True

    def __init__(self, root: Path = Path("/")) -> None:
        self.frequencies = frequency_files(root)
        self.temperature = temperature_file(root)
        self.throttle = throttle_files(root)
        self._throttled: Optional[float] = None

    def files(self) -> list[Path]:
        """All files it reads."""
        return [*self.frequencies, *([self.temperature] if self.temperature else []), *self.throttle]

    def read(self) -> Reading:
        count = total(self.throttle)
        hot = count is not None and self._throttled is not None and count > self._throttled
        self._throttled = count
        reading = Reading({}, {}, {}, ("thermal",) if hot else ())
        khz = [value for value in map(read_number, self.frequencies) if value]
        celsius = read_number(self.temperature) if self.temperature else None
        put(reading, "cpu_frequency_mhz", sum(khz) / len(khz) / 1000 if khz else None, NO_FREQUENCY)
        put(reading, "cpu_temperature_c", None if celsius is None else celsius / 1000, NO_TEMPERATURE)
        put(reading, "cpu_throttle_count", count, NO_THROTTLE)
        return reading

    def gpus(self) -> list[Gpu]:
        return []


def put(reading: Reading, name: str, value: Optional[float], reason: str) -> None:
    """A value, or why there is none."""
    if value is None:
        reading.missing[name] = reason
    else:
        reading.values[name] = value


def frequency_files(root: Path) -> list[Path]:
    """The current frequency in kHz of up to 16 cores, spread over all."""
    files = cores(root, "cpufreq/scaling_cur_freq")
    step = -(-len(files) // MAX_CORES_READ) if files else 1
    return files[::step]


def temperature_file(root: Path) -> Optional[Path]:
    """The package's temperature in millidegrees: a sensor of the CPU's own driver, else its thermal zone."""
    found = [*_named(root, "sys/class/hwmon/hwmon*", "name", CPU_SENSORS, "temp1_input")]
    found += _named(root, "sys/class/thermal/thermal_zone*", "type", CPU_ZONES, "temp")
    return next((file for file in found if read_number(file) is not None), None)


def throttle_files(root: Path) -> list[Path]:
    """One counter per package: its cores all show the same one."""
    by_package: dict[Optional[float], Path] = {}
    for file in cores(root, "thermal_throttle/package_throttle_count"):
        by_package.setdefault(read_number(file.parent.parent / "topology/physical_package_id"), file)
    return list(by_package.values())


def cores(root: Path, name: str) -> list[Path]:
    """This file of every core that has it, in the order of the cores."""
    files = (root / "sys/devices/system/cpu").glob(f"cpu[0-9]*/{name}")
    return sorted(files, key=lambda file: (len(str(file)), str(file)))


def total(files: list[Path]) -> Optional[float]:
    """The sum of what the files say; None when there is none or one cannot be read."""
    values = [read_number(file) for file in files]
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _named(root: Path, folders: str, label: str, names: tuple[str, ...], file: str) -> list[Path]:
    """`file` in the folders whose `label` is one of `names`, in the order of the names."""
    found = []
    for folder in sorted(root.glob(folders)):
        try:
            name = (folder / label).read_text(encoding="utf-8").strip()
        except OSError:
            continue
        if name in names and (folder / file).exists():
            found.append((names.index(name), folder / file))
    return [path for _, path in sorted(found)]
