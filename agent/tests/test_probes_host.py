"""The probes of CPU, memory and disks: on recorded files, and on the machine the tests run on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil

from agent.obt_agent.probes import Reading, merge
from agent.obt_agent.probes.cpu import CpuProbe
from agent.obt_agent.probes.host import DiskProbe, DiskTrafficProbe, HostProbe, busy_percent, cores_busy


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


def test_the_busiest_core_is_beside_the_mean_of_all() -> None:
    before = [times(), times()]
    after = [times(user=10), times(user=2, idle=8)]
    assert cores_busy(before, after) == [100.0, 20.0]
    assert cores_busy(None, after) == []


def test_one_busy_core_shows_although_the_mean_is_low() -> None:
    probe = HostProbe()
    assert "cpu_busiest_core_percent" in probe.read().missing
    before = psutil.cpu_times()
    while psutil.cpu_times().user - before.user < 0.3:
        pass
    values = probe.read().values
    assert values["cpu_busiest_core_percent"] >= values["cpu_percent"]
    assert values["cpu_busiest_core_percent"] > 50


def test_the_disks_traffic_is_per_second_and_none_at_first(tmp_path: Path) -> None:
    probe = DiskTrafficProbe()
    assert probe.read().values == {}
    reading = probe.read()
    assert all(value >= 0 for value in reading.values.values())
    assert set(reading.values) | set(reading.missing) == {"disk_read_bytes_per_s", "disk_written_bytes_per_s"}


def cpu_files(root: Path, **changes: str) -> Path:
    """The files of a laptop with two cores of one package."""
    files = {
        "devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "2400000",
        "devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "3600000",
        "devices/system/cpu/cpu0/topology/physical_package_id": "0",
        "devices/system/cpu/cpu1/topology/physical_package_id": "0",
        "devices/system/cpu/cpu0/thermal_throttle/package_throttle_count": "7",
        "devices/system/cpu/cpu1/thermal_throttle/package_throttle_count": "7",
        "class/hwmon/hwmon0/name": "nvme",
        "class/hwmon/hwmon0/temp1_input": "33000",
        "class/hwmon/hwmon1/name": "coretemp",
        "class/hwmon/hwmon1/temp1_input": "71000",
        **changes,
    }
    for path, content in files.items():
        (root / "sys" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "sys" / path).write_text(content + "\n")
    return root


def test_it_reads_the_cpus_frequency_and_its_own_sensors_temperature(tmp_path: Path) -> None:
    reading = CpuProbe(cpu_files(tmp_path)).read()
    assert reading.values == {"cpu_frequency_mhz": 3000.0, "cpu_temperature_c": 71.0, "cpu_throttle_count": 7.0}
    assert reading.throttles() == []  # how often before is not now


def test_a_throttle_counter_that_grew_is_a_throttle_now_and_only_once(tmp_path: Path) -> None:
    probe = CpuProbe(cpu_files(tmp_path))
    probe.read()
    (tmp_path / "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count").write_text("9\n")
    assert probe.read().throttles() == ["cpu.thermal"]
    assert probe.read().throttles() == []


def test_without_a_sensor_of_the_cpu_its_thermal_zone_is_read(tmp_path: Path) -> None:
    root = cpu_files(tmp_path, **{"class/hwmon/hwmon1/name": "iwlwifi"})
    zone = root / "sys/class/thermal/thermal_zone3"
    zone.mkdir(parents=True)
    (zone / "type").write_text("x86_pkg_temp\n")
    (zone / "temp").write_text("64000\n")
    assert CpuProbe(root).read().values["cpu_temperature_c"] == 64.0


def test_what_a_virtual_machine_hides_of_its_cpu_has_reasons(tmp_path: Path) -> None:
    reading = CpuProbe(tmp_path).read()
    assert reading.values == {}
    assert set(reading.missing) == {"cpu_frequency_mhz", "cpu_temperature_c", "cpu_throttle_count"}


def test_what_holds_back_each_part_is_named_by_the_part() -> None:
    one = Reading({}, {}, {0: ["hw_slowdown"], 1: []})
    other = Reading({}, {}, {}, ("thermal",))
    assert merge([one, other]).throttles() == ["gpu_0.hw_slowdown", "cpu.thermal"]
