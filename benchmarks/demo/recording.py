"""The telemetry around a job's samples: what the machine did while they ran.

A full one has a reading every READ_EVERY_S. A sparse one has readings only where a phase begins or ends: enough for
energy, which is worked out from the GPU's energy counter at these moments.
"""

import random
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from agent.obt_agent.contract import CellRun, Hardware, Phase, Sample, Series, Telemetry
from benchmarks.demo.machines import GIB, Machine
from benchmarks.demo.speeds import Speed

READ_EVERY_S = 0.5
MOST_READINGS = 1200
IDLE_S = 5.0  # with the model loaded and nothing asked, before the first cell
NS = 1e9
Stretch = tuple[float, float, float]  # from, to, how busy: 0 to 1


def telemetry(
    machine: Machine, gear: Hardware, speed: Speed, runs: Sequence[CellRun], size_bytes: int, sparse: bool,
    chance: random.Random,
) -> Telemetry:  # fmt: skip
    """The recording of these runs, which begin after IDLE_S."""
    samples = [sample for run in runs for sample in run.samples]
    end = max((sample.timing.start_s + (sample.timing.e2e_ns or 0) / NS for sample in samples), default=IDLE_S)
    busy = sorted(_stretches(samples))
    every = max(READ_EVERY_S, end / MOST_READINGS)
    ticks = [] if sparse else [round(i * every, 4) for i in range(int(end / every) + 2)]
    moments = sorted({0.0, IDLE_S, *ticks, *(border for start, stop, _ in busy for border in (start, stop))})
    series = _host(machine, gear, speed, busy, moments, size_bytes, chance) if not sparse else []
    return Telemetry(
        interval_ms=round(every * 1000),
        t_s=moments,
        series=[*series, *_gpus(machine, gear, speed, busy, moments, size_bytes, sparse, chance)],
        phases=[Phase("idle", "idle", 0.0, IDLE_S), *_phases(samples)],
        missing={} if machine.watts else _unread(gear),
        of_this_machine=True,
    )


def _unread(gear: Hardware) -> dict[str, str]:
    return dict(gear.missing) or {"cpu_power_w": "An ordinary user may not read the processor's power."}


def _stretches(samples: Iterable[Sample]) -> Iterable[Stretch]:
    """Prompt and answer of every sample. Borders are the very moments that energy is asked for."""
    for sample in samples:
        timing, load_ns = sample.timing, sample.raw.load_duration or 0
        if timing.ttft_ns is None or timing.last_token_ns is None:
            yield timing.start_s, timing.start_s + (timing.e2e_ns or 0) / NS, 0.9
            continue
        first = timing.start_s + timing.ttft_ns / NS
        yield timing.start_s + min(load_ns, timing.ttft_ns) / NS, first, 1.0
        if timing.last_token_ns > timing.ttft_ns:
            yield first, timing.start_s + timing.last_token_ns / NS, 0.82


def _phases(samples: Iterable[Sample]) -> Iterable[Phase]:
    for sample in samples:
        kind = "warmup" if sample.warmup else "load" if sample.cell == "load" else "sample"
        start = sample.timing.start_s
        yield Phase(sample.cell, kind, start, start + (sample.timing.e2e_ns or 0) / NS, sample.index)  # type: ignore[arg-type]


def _load(busy: Sequence[Stretch], moments: Sequence[float]) -> list[float]:
    """How busy it was at each moment."""
    starts = [start for start, _, _ in busy]
    found = []
    for moment in moments:
        place = bisect_right(starts, moment) - 1
        found.append(busy[place][2] if place >= 0 and moment <= busy[place][1] else 0.0)
    return found


def _gpus(
    machine: Machine, gear: Hardware, speed: Speed, busy: Sequence[Stretch], moments: Sequence[float],
    size_bytes: int, sparse: bool, chance: random.Random,
) -> Iterable[Series]:  # fmt: skip
    load = _load(busy, moments)
    for gpu in gear.gpus:
        name = f"gpu_{gpu.index}"
        if machine.watts and speed.gpu_share >= 1:
            idle, full = (watts / len(gear.gpus) for watts in machine.watts)
            energy, total = [0.0], 0.0
            for i in range(1, len(moments)):
                watts = idle + (full - idle) * min(load[i - 1], load[i])
                total += watts * (moments[i] - moments[i - 1]) * 1000 * chance.lognormvariate(0, 0.01)
                energy.append(round(total, 1))
            yield Series(f"{name}_energy_mj", "mJ", list(energy))
            if not sparse:
                power = [round((idle + (full - idle) * each) * chance.lognormvariate(0, 0.02), 1) for each in load]
                yield Series(f"{name}_power_w", "W", list(power))
        if not sparse:
            held = round(size_bytes * speed.gpu_share / len(gear.gpus) + 0.6 * GIB)
            yield Series(f"{name}_utilisation_percent", "%", _wobbling(load, 98 * max(speed.gpu_share, 0.05), chance))
            yield Series(f"{name}_memory_used_bytes", "B", [float(held)] * len(moments))
            if gpu.vendor != "apple":
                yield Series(f"{name}_temperature_c", "°C", _warming(load, chance))


def _host(
    machine: Machine, gear: Hardware, speed: Speed, busy: Sequence[Stretch], moments: Sequence[float],
    size_bytes: int, chance: random.Random,
) -> Iterable[Series]:  # fmt: skip
    load = _load(busy, moments)
    used = 5.5 * GIB + size_bytes * (1 - speed.gpu_share)
    top = 7.0 if speed.gpu_share >= 1 else 55.0
    yield Series("cpu_percent", "%", _wobbling([each + 0.04 for each in load], top, chance))
    yield Series(
        "memory_used_bytes", "B", [float(round(min(used, 0.95 * (gear.memory_total_bytes or used))))] * len(load)
    )


def _wobbling(load: Sequence[float], top: float, chance: random.Random) -> list[float | None]:
    return [round(min(98.0, max(0.0, top * each * chance.lognormvariate(0, 0.02))), 1) for each in load]


def _warming(load: Sequence[float], chance: random.Random) -> list[float | None]:
    found: list[float | None] = []
    now = 41.0
    for each in load:
        now += (41 + 32 * each - now) * 0.03
        found.append(float(round(now + chance.uniform(-0.4, 0.4))))
    return found
