"""Energy per token, from the recorded telemetry and the samples' own times. Pure; agent and server may both use it.

Only GPUs are counted, all of the machine together, and only where the whole model was on them: what the CPU uses cannot
be read by an ordinary user. By the GPU's energy counter where there is one, else by integrating power; the label says
which. Approximate: readings are 0.2 s apart, so a phase under 5 s has borders that weigh too much, and is marked.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Optional

from .metrics import JOULES_PER_TOKEN, NS_PER_S, Metric, energy_per_output_token
from .results import Sample, Telemetry
from .validity_placement import gpu_share_of, where

SHORTEST_PHASE_S = 5.0
MOST_BETWEEN_READINGS_S = 1.0
MJ_PER_J = 1000.0

COUNTER = "energy counter"
INTEGRATED = "integrated power"
AVERAGED = "integrated mean power"
# The ways to a GPU's energy, the best first: the series it needs, and what it is called.
WAYS = {COUNTER: "energy_mj", INTEGRATED: "power_w", AVERAGED: "power_average_w"}
BY_WORDS = {
    COUNTER: "by the GPU's energy counter",
    INTEGRATED: "by integrating the GPU's power",
    AVERAGED: "by integrating the GPU's power, of which only a mean over about a second is told",
}

OUTPUT, OUTPUT_NET = "energy_per_output_token", "energy_per_output_token_net"
PROMPT, PROMPT_NET = "energy_per_prompt_token", "energy_per_prompt_token_net"
APPLICABLE: dict[str, tuple[str, ...]] = {
    "decode": (OUTPUT, OUTPUT_NET),
    "chat": (OUTPUT, OUTPUT_NET, PROMPT, PROMPT_NET),
    "prompt": (OUTPUT, OUTPUT_NET, PROMPT, PROMPT_NET),
    "prefill": (PROMPT, PROMPT_NET),
}

ELSEWHERE = "Ollama ran in a container or on another host: this machine's energy is not its own"
UNKNOWN_WHERE = "whether Ollama ran on this machine could not be told"
ON_CPU = "the model ran on the CPU, at least in part, and the CPU's energy cannot be read"
NO_TELEMETRY = "no telemetry was recorded"
NO_GPU = "no energy or power of a GPU could be read"
GAP = "the readings have a gap there"
NO_IDLE = "idle power was not measured before the cells"

_GPU = re.compile(r"gpu_(\d+)_(energy_mj|power_w|power_average_w)")


@dataclass(frozen=True)
class Energy:
    """Joules over `seconds`, and how they were measured; or None, and the reason."""

    joules: Optional[float]
    seconds: float
    source: Optional[str] = None
    reason: Optional[str] = None


class Points:
    """A quantity's known values over time."""

    def __init__(self, t_s: Sequence[float], values: Sequence[Optional[float]]) -> None:
        known = [(t, value) for t, value in zip(t_s, values) if value is not None]
        self.t_s = [t for t, _ in known]
        self.values = [value for _, value in known]

    def at(self, t_s: float) -> Optional[float]:
        """The value at a moment, linear between its neighbours; None where they are further apart than 1 s."""
        after = bisect_left(self.t_s, t_s)
        if after < len(self.t_s) and self.t_s[after] == t_s:
            return self.values[after]
        if after in (0, len(self.t_s)) or self.t_s[after] - self.t_s[after - 1] > MOST_BETWEEN_READINGS_S:
            return None
        share = (t_s - self.t_s[after - 1]) / (self.t_s[after] - self.t_s[after - 1])
        return self.values[after - 1] + share * (self.values[after] - self.values[after - 1])

    def grown(self, start_s: float, end_s: float) -> Optional[float]:
        """How much a counter grew; None when it is not known at both ends, or began anew in between."""
        first, last = self.at(start_s), self.at(end_s)
        inside = self.values[bisect_left(self.t_s, start_s) : bisect_right(self.t_s, end_s)]
        if first is None or last is None:
            return None
        steps = [first, *inside, last]
        return last - first if all(a <= b for a, b in zip(steps, steps[1:])) else None

    def integral(self, start_s: float, end_s: float) -> Optional[float]:
        """The area under the values, by trapezoids; None where neighbours are further apart than 1 s."""
        first, last = self.at(start_s), self.at(end_s)
        if first is None or last is None:
            return None
        begin, end = bisect_right(self.t_s, start_s), bisect_left(self.t_s, end_s)
        times = [start_s, *self.t_s[begin:end], end_s]
        heights = [first, *self.values[begin:end], last]
        widths = [b - a for a, b in zip(times, times[1:])]
        if max(widths) > MOST_BETWEEN_READINGS_S:
            return None
        return sum(width * (a + b) / 2 for width, a, b in zip(widths, heights, heights[1:]))


