"""Each vendor's probe on recorded outputs, and the probes of the machine the tests run on."""

from __future__ import annotations

import ctypes
import json
from pathlib import Path
from typing import Any

import psutil
import pynvml
import pytest

from agent.obt_agent import wire
from agent.obt_agent.contract import HostReading
from agent.obt_agent.probes import Reading, host_reading, merge, unit_of
from agent.obt_agent.probes.amd import AmdProbe, pci_name
from agent.obt_agent.probes.apple import NO_POWER, parse_accelerators, parse_displays, read_statistics
from agent.obt_agent.probes.choose import choose
from agent.obt_agent.probes.host import DiskProbe, HostProbe, busy_percent
from agent.obt_agent.probes.nvidia import NvidiaProbe, reason_names, why

RECORDED = Path(__file__).parent / "recorded"
GB = 10**9


# -- NVIDIA ------------------------------------------------------------------------------------------------------


class RecordedNvml:
    """pynvml's own constants, errors and structures; its functions answer from a recording."""

    def __init__(self, name: str) -> None:
        self.answers = json.loads((RECORDED / "nvml" / f"{name}.json").read_text())
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if not (name.startswith(("nvmlDevice", "nvmlSystem")) or name == "nvmlInit"):
            return getattr(pynvml, name)
        if name == "nvmlDeviceGetCurrentClocksEventReasons" and name not in self.answers["devices"][0]:
            raise AttributeError(name)
        return lambda *args: self._answer(name, *args)

    def _answer(self, name: str, *args: Any) -> Any:
        self.asked.append(name)
        if name == "nvmlInit":
            return None
        if name == "nvmlDeviceGetCount":
            return len(self.answers["devices"])
        if name == "nvmlDeviceGetHandleByIndex":
            return args[0]
        answer = self.answers[name] if name.startswith("nvmlSystem") else self.answers["devices"][args[0]][name]
        if isinstance(answer, str) and answer.startswith("NVML_ERROR"):
            raise pynvml.NVMLError(getattr(pynvml, answer))
        return self._structure(name, answer)

    def _structure(self, name: str, answer: Any) -> Any:
        if name == "nvmlDeviceGetMemoryInfo":
            return pynvml.c_nvmlMemory_t(**answer)
        if name == "nvmlDeviceGetUtilizationRates":
            return pynvml.c_nvmlUtilization_t(**answer)
        if name == "nvmlDeviceGetFieldValues":
            field = pynvml.c_nvmlFieldValue_t(nvmlReturn=answer["nvmlReturn"])
            field.value.uiVal = ctypes.c_uint(answer["uiVal"])
            return [field]
        return answer


def test_it_describes_an_nvidia_gpu() -> None:
    (gpu,) = NvidiaProbe(RecordedNvml("rtx4090")).gpus()
    assert gpu.name == "NVIDIA GeForce RTX 4090"
    assert gpu.driver_version == "550.107.02"
    assert gpu.memory_total_bytes == 25757220864
    assert gpu.power_limit_w == 450.0


