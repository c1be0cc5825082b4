"""The energy counter of AMD's GPUs by the Python package `amdsmi`, where ROCm has installed it. sysfs has the rest.

Source: AMD SMI Python API reference, amdsmi_get_energy_count and amdsmi_get_gpu_device_bdf.
"""

from __future__ import annotations

import importlib
from typing import Any, Optional

MICROJOULES_PER_MJ = 1000


class AmdSmi:
    """`module` is amdsmi. Raises its AmdSmiException, or OSError, when the library does not start."""

    def __init__(self, module: Any) -> None:
        self._module = module
        module.amdsmi_init()
        handles = module.amdsmi_get_processor_handles()
        self._handles = {str(module.amdsmi_get_gpu_device_bdf(handle)).lower(): handle for handle in handles}

    def energy_mj(self, slot: Optional[str]) -> Optional[float]:
        """Millijoules since the driver began of the card in a PCI slot ("0000:03:00.0"); None when it is not told."""
        handle = self._handles.get((slot or "").lower())
        if handle is None:
            return None
        try:
            told = self._module.amdsmi_get_energy_count(handle)
        except self._module.AmdSmiException:
            return None
        count, microjoules = told.get("energy_accumulator", told.get("power")), told.get("counter_resolution")
        if not isinstance(count, (int, float)) or not isinstance(microjoules, (int, float)):
            return None  # "N/A"
        return count * microjoules / MICROJOULES_PER_MJ


def start() -> Optional[AmdSmi]:
    """AMD's library where it is installed and works."""
    try:
        amdsmi: Any = importlib.import_module("amdsmi")
    except (ImportError, OSError, KeyError):  # it looks for ROCm's library while it is imported
        return None
    try:
        return AmdSmi(amdsmi)
    except (amdsmi.AmdSmiException, OSError):
        return None
