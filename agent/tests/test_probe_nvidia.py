"""The probe of NVIDIA's GPUs on recorded answers of NVML."""

from __future__ import annotations

import psutil
import pynvml
import pytest

from agent.obt_agent.probes import ONLY_AVERAGE, Reading, host_reading
from agent.obt_agent.probes.nvidia import NvidiaProbe, is_ollama, reason_names, why

from .recordings import RecordedNvml


def test_it_describes_an_nvidia_gpu() -> None:
    (gpu,) = NvidiaProbe(RecordedNvml("rtx4090")).gpus()
    assert gpu.name == "NVIDIA GeForce RTX 4090"
    assert gpu.driver_version == "550.107.02"
    assert gpu.memory_total_bytes == 25757220864
    assert gpu.power_limit_w == 450.0


def test_it_reads_an_nvidia_gpu_with_instant_power() -> None:
    probe = NvidiaProbe(RecordedNvml("rtx4090"))
    probe.is_ollama = lambda pid: pid == 4211
    reading = probe.read()
    assert reading.values == {
        "gpu_0_memory_used_bytes": 6442450944.0,
        "gpu_0_memory_total_bytes": 25757220864.0,
        "gpu_0_utilisation_percent": 96.0,
        "gpu_0_temperature_c": 64.0,
        "gpu_0_power_w": 331.42,
        "gpu_0_sm_clock_mhz": 2745.0,
        "gpu_0_memory_clock_mhz": 10501.0,
        "gpu_0_power_limit_w": 450.0,
        "gpu_0_energy_mj": 8123456789.0,
        "gpu_0_ollama_memory_bytes": 5368709120.0,
        "gpu_0_other_memory_bytes": 419430400.0,
        "gpu_0_clocks_event_reasons_bits": 4.0,
    }
    assert reading.throttle == {0: ["sw_power_cap"]}
    assert reading.missing == {}


def test_what_an_old_gpu_does_not_report_is_missing_with_a_reason_and_never_zero() -> None:
    nvml = RecordedNvml("gtx1060-laptop")
    probe = NvidiaProbe(nvml)
    reading = probe.read()
    assert "gpu_0_power_w" not in reading.values
    assert reading.missing["gpu_0_power_w"] == "This GPU does not report it."
    assert reading.missing["gpu_0_energy_mj"] == "This GPU does not report it."
    assert reading.values["gpu_0_utilisation_percent"] == 0.0  # read, and truly 0
    assert reading.throttle == {0: []}
    assert probe.gpus()[0].power_limit_w is None
    nvml.asked.clear()
    assert probe.read().missing == reading.missing
    assert "nvmlDeviceGetTotalEnergyConsumption" not in nvml.asked  # not asked again for ever


def test_memory_per_process_that_the_driver_does_not_tell_is_missing_with_the_reason() -> None:
    reading = NvidiaProbe(RecordedNvml("gtx1060-laptop")).read()
    assert "gpu_0_ollama_memory_bytes" not in reading.values
    assert "memory per process" in reading.missing["gpu_0_ollama_memory_bytes"]
    assert "gpu_0_processes" not in reading.missing


def test_a_gpu_on_which_nothing_computes_holds_none_of_ollamas_memory() -> None:
    nvml = RecordedNvml("rtx4090")
    nvml.answers["devices"][0]["nvmlDeviceGetComputeRunningProcesses"] = []
    assert NvidiaProbe(nvml).read().values["gpu_0_ollama_memory_bytes"] == 0.0


def test_a_runner_that_draws_and_computes_is_counted_once_and_one_that_only_draws_is_counted_too() -> None:
    nvml = RecordedNvml("rtx4090")
    device = nvml.answers["devices"][0]
    device["nvmlDeviceGetGraphicsRunningProcesses"] = device["nvmlDeviceGetComputeRunningProcesses"]
    probe = NvidiaProbe(nvml)
    probe.is_ollama = lambda pid: pid == 4211
    assert probe.read().values["gpu_0_ollama_memory_bytes"] == 5368709120.0
    device["nvmlDeviceGetComputeRunningProcesses"] = []
    assert probe.read().values["gpu_0_ollama_memory_bytes"] == 5368709120.0


def test_a_process_is_told_by_its_name_and_one_that_ended_is_nobodys() -> None:
    assert not is_ollama(psutil.Process().pid)
    assert not is_ollama(2**30)


def test_an_error_that_may_pass_is_asked_again() -> None:
    nvml = RecordedNvml("rtx4090")
    probe = NvidiaProbe(nvml)
    nvml.answers["devices"][0]["nvmlDeviceGetTemperature"] = "NVML_ERROR_GPU_IS_LOST"
    assert "NVML answered" in probe.read().missing["gpu_0_temperature_c"]
    nvml.answers["devices"][0]["nvmlDeviceGetTemperature"] = 50
    assert probe.read().values["gpu_0_temperature_c"] == 50.0


def without_instant_power(architecture: int | str) -> Reading:
    nvml = RecordedNvml("rtx4090")
    nvml.answers["devices"][0]["nvmlDeviceGetFieldValues"] = {"nvmlReturn": 3, "uiVal": 0}
    nvml.answers["devices"][0]["nvmlDeviceGetArchitecture"] = architecture
    return NvidiaProbe(nvml).read()


@pytest.mark.parametrize("architecture", [7, 8, 9, "NVML_ERROR_FUNCTION_NOT_FOUND"])
def test_a_mean_is_called_one_and_is_not_the_power_of_the_moment(architecture: int | str) -> None:
    reading = without_instant_power(architecture)
    assert reading.values["gpu_0_power_average_w"] == 301.0
    assert "gpu_0_power_w" not in reading.values
    assert reading.missing["gpu_0_power_w"] == ONLY_AVERAGE
    assert host_reading(reading).gpus[0].power_w == 301.0  # to show now, a mean is good enough


def test_before_ampere_the_one_power_there_is_is_that_of_the_moment() -> None:
    reading = without_instant_power(pynvml.NVML_DEVICE_ARCH_TURING)
    assert reading.values["gpu_0_power_w"] == 301.0
    assert "gpu_0_power_average_w" not in reading.values


def test_an_older_drivers_name_for_the_reasons_works_too() -> None:
    nvml = RecordedNvml("rtx4090")
    device = nvml.answers["devices"][0]
    device["nvmlDeviceGetCurrentClocksThrottleReasons"] = device.pop("nvmlDeviceGetCurrentClocksEventReasons")
    assert NvidiaProbe(nvml).read().throttle == {0: ["sw_power_cap"]}


@pytest.mark.parametrize(
    ("bits", "names"),
    [
        (0, []),
        (pynvml.nvmlClocksEventReasonGpuIdle, []),
        (pynvml.nvmlClocksThrottleReasonHwSlowdown, ["hw_slowdown"]),
        (
            pynvml.nvmlClocksThrottleReasonHwThermalSlowdown | pynvml.nvmlClocksThrottleReasonHwSlowdown,
            ["hw_slowdown", "hw_thermal_slowdown"],
        ),
        (pynvml.nvmlClocksThrottleReasonHwPowerBrakeSlowdown, ["hw_power_brake_slowdown"]),
        (pynvml.nvmlClocksEventReasonSwThermalSlowdown, ["sw_thermal_slowdown"]),
        (1 << 40, []),
    ],
)
def test_reasons_have_nvmls_names(bits: int, names: list[str]) -> None:
    assert reason_names(bits) == names


def test_no_driver_is_a_plain_sentence() -> None:
    error = pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
    assert why(pynvml, error) == "No NVIDIA driver is installed (its library NVML was not found)."
