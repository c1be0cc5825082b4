"""What this machine is made of, as the content-addressed `Hardware` of the wire contract.

The same machine must always give the same description, so nothing measured goes in: no current clock, no free memory,
and memory in whole steps, because the kernel's share of it differs a little from start to start.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path
from typing import Callable, Optional

import psutil

from .machine import Cpu, Gpu, Hardware, OperatingSystem
from .probes.apple import output

MEMORY_STEP_BYTES = 16 * 1024**2
_SYSTEMS = ("Linux", "Windows", "Darwin")
_WINDOWS_11_BUILD = 22000  # Windows 11 still calls itself 10.0; its builds begin here
# Names of ARM cores as /proc/cpuinfo numbers them. Source: Linux, arch/arm64/include/asm/cputype.h.
_ARM_PARTS = {
    ("0x41", "0xd03"): "ARM Cortex-A53",
    ("0x41", "0xd07"): "ARM Cortex-A57",
    ("0x41", "0xd08"): "ARM Cortex-A72",
    ("0x41", "0xd0b"): "ARM Cortex-A76",
    ("0x41", "0xd0c"): "ARM Neoverse-N1",
    ("0x41", "0xd40"): "ARM Neoverse-V1",
    ("0x41", "0xd49"): "ARM Neoverse-N2",
    ("0x41", "0xd4f"): "ARM Neoverse-V2",
    ("0xc0", "0xac3"): "Ampere-1",
}


def collect(gpus: list[Gpu], missing: Optional[dict[str, str]] = None) -> Hardware:
    """Describe this machine. `gpus` come from the probes, `missing` says why a kind of GPU could not be asked."""
    reasons = dict(missing or {})
    cpu = Cpu(
        model=_noted(reasons, "cpu_model", cpu_model, "The operating system does not name the CPU."),
        physical_cores=_noted(
            reasons,
            "cpu_physical_cores",
            lambda: psutil.cpu_count(logical=False),
            "The operating system does not count them.",
        ),
        logical_cores=psutil.cpu_count(logical=True),
        max_frequency_mhz=_noted(
            reasons,
            "cpu_max_frequency_mhz",
            max_frequency_mhz,
            "The operating system does not tell the highest frequency.",
        ),
    )
    if not gpus:
        reasons.setdefault("gpus", "No GPU was found that the agent can read.")
    return Hardware(cpu=cpu, os=operating_system(), memory_total_bytes=memory_total_bytes(), gpus=gpus, missing=reasons)


def _noted(reasons: dict[str, str], name: str, read: Callable[[], Optional[object]], why: str):  # type: ignore[no-untyped-def]
    try:
        value = read()
    except (OSError, psutil.Error, ValueError, RuntimeError, NotImplementedError):
        value = None
    if value is None:
        reasons[name] = why
    return value


def memory_total_bytes() -> int:
    """Main memory, rounded to 16 MiB."""
    return round(psutil.virtual_memory().total / MEMORY_STEP_BYTES) * MEMORY_STEP_BYTES


# -- CPU ---------------------------------------------------------------------------------------------------------


def cpu_model() -> Optional[str]:
    if sys.platform == "darwin":
        return output(["sysctl", "-n", "machdep.cpu.brand_string"]).strip() or None
    if sys.platform == "win32":
        path = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
        return tidy(registry_value(path, "ProcessorNameString") or "") or None
    return parse_cpuinfo(_text("/proc/cpuinfo")) or board_model(_text("/proc/device-tree/model"))


def parse_cpuinfo(text: str) -> Optional[str]:
    """The CPU's name from /proc/cpuinfo: "model name" (x86, s390), "cpu" (POWER), or an ARM core's part number."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and value.strip():
            fields.setdefault(key.strip().lower(), value.strip())
    named = fields.get("model name") or (fields.get("cpu") if "revision" in fields else None)
    if named:
        return tidy(named)
    part = (fields.get("cpu implementer", ""), fields.get("cpu part", ""))
    if not part[1]:
        return None
    return _ARM_PARTS.get(part, f"ARM implementer {part[0]} part {part[1]}")


def board_model(text: str) -> Optional[str]:
    """The board's name from the device tree, which ends in a zero byte."""
    return tidy(text.replace("\0", " ")) or None


def tidy(name: str) -> str:
    """A CPU's name as people write it: without (R), (TM), the clock, and runs of spaces."""
    name = re.sub(r"\((R|TM|r|tm)\)", "", name)
    name = re.sub(r"\s+(CPU\s+)?@\s*[\d.]+\s*[GM]Hz", "", name)
    return " ".join(name.split())


def max_frequency_mhz() -> Optional[float]:
    """The highest frequency any core is made for, in MHz; None where only the current one is known (most VMs)."""
    if sys.platform.startswith("linux"):
        files = Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/cpuinfo_max_freq")
        known = [int(text) for text in map(_text, files) if text.strip().isdigit()]
        return max(known) / 1000 if known else None
    frequency = psutil.cpu_freq()
    return float(frequency.max) if frequency and frequency.max else None


# -- operating system --------------------------------------------------------------------------------------------


def operating_system() -> OperatingSystem:
    system = platform.system()
    known = system if system in _SYSTEMS else "other"
    return OperatingSystem(
        system=known,  # type: ignore[arg-type]
        name=_os_name(known),
        kernel=platform.release() if known != "Windows" else platform.version(),
        architecture=platform.machine() or None,
    )


def _os_name(system: str) -> Optional[str]:
    if system == "Linux":
        return parse_os_release(_text("/etc/os-release") or _text("/usr/lib/os-release"))
    if system == "Darwin":
        return f"macOS {platform.mac_ver()[0]}".strip()
    if system == "Windows":
        key = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"
        return windows_name(
            registry_value(key, "ProductName"), platform.version(), registry_value(key, "DisplayVersion")
        )
    return platform.platform() or None


def parse_os_release(text: str) -> Optional[str]:
    """PRETTY_NAME of os-release, e.g. "Ubuntu 24.04.1 LTS"."""
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key == "PRETTY_NAME":
            return value.strip().strip("\"'") or None
    return None


def windows_name(product: Optional[str], version: str, display: Optional[str]) -> str:
    """ "Windows 11 Pro 24H2" from the registry's product name, which still says 10, and the build in "10.0.26100"."""
    build = int(version.rpartition(".")[2] or 0) if version.rpartition(".")[2].isdigit() else 0
    name = product or "Windows"
    if build >= _WINDOWS_11_BUILD and "Server" not in name:
        name = name.replace("Windows 10", "Windows 11")
    return f"{name} {display}" if display else name


def registry_value(path: str, name: str) -> Optional[str]:
    """A text below HKEY_LOCAL_MACHINE; None where it is not there, or there is no registry."""
    if sys.platform != "win32":
        return None
    import winreg  # noqa: PLC0415 - only there on Windows

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path) as key:
            return str(winreg.QueryValueEx(key, name)[0])
    except OSError:
        return None


def _text(path: os.PathLike[str] | str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
