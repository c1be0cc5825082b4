from __future__ import annotations

from pathlib import Path

import pytest

from agent.obt_agent import wire
from agent.obt_agent.contract import Gpu, Hardware
from agent.obt_agent.digest import content_hash
from agent.obt_agent.hardware import (
    MEMORY_STEP_BYTES,
    board_model,
    collect,
    parse_cpuinfo,
    parse_os_release,
    tidy,
    windows_name,
)
from agent.obt_agent.inventory import Inventory
from agent.obt_agent.probes import Reading
from agent.obt_agent.probes.choose import Machine

RECORDED = Path(__file__).parent / "recorded"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("cpuinfo-intel.txt", "Intel Core i7-8700K"),
        ("cpuinfo-amd.txt", "AMD Ryzen 9 7950X 16-Core Processor"),
        ("cpuinfo-arm64.txt", "ARM Neoverse-N1"),
        ("cpuinfo-power.txt", "POWER9, altivec supported"),
    ],
)
def test_it_reads_the_cpus_name_from_cpuinfo(file: str, name: str) -> None:
    assert parse_cpuinfo((RECORDED / file).read_text()) == name


def test_an_arm_core_it_does_not_know_is_named_by_its_numbers() -> None:
    assert parse_cpuinfo("CPU implementer\t: 0x41\nCPU part\t: 0xfff\n") == "ARM implementer 0x41 part 0xfff"


@pytest.mark.parametrize("text", ["", "\n\n", "flags\t: fpu\n", "model name\t:\n", "no colon at all"])
def test_a_cpuinfo_without_a_name_is_none(text: str) -> None:
    assert parse_cpuinfo(text) is None


def test_a_boards_name_loses_its_zero_byte() -> None:
    assert board_model("Raspberry Pi 5 Model B Rev 1.0\0") == "Raspberry Pi 5 Model B Rev 1.0"
    assert board_model("") is None


@pytest.mark.parametrize(
    ("given", "tidied"),
    [
        ("Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz", "Intel Xeon Gold 6130"),
        ("Intel(R) Core(TM) Ultra 7 155H", "Intel Core Ultra 7 155H"),
        ("AMD EPYC 7B12   ", "AMD EPYC 7B12"),
        ("Apple M2 Pro", "Apple M2 Pro"),
    ],
)
def test_it_writes_a_cpus_name_as_people_do(given: str, tidied: str) -> None:
    assert tidy(given) == tidied


def test_it_reads_the_systems_pretty_name() -> None:
    assert parse_os_release((RECORDED / "os-release-ubuntu.txt").read_text()) == "Ubuntu 24.04.1 LTS"
    assert parse_os_release((RECORDED / "os-release-arch.txt").read_text()) == "Arch Linux"
    assert parse_os_release("NAME=x\n") is None


@pytest.mark.parametrize(
    ("product", "version", "display", "name"),
    [
        ("Windows 10 Pro", "10.0.19045", "22H2", "Windows 10 Pro 22H2"),
        ("Windows 10 Pro", "10.0.26100", "24H2", "Windows 11 Pro 24H2"),
        ("Windows Server 2022 Standard", "10.0.20348", "21H2", "Windows Server 2022 Standard 21H2"),
        (None, "", None, "Windows"),
    ],
)
def test_windows_11_is_called_so_although_its_registry_says_10(
    product: str | None, version: str, display: str | None, name: str
) -> None:
    assert windows_name(product, version, display) == name


def test_this_machine_has_the_same_hash_each_time() -> None:
    hashes = {content_hash(collect([])) for _ in range(5)}
    assert len(hashes) == 1


def test_this_machine_fits_the_contract_and_what_is_missing_has_a_reason() -> None:
    hardware = collect([], {"nvidia": "No driver."})
    assert wire.decode(Hardware, wire.loads(wire.dumps(hardware))) == hardware
    assert hardware.cpu.logical_cores
    assert hardware.memory_total_bytes
    assert hardware.memory_total_bytes % MEMORY_STEP_BYTES == 0
    assert hardware.os.system in ("Linux", "Windows", "Darwin", "other")
    assert hardware.missing["nvidia"] == "No driver."
    assert "gpus" in hardware.missing
    for field in ("model", "physical_cores", "max_frequency_mhz"):
        assert (getattr(hardware.cpu, field) is None) == (f"cpu_{field}" in hardware.missing)


def test_with_a_gpu_nothing_is_said_to_be_missing_of_gpus() -> None:
    assert "gpus" not in collect([Gpu(0, "A GPU", "nvidia")]).missing


def test_another_gpu_is_another_hash_and_the_order_of_reasons_is_not() -> None:
    one, other = collect([Gpu(0, "A", "nvidia")]), collect([Gpu(0, "B", "nvidia")])
    assert content_hash(one) != content_hash(other)
    assert content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})


class OneGpu:
    every_s, in_series = 0.0, True

    def __init__(self, name: str) -> None:
        self.name = name

    def read(self) -> Reading:
        return Reading({}, {}, {})

    def gpus(self) -> list[Gpu]:
        return [Gpu(0, self.name, "other")]


def test_other_hardware_is_adopted_only_when_seen_twice_in_a_row(tmp_path: Path) -> None:
    seen, changes = ["A"], []
    inventory = Inventory(tmp_path, lambda: changes.append(inventory.hash), lambda: Machine([OneGpu(seen[-1])], {}))
    first = inventory.hash
    for name in ("B", "A", "B"):  # a hiccup each time
        seen.append(name)
        inventory.look_again()
    assert inventory.hash == first
    assert changes == []
    inventory.look_again()
    assert inventory.hardware.gpus[0].name == "B"
    assert changes == [inventory.hash]
