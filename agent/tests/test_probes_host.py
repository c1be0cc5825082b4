"""The probes of CPU, memory and disks: on recorded files, and on the machine the tests run on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent.obt_agent.probes import Reading, merge
from agent.obt_agent.probes.cpu import CpuProbe
from agent.obt_agent.probes.host import DiskProbe, DiskTrafficProbe, HostProbe, busy_percent, core_of, cores_busy
from agent.obt_agent.probes.proc import READ_BYTES, TICKS_PER_S, Disks, KernelFile, cores, memory


def times(**values: float) -> Any:
    fields = {"user": 0.0, "system": 0.0, "idle": 0.0, "iowait": 0.0, "guest": 0.0, **values}

    class Times(tuple):  # like psutil's: a tuple with names
        __slots__ = ()

    result = Times(fields.values())
    for name, value in fields.items():
        setattr(Times, name, value)
    return result


def test_busy_is_the_share_of_time_not_idle() -> None:
    assert busy_percent(core_of(times()), core_of(times(user=3, system=1, idle=5, iowait=1))) == 40.0


def test_guest_time_is_not_counted_twice() -> None:
    assert busy_percent(core_of(times()), core_of(times(user=5, guest=5, idle=5))) == 50.0


def test_the_first_reading_and_a_clock_that_stood_still_are_none() -> None:
    assert busy_percent(None, core_of(times(user=1))) is None
    assert busy_percent(core_of(times(user=1)), core_of(times(user=1))) is None


def test_counters_that_went_backwards_stay_between_0_and_100() -> None:
    assert busy_percent(core_of(times(idle=5)), core_of(times(idle=4, user=9))) == 100.0


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
    before = [core_of(times()), core_of(times())]
    after = [core_of(times(user=10)), core_of(times(user=2, idle=8))]
    assert cores_busy(before, after) == [100.0, 20.0]
    assert cores_busy([], after) == []


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


STAT = b"""cpu  400 0 300 1000 100 0 0 0 50 0
cpu0 300 0 100 500 100 0 0 0 50 0
cpu1 100 0 200 500 0 0 0 0 0 0
intr 12345 0 9 0 0
ctxt 2000
"""
MEMINFO = b"""MemTotal:       16000000 kB
MemFree:         1000000 kB
MemAvailable:    6000000 kB
SwapTotal:       2000000 kB
SwapFree:         500000 kB
"""
DISKSTATS = b""" 259       0 nvme0n1 100 0 2000 50 10 0 400 9 0 60 60 0 0 0 0 0 0
 259       1 nvme0n1p1 90 0 1900 50 10 0 400 9 0 60 60 0 0 0 0 0 0
   7       0 loop0 5 0 8 1 0 0 0 0 0 1 1 0 0 0 0 0 0
"""


def proc_files(folder: Path, **changes: bytes) -> Path:
    """A /proc of two cores and one disk with a partition."""
    folder.mkdir(exist_ok=True)
    for name, content in {"stat": STAT, "meminfo": MEMINFO, "diskstats": DISKSTATS, **changes}.items():
        (folder / name).write_bytes(content)
    return folder


def test_linuxs_cores_count_guest_time_once_and_waiting_for_disks_as_idle() -> None:
    first, second = cores(STAT)
    assert first == pytest.approx((600 / TICKS_PER_S, 1000 / TICKS_PER_S))
    assert second == pytest.approx((500 / TICKS_PER_S, 800 / TICKS_PER_S))


def test_linuxs_memory_in_use_is_what_is_not_available() -> None:
    assert memory(MEMINFO) == (16_000_000 * 1024, 10_000_000 * 1024, 1_500_000 * 1024)


def test_in_a_container_that_is_told_the_machines_available_memory_the_free_one_counts() -> None:
    told = MEMINFO.replace(b"MemAvailable:    6000000", b"MemAvailable:   99000000")
    assert memory(told).used == 15_000_000 * 1024


def test_the_probe_reads_linuxs_files_as_they_change(tmp_path: Path) -> None:
    probe = HostProbe(proc_files(tmp_path))
    assert set(probe.read().missing) == {"cpu_percent", "cpu_busiest_core_percent"}
    busier = STAT.replace(b"cpu0 300", b"cpu0 400").replace(b"cpu1 100 0 200 500", b"cpu1 100 0 200 600")
    proc_files(tmp_path, stat=busier)
    values = probe.read().values
    assert (values["cpu_percent"], values["cpu_busiest_core_percent"]) == (50.0, 100.0)
    assert values["swap_used_bytes"] == 1_500_000 * 1024


def test_a_kernel_that_does_not_tell_is_asked_through_psutil(tmp_path: Path) -> None:
    old = MEMINFO.replace(b"MemAvailable", b"Unknown")
    probe = HostProbe(proc_files(tmp_path, meminfo=old, stat=b"cpu0 many\n"))
    reading = probe.read()
    assert reading.values["memory_total_bytes"] == psutil.virtual_memory().total
    assert HostProbe(tmp_path / "gone").read().values["memory_total_bytes"] == psutil.virtual_memory().total


def test_a_disks_partitions_are_not_counted_again(tmp_path: Path) -> None:
    (tmp_path / "block" / "nvme0n1").mkdir(parents=True)
    disks = Disks(proc_files(tmp_path / "proc"), tmp_path / "block")
    assert disks.read() == (2000 * 512, 400 * 512)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has /proc")
def test_linuxs_own_counters_are_what_psutil_says() -> None:
    for _ in range(20):  # until no counter moved in between
        before = psutil.disk_io_counters()
        ours = Disks().read()
        if before == psutil.disk_io_counters():
            break
    assert ours == (before.read_bytes, before.write_bytes)
    own = [core_of(times).total for times in psutil.cpu_times(percpu=True)]
    assert [core.total for core in cores(Path("/proc/stat").read_bytes())] == pytest.approx(own, abs=1.0)
    assert memory(Path("/proc/meminfo").read_bytes()).total == psutil.virtual_memory().total


def test_a_file_longer_than_one_read_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "long"
    file.write_bytes(b"x" * (READ_BYTES + 5))
    kernel_file = KernelFile(file)
    assert len(kernel_file.read()) == READ_BYTES + 5
    file.write_bytes(b"short")
    assert kernel_file.read() == b"short"
