"""Intel GPUs under Linux, from sysfs as the drivers i915 and xe fill it.

How busy they are is told by the kernel's performance counters only, which are not for ordinary users. The energy
counter is there on discrete cards; power is its growth between two readings, so a mean over that time.
Source: Linux, Documentation/ABI/testing/sysfs-driver-intel-i915-hwmon and -xe-hwmon; the drivers' intel_gt_sysfs_pm.c
and xe_gt_freq.c, xe_gt_throttle.c.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Callable, Optional

from ..machine import Gpu
from . import ONLY_AVERAGE, OWN_USER_ONLY, Reading
from .cpu import put
from .sysfs import Quantity, cards_of, first, kernel_driver, name_of, read_files, read_number, read_text, uevent

INTEL_VENDOR = "0x8086"
NOT_THERE = "The GPU's driver does not offer it for this GPU."
NO_UTILISATION = "Intel's drivers tell how busy the GPU is by performance counters only, which need more rights."
NO_MEMORY = "Intel's drivers do not tell how much GPU memory is in use to ordinary users."
FIRST_READING = "The first reading has nothing to compare with."
ENERGY = "energy_mj"
ENERGY_FILES = ("device/hwmon/hwmon*/energy1_input", "device/hwmon/hwmon*/energy2_input")  # xe: card, else package
POWER_LIMIT_FILES = tuple(
    f"device/hwmon/hwmon*/{name}" for name in ("power1_max", "power1_rated_max", "power2_max", "power2_rated_max")
)
MEMORY_FILES = ("device/tile0/physical_vram_size_bytes", "lmem_total_bytes")
MICROWATTS = 1e-6
READ_EVERY_S = 0.5  # reading may wake a GPU inside the CPU, which shares its power

QUANTITIES = (
    # Measured clocks; 0 while the GPU sleeps. i915 since 5.18, i915 before, xe.
    Quantity(
        "sm_clock_mhz",
        ("gt/gt0/rps_act_freq_mhz", "gt_act_freq_mhz", "device/tile0/gt0/freq0/act_freq"),
        1,
    ),
    Quantity("temperature_c", ("device/hwmon/hwmon*/temp2_input", "device/hwmon/hwmon*/temp1_input"), 1e-3),
    Quantity(ENERGY, ENERGY_FILES, 1e-3),  # microjoules
    Quantity("memory_total_bytes", MEMORY_FILES, 1),
)
THROTTLE_FOLDERS = ("gt/gt0", "device/tile0/gt0/freq0/throttle")
# The files' names end alike in both drivers: throttle_reason_thermal (i915), reason_thermal (xe).
THROTTLE_REASONS = {
    "thermal": "thermal",
    "ratl": "thermal",
    "vr_thermalert": "thermal",
    "prochot": "hw_slowdown",
    "pl1": "power_cap",
    "pl2": "power_cap",
    "pl4": "power_cap",
    "vr_tdc": "current_cap",
}


class IntelProbe:
    """All cards of Intel below `root`/sys/class/drm; `cards` is empty when there are none. `clock`: in seconds."""

    every_s = READ_EVERY_S
    in_series = True

    def __init__(
        self, root: Path = Path("/"), first_index: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.root = root
        self.clock = clock
        self.cards = {first_index + i: card for i, card in enumerate(cards_of(root, INTEL_VENDOR))}
        self.files = {
            (index, quantity): first(card, quantity.patterns)
            for index, card in self.cards.items()
            for quantity in QUANTITIES
        }
        self.limits_w = {index: power_limit_w(card) for index, card in self.cards.items()}
        self.throttle_files = {index: throttle_files(card) for index, card in self.cards.items()}
        self._before: dict[int, tuple[float, float]] = {}  # when, in seconds, and the energy then, in millijoules

    def read(self) -> Reading:
        reading = Reading({}, {}, {index: [] for index in self.cards})
        read_files(self.files, reading, NOT_THERE)
        for index, limit_w in self.limits_w.items():
            put(reading, f"gpu_{index}_power_limit_w", limit_w, NOT_THERE)
            self._read_power(index, reading)
            self._read_throttle(index, reading)
            reading.missing[f"gpu_{index}_utilisation_percent"] = NO_UTILISATION
            reading.missing[f"gpu_{index}_memory_used_bytes"] = NO_MEMORY
            reading.missing[f"gpu_{index}_ollama_memory_bytes"] = OWN_USER_ONLY
        return reading

    def _read_power(self, index: int, reading: Reading) -> None:
        """The mean power since the reading before. The counter wraps; a step back is not a power."""
        energy_mj = reading.values.get(f"gpu_{index}_{ENERGY}")
        average = f"gpu_{index}_power_average_w"
        if energy_mj is None:
            reading.missing[f"gpu_{index}_power_w"] = NOT_THERE
            return
        reading.missing[f"gpu_{index}_power_w"] = ONLY_AVERAGE
        now_s = self.clock()
        before, self._before[index] = self._before.get(index), (now_s, energy_mj)
        if before is None or now_s <= before[0] or energy_mj < before[1]:
            reading.missing[average] = FIRST_READING
        else:
            reading.values[average] = (energy_mj - before[1]) / 1000 / (now_s - before[0])

    def _read_throttle(self, index: int, reading: Reading) -> None:
        """What holds the clocks back now."""
        files = self.throttle_files[index]
        if not files:
            reading.missing[f"gpu_{index}_throttle"] = NOT_THERE
        held = [THROTTLE_REASONS[reason] for reason, file in files.items() if read_text(file) == "1"]
        reading.throttle[index] = list(dict.fromkeys(held))

    def gpus(self) -> list[Gpu]:
        return [self._describe(index, card) for index, card in self.cards.items()]

    def _describe(self, index: int, card: Path) -> Gpu:
        device = read_text(card / "device/device") or ""
        known = name_of(self.root, INTEL_VENDOR, device)
        memory_file = first(card, MEMORY_FILES)
        memory = read_number(memory_file) if memory_file else None
        return Gpu(
            index=index,
            name=f"Intel {known}" if known else f"Intel GPU {device}".strip(),
            vendor="intel",
            memory_total_bytes=int(memory) if memory else None,
            driver_version=kernel_driver(self.root, uevent(card / "device", "DRIVER") or "i915"),
            power_limit_w=self.limits_w[index],
        )


def power_limit_w(card: Path) -> Optional[float]:
    """The limit that is set, else the card's own; a limit of 0 is none."""
    limits = (read_number(file) for pattern in POWER_LIMIT_FILES for file in sorted(card.glob(pattern)))
    set_uw = next((limit for limit in limits if limit), None)
    return None if set_uw is None else set_uw * MICROWATTS


def throttle_files(card: Path) -> dict[str, Path]:
    """The files that say 1 while their reason holds the clocks back, by reason."""
    found: dict[str, Path] = {}
    for folder in THROTTLE_FOLDERS:
        for file in sorted((card / folder).glob("*reason_*")):
            reason = file.name.partition("reason_")[2]
            if reason in THROTTLE_REASONS:
                found.setdefault(reason, file)
    return found
