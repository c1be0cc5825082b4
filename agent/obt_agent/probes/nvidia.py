"""NVIDIA GPUs, by NVML (`nvidia-ml-py`).

Power is the instant field where the driver has it; else nvmlDeviceGetPowerUsage, which is a one-second mean on Ampere
and later and is then called so. Utilisation is the share of time in which a kernel ran, not how well the GPU was used.
Source: NVML API reference, "Device Queries" and "Field Value Enums".
"""

from __future__ import annotations

from typing import Any, Callable, Optional

import psutil

from ..machine import Gpu
from . import ONLY_AVERAGE, Reading

# Bits of nvmlClocksEventReasons, in the order of nvml.h. Idle and application settings hold nothing back by themselves.
EVENT_REASONS = {
    0x001: "gpu_idle",
    0x002: "applications_clocks_setting",
    0x004: "sw_power_cap",
    0x008: "hw_slowdown",
    0x010: "sync_boost",
    0x020: "sw_thermal_slowdown",
    0x040: "hw_thermal_slowdown",
    0x080: "hw_power_brake_slowdown",
    0x100: "display_clock_setting",
}
AVERAGES_SINCE_ARCHITECTURE = 7  # NVML_DEVICE_ARCH_AMPERE
OLLAMA_NAMES = ("ollama", "llama-server", "llama_server")
NO_MEMORY_PER_PROCESS = "The driver does not tell memory per process (as under Windows' display driver model)."
_HARMLESS = 0x001 | 0x002 | 0x100


class NvidiaProbe:
    """All GPUs NVML shows. `nvml` is the pynvml module; raises its NVMLError when the driver does not answer."""

    every_s = 0.0
    in_series = True

    def __init__(self, nvml: Any, first_index: int = 0) -> None:
        self.nvml = nvml
        nvml.nvmlInit()
        count = nvml.nvmlDeviceGetCount()
        self.handles = {first_index + i: nvml.nvmlDeviceGetHandleByIndex(i) for i in range(count)}
        self.is_ollama: Callable[[int], bool] = is_ollama
        self._ollamas: dict[int, bool] = {}  # process id → whether it is Ollama's
        self._averages: dict[int, bool] = {}  # whether nvmlDeviceGetPowerUsage is a mean
        self._never: dict[str, str] = {}  # what this hardware does not report, with the reason

    def gpus(self) -> list[Gpu]:
        driver = self._ask(self.nvml.nvmlSystemGetDriverVersion)
        return [self._describe(index, handle, _text(driver)) for index, handle in self.handles.items()]

    def _describe(self, index: int, handle: Any, driver: Optional[str]) -> Gpu:
        memory = self._ask(self.nvml.nvmlDeviceGetMemoryInfo, handle)
        # The limit that was set, not the enforced one, which some laptops move about all the time.
        limit_mw = self._ask(self.nvml.nvmlDeviceGetPowerManagementLimit, handle)
        return Gpu(
            index=index,
            name=_text(self._ask(self.nvml.nvmlDeviceGetName, handle)) or "NVIDIA GPU",
            vendor="nvidia",
            memory_total_bytes=None if memory is None else int(memory.total),
            driver_version=driver,
            power_limit_w=None if limit_mw is None else limit_mw / 1000,
        )

    def _ask(self, query: Callable[..., Any], *args: Any) -> Any:
        try:
            return query(*args)
        except self.nvml.NVMLError:
            return None

    def read(self) -> Reading:
        reading = Reading({}, {}, {})
        for index, handle in self.handles.items():
            self._read_gpu(index, handle, reading)
        return reading

    def _read_gpu(self, index: int, handle: Any, reading: Reading) -> None:
        nvml = self.nvml
        memory = self._query(index, reading, "memory_used_bytes", lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
        if memory is not None:
            reading.values[f"gpu_{index}_memory_used_bytes"] = float(memory.used)
            reading.values[f"gpu_{index}_memory_total_bytes"] = float(memory.total)
        simple: dict[str, Callable[[], float]] = {
            "utilisation_percent": lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu,
            "temperature_c": lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU),
            "sm_clock_mhz": lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM),
            "memory_clock_mhz": lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM),
            "power_limit_w": lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000,
            "energy_mj": lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle),
            "clocks_event_reasons_bits": lambda: _event_reasons(nvml, handle),
        }
        for field, query in simple.items():
            value = self._query(index, reading, field, query)
            if value is not None:
                reading.values[f"gpu_{index}_{field}"] = float(value)
        self._read_power(index, handle, reading)
        self._read_processes(index, handle, reading)
        bits = reading.values.get(f"gpu_{index}_clocks_event_reasons_bits")
        reading.throttle[index] = [] if bits is None else reason_names(int(bits))

    def _read_power(self, index: int, handle: Any, reading: Reading) -> None:
        """The power of the moment; where there is only a mean, that under its own name."""
        instant = instant_power_mw(self.nvml, handle)
        if instant is not None:
            reading.values[f"gpu_{index}_power_w"] = instant / 1000
            return
        used = self._query(index, reading, "power_w", lambda: self.nvml.nvmlDeviceGetPowerUsage(handle))
        if used is None:
            return
        if index not in self._averages:
            self._averages[index] = averages_power(self.nvml, handle)
        if self._averages[index]:
            reading.missing[f"gpu_{index}_power_w"] = ONLY_AVERAGE
            reading.values[f"gpu_{index}_power_average_w"] = used / 1000
        else:
            reading.values[f"gpu_{index}_power_w"] = used / 1000

    def _read_processes(self, index: int, handle: Any, reading: Reading) -> None:
        """Memory of Ollama's processes, and of all others, on one GPU."""
        fields = ("ollama_memory_bytes", "other_memory_bytes")
        asked = self._query(index, reading, "processes", lambda: processes_on(self.nvml, handle))
        used = asked or []
        if asked is None or any(size is None for _, size in used):
            reason = reading.missing.pop(f"gpu_{index}_processes", NO_MEMORY_PER_PROCESS)
            reading.missing.update({f"gpu_{index}_{field}": reason for field in fields})
            return
        self._ollamas = {pid: self._ollamas.get(pid, self.is_ollama(pid)) for pid, _ in used}
        for field, ours in zip(fields, (True, False)):
            sizes = (size or 0 for pid, size in used if self._ollamas[pid] is ours)
            reading.values[f"gpu_{index}_{field}"] = float(sum(sizes))

    def _query(self, index: int, reading: Reading, field: str, query: Callable[[], Any]) -> Any:
        name = f"gpu_{index}_{field}"
        if name in self._never:
            reading.missing[name] = self._never[name]
            return None
        try:
            return query()
        except self.nvml.NVMLError as error:
            reading.missing[name] = reason = why(self.nvml, error)
            if isinstance(error, (self.nvml.NVMLError_NotSupported, self.nvml.NVMLError_FunctionNotFound)):
                self._never[name] = reason
            return None


