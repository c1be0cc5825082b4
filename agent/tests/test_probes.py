"""The probes of AMD's and Apple's GPUs on recorded outputs, and all probes together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.obt_agent import wire
from agent.obt_agent.contract import HostReading
from agent.obt_agent.probes import Reading, host_reading, merge, unit_of
from agent.obt_agent.probes.amd import AmdProbe, pci_name
from agent.obt_agent.probes.apple import NO_POWER, parse_accelerators, parse_displays, read_statistics
from agent.obt_agent.probes.choose import choose
from agent.obt_agent.probes.nvidia import NvidiaProbe

from .recordings import RECORDED, RecordedNvml

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


# -- together ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("cpu_percent", "%"),
        ("gpu_0_power_w", "W"),
        ("gpu_0_temperature_c", "°C"),
        ("gpu_1_energy_mj", "mJ"),
        ("ollama_cpu_s", "s"),
        ("disk_read_bytes_per_s", "B/s"),
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
