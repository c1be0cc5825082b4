"""Recording what the probes read on this machine, as a file that tests can read in its place.

The file is one JSON object: `files` (path below the root → text, or {"base64": …} for bytes), `nvml` (function →
answer, in the layout of
`nvml/*.json` of the tests' recordings; null without a driver), `commands` (command line → output, macOS and Windows),
`reading`, `power` and `missing` (what the agent made of it). No serial numbers, host names or user names.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import platform
import sys
from pathlib import Path
from typing import Any, Callable

from .. import __version__
from ..power import GOVERNOR_FILE, MODE_COMMAND, PLAN_COMMAND, read_power
from . import merge
from .amd import AMD_VENDOR
from .amd import QUANTITIES as AMD_QUANTITIES
from .apple import DISPLAYS_COMMAND, REGISTRY_COMMAND, output
from .choose import Machine
from .cpu import CpuProbe, cores
from .intel import INTEL_VENDOR, MEMORY_FILES, POWER_LIMIT_FILES, THROTTLE_FOLDERS
from .intel import QUANTITIES as INTEL_QUANTITIES
from .nvidia import NvidiaProbe
from .sysfs import PCI_NAME_FILES, cards_of

FORMAT = 1
PLAIN_FILES = ("proc/cpuinfo", "proc/sys/kernel/osrelease", "etc/os-release", "sys/module/amdgpu/version")
# Of a battery or an adapter: not its serial number.
SUPPLY_FILES = ("type", "scope", "online", "status")
CARD_FILES = ("vendor", "device", "uevent", "product_name", "hwmon/hwmon*/name")
METRICS = "gpu_metrics"
COMMANDS = {"darwin": (DISPLAYS_COMMAND, REGISTRY_COMMAND, MODE_COMMAND), "win32": (PLAN_COMMAND,)}
MAX_FILE_CHARACTERS = 20_000


class RecordingNvml:
    """pynvml, with every answer of its functions written down in `answers`. Errors are written by NVML's names."""

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        self._handles: list[Any] = []
        self.answers: dict[str, Any] = {"devices": []}

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._nvml, name)
        if not name.startswith(("nvmlDevice", "nvmlSystem")):
            return found
        return lambda *args: self._ask(name, found, *args)

    def _ask(self, name: str, query: Callable[..., Any], *args: Any) -> Any:
        try:
            answer = query(*args)
        except self._nvml.NVMLError as error:
            self._note(name, args, error_name(error))
            raise
        if name == "nvmlDeviceGetHandleByIndex":
            self._handles.append(answer)
            self.answers["devices"].append({})
        else:
            self._note(name, args, plain(answer))
        return answer

    def _note(self, name: str, args: tuple[Any, ...], answer: Any) -> None:
        position = next((i for i, handle in enumerate(self._handles) if args and handle is args[0]), None)
        if name == "nvmlDeviceGetCount":
            return
        place = self.answers if position is None else self.answers["devices"][position]
        if name == "nvmlDeviceGetClockInfo" and not isinstance(answer, str):
            answer = {**place.get(name, {}), str(args[1]): answer}  # one answer per clock
        place[name] = answer


def error_name(error: Any) -> str:
    """NVML_ERROR_NOT_SUPPORTED and the like, by the error's number in the module that raised it."""
    known = vars(sys.modules[type(error).__module__])
    names = (name for name in known if name.startswith("NVML_ERROR_") and known[name] == error.value)
    return next(names, "NVML_ERROR_UNKNOWN")


def plain(answer: Any) -> Any:
    """NVML's structures as JSON has them; only the fields that the probe reads."""
    if isinstance(answer, bytes):
        return answer.decode(errors="replace")
    if hasattr(answer, "total") and hasattr(answer, "used"):
        return {"total": answer.total, "free": answer.free, "used": answer.used}
    if hasattr(answer, "gpu") and hasattr(answer, "memory"):
        return {"gpu": answer.gpu, "memory": answer.memory}
    if isinstance(answer, (list, tuple)):
        return _plain_list(list(answer))
    return answer


def _plain_list(answers: list[Any]) -> Any:
    if answers and hasattr(answers[0], "nvmlReturn"):
        return {"nvmlReturn": answers[0].nvmlReturn, "uiVal": answers[0].value.uiVal}
    return [{"pid": one.pid, "usedGpuMemory": one.usedGpuMemory} for one in answers]