class Meter:
    """Reads energy out of one recording."""

    def __init__(self, telemetry: Optional[Telemetry]) -> None:
        self.problem = problem_of(telemetry)
        self._gpus: dict[str, dict[str, Points]] = {}
        self._idle: Optional[Energy] = None
        if telemetry is None or self.problem is not None:
            return
        for series in telemetry.series:
            found = _GPU.fullmatch(series.name)
            if found:
                self._gpus.setdefault(found[1], {})[found[2]] = Points(telemetry.t_s, series.values)
        idle = next((phase for phase in telemetry.phases if phase.kind == "idle"), None)
        if idle is not None:
            self._idle = self.over(idle.start_s, idle.end_s)

    @property
    def idle_w(self) -> Optional[float]:
        """Mean power of all GPUs with the model loaded and nothing asked."""
        if self._idle is None or self._idle.joules is None or self._idle.seconds <= 0:
            return None
        return self._idle.joules / self._idle.seconds

    def over(self, start_s: float, end_s: float) -> Energy:
        """Energy of all GPUs between two moments, seconds since the job began. One unreadable GPU makes it unknown."""
        seconds = max(0.0, end_s - start_s)
        if self.problem is not None or not self._gpus or seconds == 0:
            return Energy(
                None, seconds, reason=self.problem or (NO_GPU if not self._gpus else "the phase has no length")
            )
        total, sources = 0.0, [COUNTER]
        for points in self._gpus.values():
            joules, source = _of_gpu(points, start_s, end_s)
            if joules is None:
                return Energy(None, seconds, reason=GAP)
            total += joules
            sources.append(source)
        return Energy(total, seconds, worst_of(sources))


def problem_of(telemetry: Optional[Telemetry]) -> Optional[str]:
    """Why this recording says nothing about Ollama's energy; None when it may."""
    if telemetry is None:
        return NO_TELEMETRY
    if telemetry.of_this_machine is None:
        return UNKNOWN_WHERE
    return None if telemetry.of_this_machine else ELSEWHERE


def _of_gpu(points: dict[str, Points], start_s: float, end_s: float) -> tuple[Optional[float], str]:
    counted = points["energy_mj"].grown(start_s, end_s) if "energy_mj" in points else None
    if counted is not None:
        return counted / MJ_PER_J, COUNTER
    for way in (INTEGRATED, AVERAGED):
        power = points.get(WAYS[way])
        joules = power.integral(start_s, end_s) if power else None
        if joules is not None:
            return joules, way
    return None, AVERAGED


def worst_of(sources: Iterable[str]) -> str:
    """The least exact of these ways: a sum is as good as its worst part."""
    return max(sources, key=list(WAYS).index)


def decode_phase(sample: Sample) -> Optional[tuple[float, float]]:
    """First to last token, seconds since the job began."""
    timing = sample.timing
    if timing.ttft_ns is None or timing.last_token_ns is None:
        return None
    return timing.start_s + timing.ttft_ns / NS_PER_S, timing.start_s + timing.last_token_ns / NS_PER_S


def prompt_phase(sample: Sample) -> Optional[tuple[float, float]]:
    """End of loading to first token, seconds since the job began."""
    timing = sample.timing
    if timing.ttft_ns is None:
        return None
    loaded_ns = min(sample.raw.load_duration or 0, timing.ttft_ns)
    return timing.start_s + loaded_ns / NS_PER_S, timing.start_s + timing.ttft_ns / NS_PER_S


def per_token(sample: Sample, meter: Meter, name: str) -> tuple[Metric, Energy]:
    """One of the four metrics for one sample, and the energy it came from."""
    of_prompt, net = name in (PROMPT, PROMPT_NET), name in (OUTPUT_NET, PROMPT_NET)
    phase = prompt_phase(sample) if of_prompt else decode_phase(sample)
    share = gpu_share_of(sample.placement)
    if phase is None:
        energy = Energy(None, 0.0, reason="no token arrived")
    elif share is None or where(share) != "gpu":
        energy = Energy(None, phase[1] - phase[0], reason=meter.problem or ON_CPU)
    else:
        energy = meter.over(*phase)
    if energy.joules is None or (net and meter.idle_w is None):
        return Metric(None, JOULES_PER_TOKEN, energy.reason or NO_IDLE), energy
    return energy_per_output_token(
        energy.joules, tokens_of(sample, of_prompt), meter.idle_w if net else None, energy.seconds
    ), energy


def tokens_of(sample: Sample, of_prompt: bool) -> Optional[int]:
    """Tokens the phase worked on: the prompt's uncached ones, or the output."""
    raw = sample.raw
    if not of_prompt:
        return raw.eval_count
    return None if raw.prompt_eval_count is None else raw.prompt_eval_count - (raw.prompt_eval_cached_count or 0)


def note_of(energies: Sequence[Energy]) -> str:
    """How these were measured, and whether the phases were long enough, in words."""
    known = [energy for energy in energies if energy.joules is not None]
    by = worst_of([COUNTER, *(energy.source for energy in known if energy.source)])
    shortest = min((energy.seconds for energy in known), default=0.0)
    words = f"approximate, {BY_WORDS[by]}"
    if shortest < SHORTEST_PHASE_S:
        words += (
            f"; too short: phases of {shortest:.1f} s, and under {SHORTEST_PHASE_S:.0f} s the borders weigh too much"
        )
    return words
