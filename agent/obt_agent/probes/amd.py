"""AMD GPUs under Linux, from sysfs as the amdgpu driver fills it, and AMD's own library where it is installed.

Source: Linux kernel documentation, "AMDGPU driver: GPU power/thermal controls and monitoring" and "hwmon sysfs".
"""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from ..machine import Gpu
from . import ONLY_AVERAGE, OWN_USER_ONLY, Reading
from .amd_metrics import read_metrics
from .amd_smi import AmdSmi
from .sysfs import Quantity, cards_of, first, kernel_driver, name_of, read_files, read_number, read_text, uevent

AMD_VENDOR = "0x1002"
NOT_THERE = "The amdgpu driver does not offer it for this GPU."
NO_ENERGY = "Neither the amdgpu driver nor AMD's library amdsmi counts this GPU's energy."
MICROWATTS = 1e-6

QUANTITIES = (
    Quantity("utilisation_percent", ("gpu_busy_percent",), 1),
    Quantity("memory_used_bytes", ("mem_info_vram_used",), 1),
    Quantity("memory_total_bytes", ("mem_info_vram_total",), 1),
    Quantity("temperature_c", ("hwmon/hwmon*/temp1_input",), 1e-3),  # millidegrees
    Quantity("power_w", ("hwmon/hwmon*/power1_input",), MICROWATTS),
    Quantity("power_average_w", ("hwmon/hwmon*/power1_average",), MICROWATTS),
    Quantity("power_limit_w", ("hwmon/hwmon*/power1_cap",), MICROWATTS),
    Quantity("sm_clock_mhz", ("hwmon/hwmon*/freq1_input",), 1e-6),  # hertz
    Quantity("memory_clock_mhz", ("hwmon/hwmon*/freq2_input",), 1e-6),
)


class AmdProbe:
    """All cards of AMD below `root`/sys/class/drm; `cards` is empty when there are none. `smi`: AMD's library."""

    every_s = 0.0
    in_series = True

    def __init__(self, root: Path = Path("/"), first_index: int = 0, smi: Optional[AmdSmi] = None) -> None:
        self.root = root
        self.smi = smi
        self.cards = {first_index + i: card / "device" for i, card in enumerate(cards_of(root, AMD_VENDOR))}
        self.slots = {index: uevent(card, "PCI_SLOT_NAME") for index, card in self.cards.items()}
        # Looked up once: the files stay where they are, and a glob at every tick would cost more than the reading.
        self.files = {
            (index, quantity): first(card, quantity.patterns)
            for index, card in self.cards.items()
            for quantity in wanted(card)
        }

    def read(self) -> Reading:
        reading = Reading({}, {}, {index: [] for index in self.cards})
        read_files(self.files, reading, NOT_THERE)
        for index, card in self.cards.items():
            self._read_rest(index, card, reading)
        return reading

    def _read_rest(self, index: int, card: Path, reading: Reading) -> None:
        """The energy counter, what holds the clocks back, and why the rest is not there."""
        metrics = read_metrics(card)
        energy = metrics.energy_mj if metrics is not None else None
        if energy is None and self.smi is not None:
            energy = self.smi.energy_mj(self.slots[index])
        if energy is None:
            reading.missing[f"gpu_{index}_energy_mj"] = NO_ENERGY
        else:
            reading.values[f"gpu_{index}_energy_mj"] = energy
        if metrics is None or metrics.throttle is None:
            reading.missing[f"gpu_{index}_throttle"] = NOT_THERE
        else:
            reading.throttle[index] = metrics.throttle
        reading.missing[f"gpu_{index}_ollama_memory_bytes"] = OWN_USER_ONLY
        if f"gpu_{index}_power_average_w" in reading.values:
            reading.missing[f"gpu_{index}_power_w"] = ONLY_AVERAGE

    def gpus(self) -> list[Gpu]:
        driver = read_text(self.root / "sys/module/amdgpu/version") or kernel_driver(self.root, "amdgpu")
        return [self._describe(index, card, driver) for index, card in self.cards.items()]

    def _describe(self, index: int, card: Path, driver: Optional[str]) -> Gpu:
        memory = read_number(card / "mem_info_vram_total")
        limit_file = first(card, ("hwmon/hwmon*/power1_cap",))
        limit_uw = read_number(limit_file) if limit_file else None
        return Gpu(
            index=index,
            name=read_text(card / "product_name") or self._name(read_text(card / "device") or ""),
            vendor="amd",
            memory_total_bytes=None if memory is None else int(memory),
            driver_version=driver,
            power_limit_w=None if limit_uw is None else limit_uw * MICROWATTS,
        )

    def _name(self, device: str) -> str:
        known = name_of(self.root, AMD_VENDOR, device)
        return f"AMD {known}" if known else f"AMD GPU {device}".strip()


def wanted(card: Path) -> list[Quantity]:
    """What to look for on one card: the mean power only where that of the moment is not told."""
    has_instant = first(card, ("hwmon/hwmon*/power1_input",)) is not None
    has_mean = first(card, ("hwmon/hwmon*/power1_average",)) is not None
    left_out = "power_average_w" if has_instant or not has_mean else "power_w"
    return [quantity for quantity in QUANTITIES if quantity.field != left_out]
