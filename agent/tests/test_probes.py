"""The probe of Apple's GPUs on recorded outputs, and all probes together."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.obt_agent import wire
from agent.obt_agent.contract import HostReading
from agent.obt_agent.probes import Reading, host_reading, merge, unit_of
from agent.obt_agent.probes.apple import NO_POWER, parse_accelerators, parse_displays, read_statistics
from agent.obt_agent.probes.choose import choose
from agent.obt_agent.probes.nvidia import NvidiaProbe

from .recordings import RECORDED, RecordedNvml

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