def test_it_reads_an_nvidia_gpu_with_instant_power() -> None:
    reading = NvidiaProbe(RecordedNvml("rtx4090")).read()
    assert reading.values == {
        "gpu_0_memory_used_bytes": 6442450944.0,
        "gpu_0_memory_total_bytes": 25757220864.0,
        "gpu_0_utilisation_percent": 96.0,
        "gpu_0_temperature_c": 64.0,
        "gpu_0_power_w": 331.42,
        "gpu_0_sm_clock_mhz": 2745.0,
        "gpu_0_energy_mj": 8123456789.0,
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


def test_an_error_that_may_pass_is_asked_again() -> None:
    nvml = RecordedNvml("rtx4090")
    probe = NvidiaProbe(nvml)
    nvml.answers["devices"][0]["nvmlDeviceGetTemperature"] = "NVML_ERROR_GPU_IS_LOST"
    assert "NVML answered" in probe.read().missing["gpu_0_temperature_c"]
    nvml.answers["devices"][0]["nvmlDeviceGetTemperature"] = 50
    assert probe.read().values["gpu_0_temperature_c"] == 50.0


def test_power_falls_back_to_the_average_where_there_is_no_instant_field() -> None:
    nvml = RecordedNvml("rtx4090")
    nvml.answers["devices"][0]["nvmlDeviceGetFieldValues"] = {"nvmlReturn": 3, "uiVal": 0}
    assert NvidiaProbe(nvml).read().values["gpu_0_power_w"] == 301.0


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


# -- AMD ---------------------------------------------------------------------------------------------------------


def sysfs(root: Path, *cards: str) -> Path:
    """A file system with these recorded cards, among other things that are called card."""
    drm = root / "sys/class/drm"
    for number, card in enumerate(cards):
        for path, content in json.loads((RECORDED / "amdgpu" / f"{card}.json").read_text()).items():
            file = drm / f"card{number}/device" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        (drm / f"card{number}-DP-1").mkdir()
    (root / "usr/share/misc").mkdir(parents=True)
    (root / "usr/share/misc/pci.ids").write_text((RECORDED / "pci.ids").read_text())
    (root / "sys/module/amdgpu").mkdir(parents=True)
    (root / "sys/module/amdgpu/version").write_text("6.7.8\n")
    return root


def test_it_describes_and_reads_an_amd_card(tmp_path: Path) -> None:
    probe = AmdProbe(sysfs(tmp_path, "rx7900xtx"))
    (gpu,) = probe.gpus()
    assert gpu.name == "AMD Navi 31 [Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M]"
    assert gpu.driver_version == "6.7.8"
    assert gpu.memory_total_bytes == 25753026560
    assert gpu.power_limit_w == 303.0
    reading = probe.read()
    assert reading.values == {
        "gpu_0_utilisation_percent": 37.0,
        "gpu_0_memory_used_bytes": 8589934592.0,
        "gpu_0_memory_total_bytes": 25753026560.0,
        "gpu_0_temperature_c": 61.0,
        "gpu_0_power_w": 287.0,
        "gpu_0_sm_clock_mhz": 2482.0,
    }
    assert reading.missing == {}


def test_what_an_apu_lacks_has_a_reason_and_the_newer_power_file_is_known(tmp_path: Path) -> None:
    probe = AmdProbe(sysfs(tmp_path, "rx7900xtx", "apu"), first_index=2)
    reading = probe.read()
    assert [gpu.index for gpu in probe.gpus()] == [2, 3]
    assert probe.gpus()[1].name == "AMD GPU 0x15bf"
    assert probe.gpus()[1].power_limit_w is None
    assert reading.values["gpu_3_power_w"] == pytest.approx(9.18)
    assert "gpu_3_sm_clock_mhz" not in reading.values
    assert reading.missing == {"gpu_3_sm_clock_mhz": "The amdgpu driver does not offer it for this GPU."}


@pytest.mark.parametrize("content", ["", "N/A\n", "\x00"])
def test_a_file_without_a_number_is_missing_not_zero(tmp_path: Path, content: str) -> None:
    root = sysfs(tmp_path, "rx7900xtx")
    (root / "sys/class/drm/card0/device/gpu_busy_percent").write_text(content)
    reading = AmdProbe(root).read()
    assert "gpu_0_utilisation_percent" not in reading.values
    assert reading.missing["gpu_0_utilisation_percent"] == "gpu_busy_percent could not be read."


def test_cards_of_others_are_not_amds(tmp_path: Path) -> None:
    root = sysfs(tmp_path, "rx7900xtx")
    (root / "sys/class/drm/card0/device/vendor").write_text("0x10de\n")
    assert AmdProbe(root).cards == {}
    assert AmdProbe(tmp_path / "nothing").cards == {}


def test_a_pci_name_is_looked_up_below_its_own_vendor() -> None:
    text = (RECORDED / "pci.ids").read_text()
    assert pci_name(text, "0x1002", "0x73bf") == "Navi 21 [Radeon RX 6800/6800 XT / 6900 XT]"
    assert pci_name(text, "0x1002", "0x2204") is None
    assert pci_name(text, "0x1002", "") is None


# -- Apple -------------------------------------------------------------------------------------------------------


def test_it_describes_apples_own_gpu_whose_memory_is_the_machines() -> None:
    (gpu,) = parse_displays((RECORDED / "displays-apple-silicon.json").read_text())
    assert (gpu.name, gpu.vendor, gpu.memory_total_bytes) == ("Apple M2 Pro", "apple", None)


def test_it_describes_both_gpus_of_an_intel_mac() -> None:
    gpus = parse_displays((RECORDED / "displays-intel-mac.json").read_text(), first_index=1)
    assert [(g.index, g.vendor, g.memory_total_bytes) for g in gpus] == [(1, "intel", None), (2, "amd", 4 * 1024**3)]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"SPDisplaysDataType": ["x", {}]}'])
