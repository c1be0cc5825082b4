"""Which probes this machine has. Asked once; a GPU nobody can read is a reason, not an error."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

from ..machine import Gpu
from . import Probe, Reading, amd_smi, host_reading, merge
from .amd import AmdProbe
from .apple import AppleProbe
from .cpu import CpuProbe
from .host import DiskProbe, DiskTrafficProbe, HostProbe
from .intel import IntelProbe
from .nvidia import NvidiaProbe, why


class Machine(NamedTuple):
    """The probes of this machine, and why a kind of probe is not among them."""

    probes: list[Probe]
    missing: dict[str, str]

    def gpus(self) -> list[Gpu]:
        return [gpu for probe in self.probes for gpu in probe.gpus()]

    def read(self) -> Reading:
        """One reading of everything, for the heartbeat."""
        reading = merge([probe.read() for probe in self.probes])
        reading.missing.update(self.missing)
        return reading


def choose(state_dir: Path, root: Path = Path("/")) -> Machine:
    """`state_dir` is where free disk space matters; `root` is the file system that sysfs is looked for in."""
    machine = Machine([HostProbe(), CpuProbe(root), DiskProbe(state_dir), DiskTrafficProbe()], {})
    _add_nvidia(machine)
    amd = AmdProbe(root, first_index=len(machine.gpus()))
    if amd.cards:
        amd.smi = amd_smi.start()
        machine.probes.append(amd)
    intel = IntelProbe(root, first_index=len(machine.gpus()))
    if intel.cards:
        machine.probes.append(intel)
    if sys.platform == "darwin":
        machine.probes.append(AppleProbe(first_index=len(machine.gpus())))
    return machine


def nvml() -> Any:
    """The pynvml module; None where it is not installed."""
    try:
        import pynvml  # noqa: PLC0415 - the agent works without it
    except ImportError:
        return None
    return pynvml


def _add_nvidia(machine: Machine) -> None:
    pynvml = nvml()
    if pynvml is None:
        machine.missing["nvidia"] = "The Python package nvidia-ml-py is not installed."
        return
    try:
        machine.probes.append(NvidiaProbe(pynvml))
    except pynvml.NVMLError as error:
        machine.missing["nvidia"] = why(pynvml, error)


__all__ = ["Machine", "choose", "host_reading"]
