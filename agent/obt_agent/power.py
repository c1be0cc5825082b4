"""Where the machine's power comes from, and how its CPU is told to use it: both change speed, neither is measured.

Read once per job, by what an ordinary user may read. Sources: psutil's `sensors_battery`; Linux kernel documentation,
"CPU Performance Scaling" (`scaling_governor`) and `sysfs-class-power`; `man pmset`; Microsoft's documentation of
`powercfg`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Optional

import psutil

from .probes.apple import output
from .probes.cpu import cores

PowerSource = Literal["mains", "battery"]
GOVERNOR_FILE = "cpufreq/scaling_governor"
MAX_GOVERNOR_CHARACTERS = 60
PLAN_COMMAND = ("powercfg", "/getactivescheme")
MODE_COMMAND = ("pmset", "-g")

NO_POWER_SOURCE = "The operating system does not tell this user where the power comes from."
NO_BATTERY_READING = "There is a battery, and the operating system does not tell whether it is in use."
NO_GOVERNOR = "The operating system does not tell how the CPU's clock is governed (virtual machines seldom do)."
NO_PLAN = "Windows does not tell this user which power plan is active."
NO_MODE = "macOS does not tell this user whether low power mode is on."

# Windows' own plans have the same number in every language.
PLANS = {
    "381b4222-f694-41f0-9685-ff5bb260df2e": "balanced",
    "8c5e7fda-e8bf-4a96-9a85-a6e23a8c635c": "high performance",
    "a1841308-3541-4fab-bc81-f71556f20b4a": "power saver",
    "e9a42b02-d5df-448d-aa00-03f14749eb61": "ultimate performance",
}
_PLAN = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:\s*\((.+)\))?", re.IGNORECASE)
_MODE = re.compile(r"^\s*(lowpowermode|powermode)\s+(\d)", re.MULTILINE)
# `pmset`: powermode has three values where the Mac offers a high power mode, else lowpowermode has two.
MODES = {"0": "automatic", "1": "low power mode", "2": "high power mode"}


@dataclass(frozen=True)
class Power:
    """`cpu_governor`: Linux' governor ("performance"; "performance, powersave" where cores differ), Windows' power
    plan, macOS' power mode. `missing` has the reason, by name, for what is None."""

    power_source: Optional[PowerSource] = None
    cpu_governor: Optional[str] = None
    missing: dict[str, str] = field(default_factory=dict)


def read_power(root: Path = Path("/"), platform: str = sys.platform) -> Power:
    """What this machine runs on now; `root` is the file system that sysfs is looked for in. Never raises."""
    source, why_source = read_source(root, platform)
    governor, why_governor = read_governor(root, platform)
    missing = {"power_source": why_source, "cpu_governor": why_governor}
    return Power(source, governor, {name: why for name, why in missing.items() if why is not None})


def read_source(root: Path, platform: str) -> tuple[Optional[PowerSource], Optional[str]]:
    """The source of power, or None and the reason. A machine without a battery runs on mains."""
    if platform.startswith("linux"):
        return linux_source(root)
    try:
        battery = psutil.sensors_battery()
    except (AttributeError, psutil.Error, OSError, RuntimeError, NotImplementedError, ValueError):
        return None, NO_POWER_SOURCE
    if battery is None:
        return "mains", None
    if battery.power_plugged is None:
        return None, NO_BATTERY_READING
    return ("mains" if battery.power_plugged else "battery"), None


def linux_source(root: Path) -> tuple[Optional[PowerSource], Optional[str]]:
    """From /sys/class/power_supply: batteries of the machine itself (`scope` Device is a mouse or a headset).

    psutil takes any battery, a wireless mouse's too, so it is not asked here.
    """
    supplies = root / "sys/class/power_supply"
    if not supplies.is_dir():
        return None, NO_POWER_SOURCE
    own = [supply for supply in sorted(supplies.glob("*")) if text_of(supply / "scope") != "Device"]
    states = [text_of(supply / "status") for supply in own if text_of(supply / "type") == "Battery"]
    if not states or any(text_of(supply / "online") == "1" for supply in own):
        return "mains", None
    if "Discharging" in states:
        return "battery", None
    if any(state in ("Charging", "Full", "Not charging") for state in states):
        return "mains", None
    return None, NO_BATTERY_READING


def read_governor(root: Path, platform: str) -> tuple[Optional[str], Optional[str]]:
    """How the CPU's clock is governed, or None and the reason."""
    if platform == "win32":
        return _or(parse_plan(output(list(PLAN_COMMAND))), NO_PLAN)
    if platform == "darwin":
        return _or(parse_mode(output(list(MODE_COMMAND))), NO_MODE)
    return _or(governors_of([text_of(file) for file in cores(root, GOVERNOR_FILE)]), NO_GOVERNOR)


def governors_of(each: Sequence[Optional[str]]) -> Optional[str]:
    """The governors of all cores, each named once, in alphabetical order."""
    known = sorted({one for one in each if one})
    return ", ".join(known)[:MAX_GOVERNOR_CHARACTERS] or None


def parse_plan(text: str) -> Optional[str]:
    """The active plan from `powercfg /getactivescheme`, by its number; another's by the name people gave it."""
    found = _PLAN.search(text)
    if found is None:
        return None
    return PLANS.get(found[1].lower()) or (found[2] or found[1]).strip()[:MAX_GOVERNOR_CHARACTERS]


def parse_mode(text: str) -> Optional[str]:
    """The power mode from `pmset -g`. None where this Mac has neither setting."""
    found = dict(_MODE.findall(text))
    return MODES.get(found.get("powermode") or found.get("lowpowermode") or "")


def text_of(file: Path) -> Optional[str]:
    """A small file's text without its line's end; None when it cannot be read or is empty."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None


def _or(value: Optional[str], reason: str) -> tuple[Optional[str], Optional[str]]:
    return value, None if value is not None else reason