def test_output_it_does_not_understand_is_no_gpu(text: str) -> None:
    assert parse_displays(text) == []


def test_it_reads_how_busy_apples_gpu_is_and_says_that_power_needs_root() -> None:
    reading = read_statistics(parse_accelerators((RECORDED / "ioaccelerator.txt").read_text()), [0])
    assert reading.values == {"gpu_0_utilisation_percent": 31.0, "gpu_0_memory_used_bytes": 1043251200.0}
    assert reading.missing["gpu_0_power_w"] == NO_POWER


def test_without_statistics_the_reason_is_there() -> None:
    reading = read_statistics(parse_accelerators(""), [0])
    assert reading.values == {}
    assert "gpu_0_utilisation_percent" in reading.missing


# -- the host ----------------------------------------------------------------------------------------------------


def times(**values: float) -> Any:
    fields = {"user": 0.0, "system": 0.0, "idle": 0.0, "iowait": 0.0, "guest": 0.0, **values}

    class Times(tuple):  # like psutil's: a tuple with names
        __slots__ = ()

    result = Times(fields.values())
    for name, value in fields.items():
        setattr(Times, name, value)
    return result


def test_busy_is_the_share_of_time_not_idle() -> None:
    assert busy_percent(times(), times(user=3, system=1, idle=5, iowait=1)) == 40.0


def test_guest_time_is_not_counted_twice() -> None:
    assert busy_percent(times(), times(user=5, guest=5, idle=5)) == 50.0


def test_the_first_reading_and_a_clock_that_stood_still_are_none() -> None:
    assert busy_percent(None, times(user=1)) is None
    assert busy_percent(times(user=1), times(user=1)) is None


def test_counters_that_went_backwards_stay_between_0_and_100() -> None:
    assert busy_percent(times(idle=5), times(idle=4, user=9)) == 100.0


def test_a_busy_cpu_is_seen() -> None:
    probe = HostProbe()
    assert "cpu_percent" in probe.read().missing
    before = psutil.cpu_times()
    while psutil.cpu_times().user - before.user < 0.3:
        pass
    reading = probe.read()
    assert reading.values["cpu_percent"] > 100 / psutil.cpu_count() * 0.5
    assert 0 < reading.values["memory_used_bytes"] < reading.values["memory_total_bytes"]
    assert "cpu_percent" not in reading.missing


def test_free_disk_space_is_of_the_folder_and_a_missing_folder_is_a_reason(tmp_path: Path) -> None:
    assert DiskProbe(tmp_path).read().values["disk_free_bytes"] > 0
    assert "disk_free_bytes" in DiskProbe(tmp_path / "gone").read().missing


# -- together ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("cpu_percent", "%"),
        ("gpu_0_power_w", "W"),
        ("gpu_0_temperature_c", "°C"),
        ("gpu_1_energy_mj", "mJ"),
        ("other", ""),
    ],
)
def test_a_name_ends_in_its_unit(name: str, unit: str) -> None:
    assert unit_of(name) == unit


def test_a_reading_becomes_the_wire_form_with_its_reasons() -> None:
    nvml = NvidiaProbe(RecordedNvml("gtx1060-laptop")).read()
    reading = host_reading(merge([Reading({"cpu_percent": 12.5}, {"swap_used_bytes": "why"}, {}), nvml]))
    assert reading.cpu_percent == 12.5
    assert reading.gpus[0].memory_used_bytes == 172490752
    assert reading.gpus[0].power_w is None
    assert set(reading.missing) >= {"swap_used_bytes", "gpu_0_power_w"}
    assert wire.decode(HostReading, wire.loads(wire.dumps(reading))) == reading


def test_a_gpu_that_can_be_read_not_at_all_is_still_listed() -> None:
    reading = host_reading(Reading({}, {"gpu_3_power_w": "why", "gpus": "x", "gpu_x_y": "z"}, {}))
    assert [gpu.index for gpu in reading.gpus] == [3]


def test_this_machines_probes_are_cheap_and_say_what_is_not_there(tmp_path: Path) -> None:
    machine = choose(tmp_path)
    reading = machine.read()
    assert reading.values["memory_total_bytes"] > 0
    if not any(gpu.vendor == "nvidia" for gpu in machine.gpus()):
        assert "NVIDIA" in machine.missing["nvidia"] or "NVML" in machine.missing["nvidia"]
