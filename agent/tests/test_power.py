"""Power source and governor: from files and outputs in the systems' own formats, and on this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agent.obt_agent.power import (
    MAX_GOVERNOR_CHARACTERS,
    NO_BATTERY_READING,
    NO_GOVERNOR,
    NO_MODE,
    NO_PLAN,
    NO_POWER_SOURCE,
    governors_of,
    parse_mode,
    parse_plan,
    read_governor,
    read_power,
)

from .recordings import RECORDED

POWER = RECORDED / "power"


def machine(root: Path, governors: dict[int, str] | None = None, **supplies: dict[str, str]) -> Path:
    """A file system with these power supplies and governors."""
    (root / "sys/class/power_supply").mkdir(parents=True, exist_ok=True)
    for name, files in supplies.items():
        for file, content in files.items():
            path = root / "sys/class/power_supply" / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{content}\n")
    for core, governor in (governors or {}).items():
        path = root / f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{governor}\n")
    return root


def adapter(online: str) -> dict[str, str]:
    return {"type": "Mains", "online": online}


def battery(status: str) -> dict[str, str]:
    return {"type": "Battery", "scope": "System", "status": status, "capacity": "80"}


MOUSE = {"type": "Battery", "scope": "Device", "status": "Discharging", "model_name": "Wireless Mouse"}


def test_a_desktop_without_a_battery_runs_on_mains(tmp_path: Path) -> None:
    power = read_power(machine(tmp_path), "linux")
    assert power.power_source == "mains"
    assert "power_source" not in power.missing


def test_a_mouse_with_a_battery_is_no_laptop(tmp_path: Path) -> None:
    assert read_power(machine(tmp_path, hid=MOUSE), "linux").power_source == "mains"


@pytest.mark.parametrize(
    ("online", "status", "source"),
    [
        ("1", "Charging", "mains"),
        ("1", "Not charging", "mains"),
        ("1", "Discharging", "mains"),  # plugged in, and the adapter is too weak for all of it
        ("0", "Discharging", "battery"),
    ],
)
def test_a_laptop_runs_on_what_it_is_plugged_into(tmp_path: Path, online: str, status: str, source: str) -> None:
    root = machine(tmp_path, AC=adapter(online), BAT0=battery(status), hid=MOUSE)
    assert read_power(root, "linux").power_source == source


@pytest.mark.parametrize(("status", "source"), [("Discharging", "battery"), ("Full", "mains")])
def test_without_an_adapter_in_sight_the_battery_tells(tmp_path: Path, status: str, source: str) -> None:
    assert read_power(machine(tmp_path, BAT0=battery(status)), "linux").power_source == source


def test_a_second_battery_that_rests_does_not_hide_the_one_in_use(tmp_path: Path) -> None:
    root = machine(tmp_path, AC=adapter("0"), BAT0=battery("Not charging"), BAT1=battery("Discharging"))
    assert read_power(root, "linux").power_source == "battery"


def test_a_laptop_charged_by_usb_runs_on_mains(tmp_path: Path) -> None:
    root = machine(tmp_path, usb={"type": "USB", "online": "1"}, BAT0=battery("Charging"))
    assert read_power(root, "linux").power_source == "mains"


def test_a_battery_in_a_state_that_says_nothing_is_unknown_with_the_reason(tmp_path: Path) -> None:
    power = read_power(machine(tmp_path, AC=adapter("0"), BAT0=battery("Unknown")), "linux")
    assert (power.power_source, power.missing["power_source"]) == (None, NO_BATTERY_READING)


def test_where_the_kernel_shows_no_supplies_it_is_unknown_and_not_mains(tmp_path: Path) -> None:
    power = read_power(tmp_path, "linux")
    assert (power.power_source, power.missing["power_source"]) == (None, NO_POWER_SOURCE)
    assert (power.cpu_governor, power.missing["cpu_governor"]) == (None, NO_GOVERNOR)


def test_a_governor_that_all_cores_have_is_named_once(tmp_path: Path) -> None:
    power = read_power(machine(tmp_path, dict.fromkeys(range(12), "schedutil")), "linux")
    assert power.cpu_governor == "schedutil"
    assert power.missing == {}


def test_cores_with_governors_of_their_own_are_all_named(tmp_path: Path) -> None:
    root = machine(tmp_path, {0: "powersave", 1: "performance", 10: "powersave"})
    assert read_power(root, "linux").cpu_governor == "performance, powersave"


def test_a_core_that_cannot_be_read_does_not_hide_the_others_and_no_name_is_too_long() -> None:
    assert governors_of([None, "performance"]) == "performance"
    assert governors_of([None]) is None
    assert len(governors_of([f"governor{n}" for n in range(20)]) or "") == MAX_GOVERNOR_CHARACTERS


@pytest.mark.parametrize(
    ("name", "plan"),
    [("powercfg-en", "balanced"), ("powercfg-de", "high performance"), ("powercfg-custom", "Workstation quiet")],
)
def test_windows_plans_are_known_by_number_in_every_language(name: str, plan: str) -> None:
    assert parse_plan((POWER / f"{name}.txt").read_text(encoding="utf-8")) == plan


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("pmset-g-macbook", "low power mode"),
        ("pmset-g-macbook-pro-max", "high power mode"),
        ("pmset-g-mac-mini", None),
    ],
)
def test_a_macs_mode_is_read_where_it_has_one(name: str, mode: str | None) -> None:
    assert parse_mode((POWER / f"{name}.txt").read_text()) == mode


@pytest.mark.parametrize("text", ["", "command not found", "lowpowermode", "Power Scheme GUID: none"])
def test_output_it_does_not_understand_is_unknown(text: str) -> None:
    assert parse_mode(text) is None
    assert parse_plan(text) is None


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the command is there")
@pytest.mark.parametrize(("platform", "reason"), [("win32", NO_PLAN), ("darwin", NO_MODE)])
def test_a_command_that_is_not_there_is_a_reason(tmp_path: Path, platform: str, reason: str) -> None:
    assert read_governor(tmp_path, platform) == (None, reason)


def test_this_machine_is_read_and_what_is_unknown_has_a_reason() -> None:
    power = read_power()
    assert (power.power_source is None) == ("power_source" in power.missing)
    assert (power.cpu_governor is None) == ("cpu_governor" in power.missing)