def record(machine: Machine, root: Path = Path("/"), nvml: Any = None) -> dict[str, Any]:
    """What the probes read on this machine. `nvml`: the pynvml module; None: none is asked."""
    machine.read()  # shares need a reading to compare with
    reading = merge([probe.read() for probe in machine.probes])
    return {
        "format": FORMAT,
        "agent_version": __version__,
        "system": platform.system(),
        "machine": platform.machine(),
        "files": record_files(root),
        "nvml": record_nvml(nvml),
        "commands": record_commands(),
        "reading": reading.values,
        "power": dataclasses.asdict(read_power(root)),
        "missing": {**machine.missing, **reading.missing},
    }


def record_nvml(nvml: Any) -> Any:
    """NVML's answers to all that the probe asks; None without a driver."""
    if nvml is None:
        return None
    recording = RecordingNvml(nvml)
    try:
        probe = NvidiaProbe(recording)
    except nvml.NVMLError:
        return None
    probe.gpus()
    probe.read()
    return recording.answers


def record_files(root: Path) -> dict[str, Any]:
    """The files that the agent reads, by path below `root`; those that cannot be read are left out."""
    found = [root / name for name in PLAIN_FILES]
    found += CpuProbe(root).files()
    found += cores(root, GOVERNOR_FILE)
    found += sorted((root / "sys/class/hwmon").glob("hwmon*/name"))
    found += sorted((root / "sys/class/thermal").glob("thermal_zone*/type"))
    found += [file for name in SUPPLY_FILES for file in sorted((root / "sys/class/power_supply").glob(f"*/{name}"))]
    found += card_files(root)
    contents: dict[str, Any] = {str(file.relative_to(root)): _content(file) for file in found}
    names = {name: pci_lines(_text(root / name), contents) for name in PCI_NAME_FILES}
    return {path: content for path, content in {**contents, **names}.items() if content}


def card_files(root: Path) -> list[Path]:
    """What the probes of AMD and Intel look at, of every card of theirs."""
    of_amd = [*CARD_FILES, METRICS, *(pattern for quantity in AMD_QUANTITIES for pattern in quantity.patterns)]
    of_intel = [f"device/{name}" for name in CARD_FILES]
    of_intel += [pattern for quantity in INTEL_QUANTITIES for pattern in quantity.patterns]
    of_intel += [*POWER_LIMIT_FILES, *MEMORY_FILES, *(f"{folder}/*reason_*" for folder in THROTTLE_FOLDERS)]
    found = []
    for vendor, below, patterns in ((AMD_VENDOR, "device", of_amd), (INTEL_VENDOR, "", of_intel)):
        for card in cards_of(root, vendor):
            found += [file for pattern in patterns for file in sorted((card / below).glob(pattern))]
    return list(dict.fromkeys(found))


def pci_lines(text: str, contents: dict[str, Any]) -> str:
    """The makers' headings and the lines of the recorded cards: the whole of pci.ids is 1.4 MB."""
    devices = {value.strip()[2:].lower() for path, value in contents.items() if path.endswith("/device/device")}
    makers = {AMD_VENDOR[2:], INTEL_VENDOR[2:]} if devices else set()
    kept, inside = [], False
    for line in text.splitlines():
        if line[:1] not in ("\t", "#", ""):
            inside = line[:4] in makers
            kept += [line] if inside else []
        elif inside and line[1:5] in devices and line[:1] == "\t":
            kept.append(line)
    return "\n".join(kept) + "\n" if kept else ""


def record_commands(platform: str = sys.platform) -> dict[str, str]:
    """What the operating system's commands print that the agent asks; Linux has files instead."""
    return {" ".join(command): output(list(command)) for command in COMMANDS.get(platform, ())}


def write(recorded: dict[str, Any], file: Path) -> None:
    """As JSON that people can read. Raises OSError."""
    file.write_text(json.dumps(recorded, indent=1, ensure_ascii=False, sort_keys=False) + "\n", encoding="utf-8")


def restore(recorded: dict[str, Any], root: Path) -> Path:
    """Write the recorded files below `root`, for probes to read there."""
    for path, content in recorded["files"].items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(content["base64"]) if isinstance(content, dict) else content.encode())
    return root


def _content(file: Path) -> Any:
    """A file's text; the bytes of the one that is none."""
    if file.name == "cpuinfo":  # a Raspberry Pi's has its serial number
        return "".join(line for line in _text(file).splitlines(keepends=True) if not line.startswith("Serial"))
    if file.name != METRICS:
        return _text(file)
    try:
        return {"base64": base64.b64encode(file.read_bytes()).decode()}
    except OSError:
        return ""


def _text(file: Path) -> str:
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            return opened.read() if file.name == "pci.ids" else opened.read(MAX_FILE_CHARACTERS)
    except OSError:
        return ""
