"""The probe of AMD's GPUs on files in the kernel's formats, and AMD's own library beside it."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.obt_agent.probes import ONLY_AVERAGE, OWN_USER_ONLY
from agent.obt_agent.probes.amd import NO_ENERGY, NOT_THERE, AmdProbe
from agent.obt_agent.probes.amd_metrics import parse, throttle_names
from agent.obt_agent.probes.amd_smi import AmdSmi, start
from agent.obt_agent.probes.sysfs import pci_name
from agent.obt_agent.validity_around import THROTTLE_REASONS

from .cards import sysfs
from .recordings import RECORDED


def test_it_describes_and_reads_an_amd_card(tmp_path: Path) -> None:
    probe = AmdProbe(sysfs(tmp_path, "amdgpu/rx7900xtx"))
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
        "gpu_0_power_average_w": 287.0,
        "gpu_0_power_limit_w": 303.0,
        "gpu_0_sm_clock_mhz": 2482.0,
        "gpu_0_memory_clock_mhz": 1249.0,
    }
    assert reading.missing == {
        "gpu_0_energy_mj": NO_ENERGY,
        "gpu_0_power_w": ONLY_AVERAGE,
        "gpu_0_ollama_memory_bytes": OWN_USER_ONLY,
    }
    assert reading.throttle == {0: []}


def test_what_an_apu_lacks_has_a_reason_and_its_power_is_that_of_the_moment(tmp_path: Path) -> None:
    probe = AmdProbe(sysfs(tmp_path, "amdgpu/rx7900xtx", "amdgpu/apu"), first_index=2)
    reading = probe.read()
    assert [gpu.index for gpu in probe.gpus()] == [2, 3]
    assert probe.gpus()[1].name == "AMD GPU 0x15bf"
    assert probe.gpus()[1].power_limit_w is None
    assert reading.values["gpu_3_power_w"] == pytest.approx(9.18)
    assert "gpu_3_power_average_w" not in reading.values
    missing = {name for name, reason in reading.missing.items() if reason == NOT_THERE}
    assert missing == {
        "gpu_3_sm_clock_mhz", "gpu_3_memory_clock_mhz", "gpu_3_power_limit_w", "gpu_3_throttle",
    }  # fmt: skip


def test_an_instincts_energy_counter_and_its_heat_are_read_from_the_table_of_metrics(tmp_path: Path) -> None:
    reading = AmdProbe(sysfs(tmp_path, "amdgpu/mi210")).read()
    assert reading.values["gpu_0_energy_mj"] == pytest.approx(5000 * 1000)
    assert reading.throttle == {0: ["power_cap", "thermal"]}
    assert "gpu_0_energy_mj" not in reading.missing


@pytest.mark.parametrize(
    ("bits", "name"),
    [
        ((0, 7), "power_cap"),
        ((16, 23), "current_cap"),
        ((32, 45), "thermal"),
        ((46, 47), "hw_slowdown"),
        ((8, 31, 48, 56), None),
    ],
)
def test_what_holds_the_clocks_back_is_named_by_its_group(bits: tuple[int, ...], name: str | None) -> None:
    for bit in bits:
        assert throttle_names(1 << bit) == ([name] if name else [])


def test_heat_is_a_reason_to_flag_and_a_power_limit_is_not() -> None:
    assert {"thermal", "hw_slowdown"} <= THROTTLE_REASONS
    assert not {"power_cap", "current_cap"} & THROTTLE_REASONS


def test_a_table_of_another_version_or_cut_off_says_nothing() -> None:
    files = json.loads((RECORDED / "amdgpu/mi210.json").read_text())
    table = base64.b64decode(files["gpu_metrics"]["base64"])
    assert parse(table) is not None
    other = struct.pack("<HBB", 120, 1, 4) + table[4:]
    assert [parse(one) for one in (other, table[:100], b"", table[:3])] == [None] * 4


@pytest.mark.parametrize("content", ["", "N/A\n", "\x00"])
def test_a_file_without_a_number_is_missing_not_zero(tmp_path: Path, content: str) -> None:
    root = sysfs(tmp_path, "amdgpu/rx7900xtx")
    (root / "sys/class/drm/card0/device/gpu_busy_percent").write_text(content)
    reading = AmdProbe(root).read()
    assert "gpu_0_utilisation_percent" not in reading.values
    assert reading.missing["gpu_0_utilisation_percent"] == "gpu_busy_percent could not be read."


def test_cards_of_others_are_not_amds(tmp_path: Path) -> None:
    root = sysfs(tmp_path, "amdgpu/rx7900xtx")
    (root / "sys/class/drm/card0/device/vendor").write_text("0x10de\n")
    assert AmdProbe(root).cards == {}
    assert AmdProbe(tmp_path / "nothing").cards == {}


def test_a_pci_name_is_looked_up_below_its_own_vendor() -> None:
    text = (RECORDED / "pci.ids").read_text()
    assert pci_name(text, "0x1002", "0x73bf") == "Navi 21 [Radeon RX 6800/6800 XT / 6900 XT]"
    assert pci_name(text, "0x1002", "0x2204") is None
    assert pci_name(text, "0x1002", "") is None


# -- AMD's own library ---------------------------------------------------------------------------------------------


class SmiError(Exception):
    """As amdsmi.AmdSmiException."""


def amdsmi(answer: dict[str, Any] | Exception) -> Any:
    """The functions of amdsmi that are used, with one card, answering as its documentation says."""

    def energy(handle: str) -> dict[str, Any]:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return SimpleNamespace(
        AmdSmiException=SmiError,
        amdsmi_init=lambda: None,
        amdsmi_get_processor_handles=lambda: ["handle"],
        amdsmi_get_gpu_device_bdf=lambda handle: "0000:03:00.0",
        amdsmi_get_energy_count=energy,
    )


@pytest.mark.parametrize("key", ["energy_accumulator", "power"])  # its name now, and in the first releases
def test_amds_library_counts_energy_where_sysfs_does_not(tmp_path: Path, key: str) -> None:
    counted = {key: 1_000_000, "counter_resolution": 15.3, "timestamp": 1}
    probe = AmdProbe(sysfs(tmp_path, "amdgpu/rx7900xtx"), smi=AmdSmi(amdsmi(counted)))
    assert probe.read().values["gpu_0_energy_mj"] == pytest.approx(15_300)


@pytest.mark.parametrize(
    "answer", [SmiError("not supported"), {"energy_accumulator": "N/A", "counter_resolution": "N/A"}, {}]
)
def test_what_amds_library_does_not_tell_is_missing_with_the_reason(tmp_path: Path, answer: Any) -> None:
    probe = AmdProbe(sysfs(tmp_path, "amdgpu/rx7900xtx"), smi=AmdSmi(amdsmi(answer)))
    assert probe.read().missing["gpu_0_energy_mj"] == NO_ENERGY


def test_a_card_that_amds_library_does_not_list_is_not_mixed_up_with_another(tmp_path: Path) -> None:
    smi = AmdSmi(amdsmi({"energy_accumulator": 1, "counter_resolution": 1.0}))
    assert smi.energy_mj("0000:03:00.0") == 0.001
    assert smi.energy_mj("0000:c1:00.0") is None
    assert smi.energy_mj(None) is None


def test_without_amds_library_the_agent_works() -> None:
    assert start() is None or isinstance(start(), AmdSmi)
