"""The gates a sample must pass to be counted. Pure: the agent uses them while measuring, the server to judge again.

A sample that fails a gate is kept, carries the gate's name as a flag, and is left out of summaries. `SENTENCES` says
each flag in words. `judge` looks at all samples of one cell together, since some gates need the siblings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Optional

from .contract import CellSpec, RawCounters, Sample
from .metrics import prefill_rate
from .statistics import median
from .validity_around import clock_step, known_bad_version, other_client, server_restarted, telemetry_gap, throttled
from .validity_placement import partial_spill_changed, placement_changed

SENTENCES: dict[str, str] = {
    "error": "The request failed or was answered wrongly.",
    "not_done": "The answer ended without Ollama's final message.",
    "wrong_length": "The answer did not have the asked number of tokens.",
    "prompt_off_target": "The prompt was more than 2 % longer or shorter than asked.",
    "cache_hit": "Ollama answered part of the prompt from its cache instead of computing it.",
    "reloaded": "The model was loaded again inside the measured block.",
    "placement_changed": "The model moved between GPU and main memory inside the measured block.",
    "partial_spill_changed": "The part of the model in main memory grew or shrank inside the measured block.",
    "other_model_loaded": "Another model was loaded at the same time.",
    "cloud": "The answer came from a cloud service, not from this machine.",
    "no_counters": "Ollama's final message lacks counters that this measurement needs.",
    "nonsense_counters": "Ollama's counters contradict each other or the agent's clock.",
    "known_bad_version": "This version of Ollama is known to report wrong prompt durations.",
    "other_client": "Another client used the same Ollama while the sample ran.",
    "server_restarted": "Ollama was started anew, or became another version, since the sample before.",
    "throttled": "The processor or GPU that ran the model was slowed down by heat or its power supply.",
    "clock_step": "The machine's clock was set, or the machine slept, while the sample ran.",
    "telemetry_gap": "The machine could not be watched for more than a second while the sample ran.",
}

PROMPT_TOLERANCE = 0.02
# Below 100 tokens one word more or less is beyond 2 %: no text can be cut finer than its tokens.
PROMPT_TOLERANCE_TOKENS = 2

# A cached begin-of-text token or a shared first digit is not a hit that changes a rate.
CACHED_TOKENS_IGNORED = 4
# A fresh nonce starts every prompt, so a hit is whole or none: a rate far above the siblings', not a little above.
CACHE_HIT_TIMES_SIBLINGS = 5.0
CACHE_HIT_FROM_PROMPT_TOKENS = 64

# load_duration is never 0 on a warm model and moves with the disk and the scheduler's 250 ms polling; a load is far
# above what the same model answers while warm.
RELOAD_TIMES_SIBLINGS = 5.0
RELOAD_ABOVE_SIBLINGS_NS = 150_000_000
RELOAD_ALONE_NS = 1_000_000_000
SIBLINGS_NEEDED = 3

# What Ollama measured may exceed what the agent saw only by clock granularity.
DURATION_TOLERANCE = 0.02
DURATION_TOLERANCE_NS = 5_000_000
# Bytes held back for an unfinished character may come as one chunk more than tokens.
CHUNKS_BEYOND_TOKENS = 1

CLOUD_ERROR = "model_remote"
BAD_COUNTERS_ERROR = "bad_counters"

KINDS_OF_FIXED_LENGTH = frozenset({"load", "prefill", "decode", "chat", "concurrency"})
KINDS_WITH_TIMED_PROMPT = frozenset({"prefill", "chat", "concurrency", "prompt"})
# A fixed prompt is answered at the model's own length; one token would have no decode rate.
KIND_OF_FREE_LENGTH = "prompt"
FEWEST_FREE_TOKENS = 2


def judge(samples: Sequence[Sample], spec: CellSpec) -> list[Sample]:
    """The cell's samples with their flags worked out anew, in the same order."""
    return [dataclasses.replace(sample, flags=flags_of(sample, spec, samples)) for sample in samples]


def flags_of(sample: Sample, spec: CellSpec, cell: Sequence[Sample]) -> list[str]:
    """The gates this sample fails, in the order of SENTENCES. `cell`: all samples of the cell, this one included."""
    gates = {
        "error": sample.error is not None,
        "not_done": sample.raw.done is not True,
        "cloud": sample.error is not None and sample.error.kind == CLOUD_ERROR,
        "other_model_loaded": sample.loaded_models is not None and sample.loaded_models > 1,
        "placement_changed": placement_changed(sample, cell),
        "partial_spill_changed": partial_spill_changed(sample, cell),
        "other_client": other_client(sample, spec, cell) and not nonsense_counters(sample),
        "server_restarted": server_restarted(sample, cell),
        "throttled": throttled(sample),
        "clock_step": clock_step(sample),
        "telemetry_gap": telemetry_gap(sample),
    }
    if sample.raw.done is True:
        gates.update(
            wrong_length=wrong_length(sample.raw, spec),
            prompt_off_target=prompt_off_target(sample),
            cache_hit=cache_hit(sample, spec, cell),
            reloaded=reloaded(sample, spec, cell),
            no_counters=bool(missing_counters(sample.raw, spec)),
            nonsense_counters=nonsense_counters(sample),
            known_bad_version=known_bad_version(sample, spec),
        )
    return [name for name in SENTENCES if gates.get(name)]


