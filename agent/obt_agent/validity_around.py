"""The gates about what went on around a sample: the server, other clients, heat, clocks, the watching itself. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from .contract import CellSpec, Sample
from .engines import version_numbers
from .metrics import APPLICABLE, NS_PER_S
from .statistics import median
from .validity_placement import gpu_share_of, where

SIBLINGS_NEEDED = 3
KINDS_THAT_QUEUE = frozenset({"concurrency", "load"})

# Ollama's releases whose prompt durations are garbage, first and last. Source: reports of 139,000 tok/s.
BAD_PREFILL_VERSIONS = ((0, 12, 5), (0, 12, 6))
# These cut durations to whole milliseconds: below 50 ms that is more than 2 %.
COARSE_VERSIONS = ((0, 4, 0), (0, 6, 1))
COARSE_BELOW_NS = 50_000_000

# Ollama moves the time of unloading when a request ends and nobody else's runs, within milliseconds.
EXPIRY_TOLERANCE_S = 1.0
# Waiting for somebody else's answer is in no counter but the total. A hiccup of the machine is shorter.
QUEUED_TIMES_SIBLINGS = 5.0
QUEUED_ABOVE_SIBLINGS_NS = 500_000_000

# What slows a GPU although it is asked for more. Its set power limit (sw_power_cap) is what it is made to run at.
THROTTLE_REASONS = frozenset(
    {"hw_slowdown", "sw_thermal_slowdown", "hw_thermal_slowdown", "hw_power_brake_slowdown", "thermal"}
)

# Both clocks are corrected alike, so they part only when one is set; Windows' wall clock ticks 15.6 ms.
CLOCK_STEP_S = 0.1
CLOCK_STEP_SHARE = 0.001
TELEMETRY_GAP_S = 1.0
TELEMETRY_GAP_INTERVALS = 2.5


def known_bad_version(sample: Sample, spec: CellSpec) -> bool:
    """Whether a number of this kind rests on a duration that this version of Ollama reports wrongly."""
    numbers = version_numbers(sample.surroundings.server_version) if sample.surroundings else None
    if numbers is None:
        return False
    published = APPLICABLE[spec.kind]
    if BAD_PREFILL_VERSIONS[0] <= numbers <= BAD_PREFILL_VERSIONS[1] and "prefill_rate" in published:
        return True
    if not COARSE_VERSIONS[0] <= numbers <= COARSE_VERSIONS[1]:
        return False
    raw = sample.raw
    timed = {"prefill_rate": raw.prompt_eval_duration, "decode_rate": raw.eval_duration}
    return any((timed[name] or 0) < COARSE_BELOW_NS for name in timed if name in published)


def other_client(sample: Sample, spec: CellSpec, cell: Sequence[Sample]) -> bool:
    """Seen by the time of unloading, which each request sets to its own wish, or by a wait that no counter explains."""
    around = sample.surroundings
    if around is not None and around.expiry_stood_still:
        return True  # Ollama moves it at the end of an answer, unless another one is still under way
    if around is not None and around.expiry_off_s is not None and abs(around.expiry_off_s) > EXPIRY_TOLERANCE_S:
        return True
    waited = _unexplained_ns(sample)
    known = (_unexplained_ns(other) for other in cell if other is not sample)
    others = [other for other in known if other is not None]
    if spec.kind in KINDS_THAT_QUEUE or waited is None or len(others) < SIBLINGS_NEEDED:
        return False
    usual = median(others)
    return waited > max(QUEUED_TIMES_SIBLINGS * usual, usual + QUEUED_ABOVE_SIBLINGS_NS)


def server_restarted(sample: Sample, cell: Sequence[Sample]) -> bool:
    """Whether Ollama's process is not that of the sample before, or its version not that of the cell's first."""
    around = sample.surroundings
    position = next((i for i, one in enumerate(cell) if one is sample), 0)
    before = [one.surroundings for one in cell[:position] if one.surroundings is not None]
    if around is None or not before:
        return False
    return _differ(around.server_process, before[-1].server_process) or _differ(
        around.server_version, before[0].server_version
    )


def throttled(sample: Sample) -> bool:
    """Whether what ran the model was slowed down. A hot CPU does not slow a model that is wholly on the GPU."""
    share = gpu_share_of(sample.placement)
    idle = {"gpu": "cpu", "cpu": "gpu"}.get("both" if share is None else where(share), "")
    reasons = (sample.surroundings.throttle if sample.surroundings else None) or []
    parted = [reason.partition(".") for reason in reasons]
    return any(name in THROTTLE_REASONS and not (idle and part.startswith(idle)) for part, _, name in parted)


def clock_step(sample: Sample) -> bool:
    """Whether wall clock and monotonic clock parted by more than 0.1 s and 0.1 % of the sample."""
    step_s = sample.surroundings.clock_step_s if sample.surroundings else None
    return step_s is not None and abs(step_s) > CLOCK_STEP_S + CLOCK_STEP_SHARE * (sample.timing.e2e_ns or 0) / NS_PER_S


def telemetry_gap(sample: Sample) -> bool:
    """Whether readings were missing for more than 1 s (and 2.5 intervals, where a long recording is read slower)."""
    around = sample.surroundings
    if around is None or around.telemetry_gap_s is None:
        return False
    return around.telemetry_gap_s > max(TELEMETRY_GAP_S, TELEMETRY_GAP_INTERVALS * (around.telemetry_interval_s or 0))


def _unexplained_ns(sample: Sample) -> Optional[int]:
    """The part of the total that Ollama gives no reason for."""
    raw = sample.raw
    if raw.total_duration is None:
        return None
    parts = (raw.load_duration, raw.prompt_eval_duration, 0 if raw.eval_count == 1 else raw.eval_duration)
    known = [part for part in parts if part is not None]
    return raw.total_duration - sum(known) if len(known) == len(parts) else None


def _differ(one: Optional[str], other: Optional[str]) -> bool:
    return one is not None and other is not None and one != other
