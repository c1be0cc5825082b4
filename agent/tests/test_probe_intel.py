"""The probe of Intel's GPUs on files in the formats of the drivers i915 and xe."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.obt_agent.probes import ONLY_AVERAGE, host_reading
from agent.obt_agent.probes.choose import choose
from agent.obt_agent.probes.intel import FIRST_READING, NO_UTILISATION, NOT_THERE, IntelProbe

from .cards import sysfs


class Clock:
    """Seconds, by hand."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_it_describes_and_reads_a_card_of_i915(tmp_path: Path) -> None:
    probe = IntelProbe(sysfs(tmp_path, "intelgpu/arc-a770-i915"))
    (gpu,) = probe.gpus()
    assert (gpu.name, gpu.vendor) == ("Intel DG2 [Arc A770]", "intel")
    assert gpu.driver_version == "i915 of Linux 6.12.9-arch1"
    assert (gpu.memory_total_bytes, gpu.power_limit_w) == (None, 190.0)
    reading = probe.read()
    assert reading.values == {
        "gpu_0_sm_clock_mhz": 2400.0,
        "gpu_0_temperature_c": 66.0,
        "gpu_0_energy_mj": 48_000_000.0,
        "gpu_0_power_limit_w": 190.0,
    }
    assert reading.throttle == {0: ["power_cap"]}


def test_it_describes_and_reads_a_card_of_xe(tmp_path: Path) -> None:
    probe = IntelProbe(sysfs(tmp_path, "intelgpu/arc-b580-xe"))
    (gpu,) = probe.gpus()
    assert gpu.driver_version == "xe of Linux 6.12.9-arch1"
    assert gpu.memory_total_bytes == 12884901888
    reading = probe.read()
    assert reading.values["gpu_0_energy_mj"] == 7_200_000.0  # the card's, not its package's
    assert reading.values["gpu_0_sm_clock_mhz"] == 2850.0
    assert reading.values["gpu_0_temperature_c"] == 59.0
    assert reading.throttle == {0: ["hw_slowdown", "thermal"]}


def test_a_graphics_unit_inside_the_cpu_has_a_clock_and_reasons_for_the_rest(tmp_path: Path) -> None:
    reading = IntelProbe(sysfs(tmp_path, "intelgpu/uhd-i915")).read()
    assert reading.values == {"gpu_0_sm_clock_mhz": 0.0}  # read: it sleeps
    assert reading.missing["gpu_0_utilisation_percent"] == NO_UTILISATION
    assert {name for name, why in reading.missing.items() if why == NOT_THERE} == {
        "gpu_0_temperature_c", "gpu_0_energy_mj", "gpu_0_power_limit_w", "gpu_0_power_w", "gpu_0_memory_total_bytes",
        "gpu_0_throttle",
    }  # fmt: skip


def test_power_is_the_counters_growth_between_two_readings_and_called_a_mean(tmp_path: Path) -> None:
    root, clock = sysfs(tmp_path, "intelgpu/arc-a770-i915"), Clock()
    probe = IntelProbe(root, clock=clock)
    assert probe.read().missing["gpu_0_power_average_w"] == FIRST_READING
    counter = root / "sys/class/drm/card0/device/hwmon/hwmon4/energy1_input"
    counter.write_text("48030000000\n")  # 30 J more
    clock.now_s += 0.2
    reading = probe.read()
    assert reading.values["gpu_0_power_average_w"] == pytest.approx(150.0)
    assert reading.missing["gpu_0_power_w"] == ONLY_AVERAGE
    assert host_reading(reading).gpus[0].power_w == pytest.approx(150.0)


def test_a_counter_that_began_anew_is_no_power(tmp_path: Path) -> None:
    root, clock = sysfs(tmp_path, "intelgpu/arc-a770-i915"), Clock()
    probe = IntelProbe(root, clock=clock)
    probe.read()
    (root / "sys/class/drm/card0/device/hwmon/hwmon4/energy1_input").write_text("5\n")
    clock.now_s += 0.2
    assert "gpu_0_power_average_w" not in probe.read().values


def test_a_power_limit_of_0_is_none(tmp_path: Path) -> None:
    probe = IntelProbe(sysfs(tmp_path, "intelgpu/arc-b580-xe"))  # power1_max is 0: switched off
    assert probe.gpus()[0].power_limit_w == 190.0
    assert probe.read().values["gpu_0_power_limit_w"] == 190.0


def test_amds_and_intels_cards_have_indexes_of_their_own(tmp_path: Path) -> None:
    root = sysfs(tmp_path, "intelgpu/uhd-i915", "amdgpu/rx7900xtx")
    machine = choose(tmp_path, root)
    ours = [gpu for gpu in machine.gpus() if gpu.vendor in ("amd", "intel")]
    assert [gpu.vendor for gpu in ours] == ["amd", "intel"]
    assert ours[1].index == ours[0].index + 1