def is_valid(sample: Sample) -> bool:
    """Whether a judged sample counts: measured, not a warm-up, and no gate failed."""
    return not sample.warmup and not sample.flags


def wrong_length(raw: RawCounters, spec: CellSpec) -> bool:
    """Accepted is only `done_reason` length with exactly the asked tokens; of a fixed prompt's answer, 2 to the asked.

    The latter may end by itself (`stop`) or be cut off (`length`).
    """
    if spec.kind == KIND_OF_FREE_LENGTH:
        fits = FEWEST_FREE_TOKENS <= (raw.eval_count or 0) <= spec.output_tokens
        return raw.done_reason not in ("stop", "length") or not fits
    if spec.kind not in KINDS_OF_FIXED_LENGTH or spec.output_tokens == 0:
        return False
    return raw.done_reason != "length" or raw.eval_count != spec.output_tokens


def prompt_tolerance(target_tokens: int) -> int:
    """How many tokens a prompt may miss its target by."""
    return max(PROMPT_TOLERANCE_TOKENS, int(target_tokens * PROMPT_TOLERANCE))


def prompt_off_target(sample: Sample) -> bool:
    """Whether the prompt missed its target by more than 2 %. A prompt without a target (0) cannot."""
    count = sample.raw.prompt_eval_count
    if sample.prompt is None or count is None or sample.prompt.target_tokens == 0:
        return False
    return abs(count - sample.prompt.target_tokens) > prompt_tolerance(sample.prompt.target_tokens)


def cache_hit(sample: Sample, spec: CellSpec, cell: Sequence[Sample]) -> bool:
    """Said by Ollama (≥ 0.33.3), or seen as a prefill far faster than the siblings' median."""
    count, cached = sample.raw.prompt_eval_count, sample.raw.prompt_eval_cached_count
    if cached is not None and count is not None:
        return cached > max(CACHED_TOKENS_IGNORED, count * PROMPT_TOLERANCE)
    if spec.kind not in KINDS_WITH_TIMED_PROMPT or (count or 0) < CACHE_HIT_FROM_PROMPT_TOKENS:
        return False
    rate, others = _prefill(sample), _known(_prefill(other) for other in cell if other is not sample)
    if rate is None or len(others) < SIBLINGS_NEEDED:
        return False
    return rate > CACHE_HIT_TIMES_SIBLINGS * median(others)


def reloaded(sample: Sample, spec: CellSpec, cell: Sequence[Sample]) -> bool:
    """Whether this request waited for a load. In a load cell that is the point, so never there."""
    duration = sample.raw.load_duration
    if spec.kind == "load" or duration is None:
        return False
    others = _known(other.raw.load_duration for other in cell if other is not sample)
    if len(others) < SIBLINGS_NEEDED:
        return duration > RELOAD_ALONE_NS
    usual = median(others)
    return duration > max(RELOAD_TIMES_SIBLINGS * usual, usual + RELOAD_ABOVE_SIBLINGS_NS)


def missing_counters(raw: RawCounters, spec: CellSpec) -> list[str]:
    """The counters this kind of cell needs and Ollama did not send. One token has no eval_duration: it needs none."""
    needed = {"total_duration", "load_duration"}
    answers = spec.kind in KINDS_OF_FIXED_LENGTH or spec.kind == KIND_OF_FREE_LENGTH
    if answers and spec.output_tokens:  # 0: the load of a model that only embeds
        needed |= {"prompt_eval_count", "eval_count"}
    if spec.kind in KINDS_WITH_TIMED_PROMPT:
        needed.add("prompt_eval_duration")
    if answers and spec.output_tokens > 1:
        needed.add("eval_duration")
    return sorted(name for name in needed if getattr(raw, name) is None)


def nonsense_counters(sample: Sample) -> bool:
    """Whether the counters cannot be true: parts beyond the total, more time than passed, more chunks than tokens."""
    raw = sample.raw
    if sample.error is not None and sample.error.kind == BAD_COUNTERS_ERROR:
        return True
    parts = [part for part in (raw.load_duration, raw.prompt_eval_duration, raw.eval_duration) if part]
    if raw.total_duration is not None and _beyond(sum(parts), raw.total_duration):
        return True
    if sample.timing.e2e_ns is not None and _beyond(max([raw.total_duration or 0, *parts]), sample.timing.e2e_ns):
        return True
    if raw.eval_count is not None and len(sample.timing.chunk_ns) > raw.eval_count + CHUNKS_BEYOND_TOKENS:
        return True
    return (raw.eval_count or 0) > 1 and raw.eval_duration == 0


def _beyond(duration_ns: int, limit_ns: int) -> bool:
    return duration_ns > limit_ns * (1 + DURATION_TOLERANCE) + DURATION_TOLERANCE_NS


def _prefill(sample: Sample) -> Optional[float]:
    raw = sample.raw
    return prefill_rate(raw.prompt_eval_count, raw.prompt_eval_duration, raw.prompt_eval_cached_count).value


def _known(values: object) -> list[float]:
    return [value for value in values if value is not None]  # type: ignore[attr-defined]
