"""A recording as the result page shows it: a panel per quantity that was read, reasons for the others."""

import pytest

from agent.obt_agent import contract, wire
from benchmarks.presenters.telemetry import readings

GIB = 1024**3
T_S = [0.0, 0.2, 0.4, 0.6, 0.8]


def recorded(*series, missing=None, of_this_machine=True):
    """A stored recording of (name, unit, values)."""
    every = [contract.Series(name, unit, values) for name, unit, values in series]
    return wire.encode(contract.Telemetry(200, T_S, every, [], missing or {}, of_this_machine))


def panel_of(found, name):
    return next(panel for panel in [*found.panels, *found.more] if panel.name == name)


EVERYTHING = [
    ("cpu_percent", "%"), ("cpu_busiest_core_percent", "%"), ("cpu_frequency_mhz", "MHz"), ("cpu_temperature_c", "°C"),
    ("cpu_throttle_count", ""), ("memory_used_bytes", "B"), ("memory_total_bytes", "B"), ("swap_used_bytes", "B"),
    ("disk_read_bytes_per_s", "B/s"), ("disk_written_bytes_per_s", "B/s"), ("ollama_cpu_percent", "%"),
    ("ollama_cpu_s", "s"), ("ollama_rss_bytes", "B"), ("gpu_0_utilisation_percent", "%"),
    ("gpu_0_memory_used_bytes", "B"), ("gpu_0_memory_total_bytes", "B"), ("gpu_0_ollama_memory_bytes", "B"),
    ("gpu_0_other_memory_bytes", "B"), ("gpu_0_temperature_c", "°C"), ("gpu_0_power_w", "W"),
    ("gpu_0_power_limit_w", "W"), ("gpu_0_sm_clock_mhz", "MHz"), ("gpu_0_memory_clock_mhz", "MHz"),
    ("gpu_0_energy_mj", "mJ"), ("gpu_0_clocks_event_reasons_bits", "bits"),
]  # fmt: skip


def test_every_quantity_the_agent_sends_has_a_panel_or_is_a_limit_of_one():
    found = readings(recorded(*((name, unit, [1.0, 2, 3, 4, 5]) for name, unit in EVERYTHING)))

    shown = [panel.name for panel in [*found.panels, *found.more]]
    assert len(shown) == len(EVERYTHING) - 4  # two totals, the power limit, and the reasons drawn as throttling
    assert len(set(shown)) == len(shown)
    assert [panel.name for panel in found.panels][:3] == ["GPU use", "GPU memory", "GPU power"]


def test_a_quantity_of_a_newer_agent_is_shown_by_its_own_name():
    assert readings(recorded(("fan_rpm", "rpm", [1.0] * 5))).more[0].name == "Fan rpm"


def test_only_what_has_a_value_is_a_panel():
    found = readings(recorded(("cpu_percent", "%", [None] * 5), ("swap_used_bytes", "B", [0.0] * 5)))

    assert ([panel.name for panel in found.panels], [panel.name for panel in found.more]) == ([], ["Swap"])


def test_what_could_not_be_read_is_listed_once_per_reason():
    none = dict.fromkeys(("cpu_temperature_c", "gpu_0_power_w"), "needs root") | {"nvidia": "no driver"}

    found = readings(recorded(missing=none | {"gaps": "Gaps between readings: 1, the longest 2.0 s."}))

    assert found.unread == [("GPU power, CPU temperature", "needs root"), ("NVIDIA GPUs", "no driver")]
    assert found.note.endswith("gaps between readings: 1, the longest 2.0 s")


@pytest.mark.parametrize(
    ("name", "unit", "values", "shown", "last"),
    [
        ("memory_used_bytes", "B", [8.0 * GIB] * 5, "GB", 8.0),
        ("swap_used_bytes", "B", [512.0 * 1024**2] * 5, "MB", 512.0),
        ("disk_read_bytes_per_s", "B/s", [2e6] * 5, "MB/s", 2.0),
        ("gpu_0_energy_mj", "mJ", [1000.0, 2000, 3000, 4000, 9000], "J", 8.0),
        ("gpu_0_energy_mj", "mJ", [0.0, 1e6, 2e6, 3e6, 2e7], "kJ", 20.0),
        ("gpu_0_memory_clock_mhz", "MHz", [10_501.0] * 5, "GHz", 10.501),
    ],
)
def test_units_are_those_people_read(name, unit, values, shown, last):
    found = readings(recorded((name, unit, values)))
    (panel,) = [*found.panels, *found.more]

    assert (panel.unit, panel.points[-1][1]) == (shown, last)


def test_memory_and_power_are_drawn_up_to_their_limits():
    hardware = {"memory_total_bytes": 64 * GIB, "gpus": [{"index": 0, "power_limit_w": 450.0}]}
    found = readings(recorded(("memory_used_bytes", "B", [GIB] * 5), ("gpu_0_power_w", "W", [300.0] * 5)), hardware)

    assert (panel_of(found, "Memory").ceiling, panel_of(found, "Memory").note) == (64.0, "limit 64 GB")
    assert (panel_of(found, "GPU power").ceiling, panel_of(found, "GPU power").note) == (450.0, "limit 450 W")


def test_a_limit_that_was_recorded_does_as_well():
    found = readings(recorded(("gpu_0_power_w", "W", [300.0] * 5), ("gpu_0_power_limit_w", "W", [350.0] * 5)))

    assert panel_of(found, "GPU power").ceiling == 350.0


def test_heat_is_drawn_as_throttling_and_the_set_power_limit_is_only_said():
    bits = ("gpu_0_clocks_event_reasons_bits", "bits", [0.0, 64.0, 64.0, 4.0, 0.0])

    power = panel_of(readings(recorded(("gpu_0_power_w", "W", [300.0] * 5), bits)), "GPU power")

    assert power.throttled == [(0.2, 0.6)]
    assert "at it for 200 ms" in power.note


def test_two_gpus_are_told_apart():
    both = [(f"gpu_{i}_power_w", "W", [1.0] * 5) for i in (0, 1)]

    assert [panel.name for panel in readings(recorded(*both)).panels] == ["GPU power, GPU 0", "GPU power, GPU 1"]


def test_readings_of_another_machine_are_called_so():
    assert readings(recorded(of_this_machine=False)).elsewhere
    assert not readings(recorded(of_this_machine=None)).elsewhere


def test_without_a_recording_there_is_nothing():
    assert readings(None).panels == ()