def processes_on(nvml: Any, handle: Any) -> list[tuple[int, Optional[int]]]:
    """(process id, bytes of GPU memory) of what computes or draws on a GPU; None bytes where the driver does not tell.

    Ollama's Vulkan runner counts as drawing. A process in both lists has the same bytes in both.
    """
    computing = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
    drawing = nvml.nvmlDeviceGetGraphicsRunningProcesses(handle)
    return list({one.pid: (one.pid, one.usedGpuMemory) for one in [*drawing, *computing]}.values())


def is_ollama(pid: int) -> bool:
    """Whether a process is Ollama's server or one of its runners, by its name."""
    try:
        return psutil.Process(pid).name().lower().startswith(OLLAMA_NAMES)
    except psutil.Error:
        return False


def reason_names(bits: int) -> list[str]:
    """What holds the GPU's clocks back, by name, from nvmlClocksEventReasons."""
    return [name for bit, name in EVENT_REASONS.items() if bits & bit & ~_HARMLESS]


def why(nvml: Any, error: Exception) -> str:
    """NVML's error as a sentence that does not change from one reading to the next."""
    if isinstance(error, nvml.NVMLError_LibraryNotFound):
        return "No NVIDIA driver is installed (its library NVML was not found)."
    if isinstance(error, nvml.NVMLError_NotSupported):
        return "This GPU does not report it."
    return f"NVML answered: {error}."


def _event_reasons(nvml: Any, handle: Any) -> int:
    query = getattr(nvml, "nvmlDeviceGetCurrentClocksEventReasons", None)
    return int((query or nvml.nvmlDeviceGetCurrentClocksThrottleReasons)(handle))


def instant_power_mw(nvml: Any, handle: Any) -> Optional[float]:
    """The power of the moment in milliwatts; None where the driver has no field for it."""
    field = getattr(nvml, "NVML_FI_DEV_POWER_INSTANT", None)
    if field is None:
        return None
    try:
        (answer,) = nvml.nvmlDeviceGetFieldValues(handle, [field])
    except nvml.NVMLError:
        return None
    told = answer.nvmlReturn == nvml.NVML_SUCCESS and answer.value.uiVal > 0
    return float(answer.value.uiVal) if told else None


def averages_power(nvml: Any, handle: Any) -> bool:
    """Whether nvmlDeviceGetPowerUsage is a one-second mean; so it is taken for one where the GPU's age is not told."""
    try:
        return int(nvml.nvmlDeviceGetArchitecture(handle)) >= AVERAGES_SINCE_ARCHITECTURE
    except nvml.NVMLError:
        return True


def _text(value: Any) -> Optional[str]:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
