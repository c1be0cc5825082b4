"""A recording of this machine, and probes that read it in the machine's place."""

from __future__ import annotations

import json
from pathlib import Path

import pynvml
import pytest

from agent.obt_agent.cli import main
from agent.obt_agent.power import read_power
from agent.obt_agent.probes.amd import AmdProbe
from agent.obt_agent.probes.choose import choose
from agent.obt_agent.probes.cpu import CpuProbe
from agent.obt_agent.probes.intel import IntelProbe
from agent.obt_agent.probes.nvidia import NvidiaProbe
from agent.obt_agent.probes.record import record, record_commands, record_files, record_nvml, restore

from .cards import sysfs
from .recordings import RECORDED, RecordedNvml
from .test_power import adapter, battery, machine
from .test_probes_host import cpu_files


@pytest.mark.parametrize("name", ["rtx4090", "gtx1060-laptop"])
def test_what_nvml_answers_is_recorded_as_it_is_played_back(name: str) -> None:
    recorded = record_nvml(RecordedNvml(name))
    known = json.loads((RECORDED / "nvml" / f"{name}.json").read_text())
    assert recorded["nvmlSystemGetDriverVersion"] == known["nvmlSystemGetDriverVersion"]
    again = RecordedNvml(name)
    again.answers = json.loads(json.dumps(recorded))
    assert NvidiaProbe(again).read() == NvidiaProbe(RecordedNvml(name)).read()
    assert NvidiaProbe(again).gpus() == NvidiaProbe(RecordedNvml(name)).gpus()


def test_an_error_is_recorded_by_its_name() -> None:
    (device,) = record_nvml(RecordedNvml("gtx1060-laptop"))["devices"]
    assert device["nvmlDeviceGetTotalEnergyConsumption"] == "NVML_ERROR_NOT_SUPPORTED"


def test_without_a_driver_nothing_of_nvml_is_recorded() -> None:
    assert record_nvml(None) is None


def test_the_files_of_an_amd_machine_are_recorded_and_read_back_alike(tmp_path: Path) -> None:
    root = cpu_files(sysfs(tmp_path / "machine", "amdgpu/rx7900xtx", "amdgpu/apu"))
    recorded = json.loads(json.dumps({"files": record_files(root)}))
    copy = restore(recorded, tmp_path / "copy")
    assert AmdProbe(copy).read() == AmdProbe(root).read()
    assert AmdProbe(copy).gpus() == AmdProbe(root).gpus()
    assert CpuProbe(copy).read() == CpuProbe(root).read()
    assert CpuProbe(copy).read().values["cpu_temperature_c"] == 71.0


def test_the_files_of_intels_cards_are_recorded_and_read_back_alike(tmp_path: Path) -> None:
    root = sysfs(tmp_path / "machine", "intelgpu/arc-a770-i915", "intelgpu/uhd-i915", "intelgpu/arc-b580-xe")
    copy = restore(json.loads(json.dumps({"files": record_files(root)})), tmp_path / "copy")
    assert IntelProbe(copy).read() == IntelProbe(root).read()
    assert IntelProbe(copy).gpus() == IntelProbe(root).gpus()
    assert IntelProbe(copy).gpus()[0].name == "Intel DG2 [Arc A770]"


def test_amds_table_of_metrics_survives_as_bytes(tmp_path: Path) -> None:
    root = sysfs(tmp_path / "machine", "amdgpu/mi210")
    copy = restore(json.loads(json.dumps({"files": record_files(root)})), tmp_path / "copy")
    assert AmdProbe(copy).read().throttle == {0: ["power_cap", "thermal"]}
    assert AmdProbe(copy).read() == AmdProbe(root).read()


def test_power_source_and_governor_are_recorded_without_serial_numbers(tmp_path: Path) -> None:
    supplies = {"BAT0": {**battery("Discharging"), "serial_number": "SECRET"}, "AC": adapter("0")}
    root = machine(tmp_path / "machine", {0: "powersave"}, **supplies)
    files = record_files(root)
    assert "SECRET" not in json.dumps(files)
    power = read_power(restore({"files": files}, tmp_path / "copy"), "linux")
    assert (power.power_source, power.cpu_governor) == ("battery", "powersave")


def test_a_boards_serial_number_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(
        "model name\t: ARMv7\nSerial\t\t: 00000000abcdef01\nModel\t: Raspberry Pi 4\n"
    )
    assert record_files(tmp_path)["proc/cpuinfo"] == "model name\t: ARMv7\nModel\t: Raspberry Pi 4\n"


def test_each_systems_own_commands_are_recorded_where_they_are_the_only_way() -> None:
    assert list(record_commands("darwin")) == [
        "system_profiler SPDisplaysDataType -json",
        "ioreg -r -d 1 -w 0 -c IOAccelerator",
        "pmset -g",
    ]
    assert list(record_commands("win32")) == ["powercfg /getactivescheme"]
    assert record_commands("linux") == {}


def test_of_the_list_of_pci_names_only_the_own_cards_lines_are_kept(tmp_path: Path) -> None:
    files = record_files(sysfs(tmp_path, "amdgpu/rx7900xtx"))
    lines = files["usr/share/misc/pci.ids"].splitlines()
    assert [line for line in lines if "Navi 31" in line]
    assert len(lines) == 3  # and the two makers


def test_doctor_writes_a_recording_of_this_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "machine.json"
    assert main(["doctor", "--record", str(file), "--state-dir", str(tmp_path)]) == 0
    recorded = json.loads(file.read_text())
    assert recorded["format"] == 1
    assert recorded["reading"]["memory_total_bytes"] > 0
    assert set(recorded["power"]) == {"power_source", "cpu_governor", "missing"}
    assert not set(recorded["reading"]) & set(recorded["missing"])
    assert str(file) in capsys.readouterr().out


def test_a_file_that_cannot_be_written_is_a_problem_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--record", str(tmp_path / "none" / "x.json"), "--state-dir", str(tmp_path)]) == 1
    assert "could not be written" in capsys.readouterr().out


def test_a_machine_is_recorded_with_reasons_for_what_it_lacks(tmp_path: Path) -> None:
    recorded = record(choose(tmp_path, tmp_path), tmp_path, None)
    assert recorded["nvml"] is None
    assert "cpu_temperature_c" in recorded["missing"]
    assert pynvml.__name__ not in str(recorded["files"])
