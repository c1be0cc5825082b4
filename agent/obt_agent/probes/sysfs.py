"""What the probes of Linux' GPU drivers share: finding cards below /sys/class/drm, and reading small files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Optional

from . import Reading

PCI_NAME_FILES = ("usr/share/hwdata/pci.ids", "usr/share/misc/pci.ids")


class Quantity(NamedTuple):
    """Where a value is (patterns below the card's folder, first that exists) and its factor to our unit."""

    field: str
    patterns: tuple[str, ...]
    factor: float


def cards_of(root: Path, vendor: str) -> list[Path]:
    """The folders of a maker's cards, in the order of their numbers (card2 before card10). `vendor`: "0x1002"."""
    cards = [path for path in (root / "sys/class/drm").glob("card*") if re.fullmatch(r"card\d+", path.name)]
    cards.sort(key=lambda path: int(path.name[4:]))
    return [card for card in cards if read_text(card / "device/vendor") == vendor]


def first(folder: Path, patterns: tuple[str, ...]) -> Optional[Path]:
    """The first file that is there."""
    found = (path for pattern in patterns for path in sorted(folder.glob(pattern)))
    return next(found, None)


def read_text(file: Path) -> Optional[str]:
    """A small file's text, or None: sysfs answers reads with errors while a GPU sleeps."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None


def read_number(file: Path) -> Optional[float]:
    """A file's number; None when it cannot be read or is none."""
    text = read_text(file)
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def read_files(files: Mapping[tuple[int, Quantity], Optional[Path]], reading: Reading, not_there: str) -> None:
    """Put the quantities of all cards into the reading, or why one is missing: `not_there` when it has no file."""
    for (index, quantity), file in files.items():
        name = f"gpu_{index}_{quantity.field}"
        value = None if file is None else read_number(file)
        if value is None:
            reading.missing[name] = not_there if file is None else f"{file.name} could not be read."
        else:
            reading.values[name] = value * quantity.factor


def uevent(device: Path, key: str) -> Optional[str]:
    """One line of a device's `uevent`: DRIVER, PCI_SLOT_NAME."""
    for line in (read_text(device / "uevent") or "").splitlines():
        name, _, value = line.partition("=")
        if name == key:
            return value.strip() or None
    return None


def kernel_driver(root: Path, driver: str) -> Optional[str]:
    """A driver that has no version of its own is that of its kernel."""
    kernel = read_text(root / "proc/sys/kernel/osrelease")
    return f"{driver} of Linux {kernel}" if kernel else None


def name_of(root: Path, vendor: str, device: str) -> Optional[str]:
    """A card's name from the machine's own list of PCI names."""
    lists = (read_text(root / file) for file in PCI_NAME_FILES)
    return next((pci_name(text, vendor, device) for text in lists if text), None)


def pci_name(text: str, vendor: str, device: str) -> Optional[str]:
    """A device's name from the text of pci.ids; `vendor` and `device` as sysfs has them ("0x1002")."""
    inside = False
    for line in text.splitlines():
        if not line.startswith(("\t", "#")) and line.strip():
            inside = line.startswith(vendor[2:].lower() + " ")
        elif inside and line.startswith(f"\t{device[2:].lower()}  ") and device:
            return line.strip()[4:].strip()
    return None
