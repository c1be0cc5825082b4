"""AMD GPUs under Linux, from sysfs as the amdgpu driver fills it.

Source: Linux kernel documentation, "AMDGPU driver: GPU power/thermal controls and monitoring" and "hwmon sysfs".
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple, Optional

from ..machine import Gpu
from . import Reading

AMD_VENDOR = "0x1002"
PCI_NAME_FILES = ("usr/share/hwdata/pci.ids", "usr/share/misc/pci.ids")
NOT_THERE = "The amdgpu driver does not offer it for this GPU."


class Quantity(NamedTuple):
    """Where a value is (patterns below the card's device folder, first that exists) and its factor to our unit."""

    field: str
    patterns: tuple[str, ...]
    factor: float


QUANTITIES = (
    Quantity("utilisation_percent", ("gpu_busy_percent",), 1),
    Quantity("memory_used_bytes", ("mem_info_vram_used",), 1),
    Quantity("memory_total_bytes", ("mem_info_vram_total",), 1),
    Quantity("temperature_c", ("hwmon/hwmon*/temp1_input",), 1e-3),  # millidegrees
    Quantity("power_w", ("hwmon/hwmon*/power1_input", "hwmon/hwmon*/power1_average"), 1e-6),  # microwatts
    Quantity("sm_clock_mhz", ("hwmon/hwmon*/freq1_input",), 1e-6),  # hertz
)


class AmdProbe:
    """All cards of AMD below `root`/sys/class/drm; `cards` is empty when there are none."""

    every_s = 0.0
    in_series = True

    def __init__(self, root: Path = Path("/"), first_index: int = 0) -> None:
        self.root = root
        self.cards = {first_index + i: card for i, card in enumerate(find_cards(root))}
        # Looked up once: the files stay where they are, and a glob at every tick would cost more than the reading.
        self.files = {
            (index, quantity): _first(card, quantity.patterns)
            for index, card in self.cards.items()
            for quantity in QUANTITIES
        }

    def read(self) -> Reading:
        reading = Reading({}, {}, {index: [] for index in self.cards})
        for (index, quantity), file in self.files.items():
            name = f"gpu_{index}_{quantity.field}"
            value = None if file is None else read_number(file)
            if value is None:
                reading.missing[name] = NOT_THERE if file is None else f"{file.name} could not be read."
            else:
                reading.values[name] = value * quantity.factor
        return reading

    def gpus(self) -> list[Gpu]:
        driver = _read(self.root / "sys/module/amdgpu/version") or _kernel_driver(self.root)
        return [self._describe(index, card, driver) for index, card in self.cards.items()]

    def _describe(self, index: int, card: Path, driver: Optional[str]) -> Gpu:
        memory = read_number(card / "mem_info_vram_total")
        limit_file = _first(card, ("hwmon/hwmon*/power1_cap",))
        limit_uw = read_number(limit_file) if limit_file else None
        return Gpu(
            index=index,
            name=_read(card / "product_name") or self._name(_read(card / "device") or ""),
            vendor="amd",
            memory_total_bytes=None if memory is None else int(memory),
            driver_version=driver,
            power_limit_w=None if limit_uw is None else limit_uw / 1e6,
        )

    def _name(self, device: str) -> str:
        lists = (_read(self.root / file) for file in PCI_NAME_FILES)
        known = next((pci_name(text, AMD_VENDOR, device) for text in lists if text), None)
        return f"AMD {known}" if known else f"AMD GPU {device}".strip()


def find_cards(root: Path) -> list[Path]:
    """The device folders of AMD's cards, in the order of their numbers (card2 before card10)."""
    cards = [path for path in (root / "sys/class/drm").glob("card*") if re.fullmatch(r"card\d+", path.name)]
    cards.sort(key=lambda path: int(path.name[4:]))
    return [card / "device" for card in cards if _read(card / "device" / "vendor") == AMD_VENDOR]


def pci_name(text: str, vendor: str, device: str) -> Optional[str]:
    """A device's name from the text of pci.ids; `vendor` and `device` as sysfs has them ("0x1002")."""
    inside = False
    for line in text.splitlines():
        if not line.startswith(("\t", "#")) and line.strip():
            inside = line.startswith(vendor[2:].lower() + " ")
        elif inside and line.startswith(f"\t{device[2:].lower()}  ") and device:
            return line.strip()[4:].strip()
    return None


def read_number(file: Path) -> Optional[float]:
    text = _read(file)
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _kernel_driver(root: Path) -> Optional[str]:
    kernel = _read(root / "proc/sys/kernel/osrelease")
    return f"amdgpu of Linux {kernel}" if kernel else None


def _first(folder: Path, patterns: tuple[str, ...]) -> Optional[Path]:
    found = (path for pattern in patterns for path in sorted(folder.glob(pattern)))
    return next(found, None)


def _read(file: Path) -> Optional[str]:
    """A small file's text, or None: sysfs answers reads with errors while a GPU sleeps."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None
