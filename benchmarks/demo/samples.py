"""The samples of one cell, as an agent would send them for a model of this speed."""

import hashlib
import random
from dataclasses import dataclass, replace

from agent.obt_agent.contract import CellRun, CellSpec, Placement, Prompt, RawCounters, Sample, Surroundings, Timing
from benchmarks.demo.speeds import Speed

NS = 1e9
WARM_LOAD_NS = 18_000_000
OVERHEAD_NS = 1_200_000
DEPTH_SLOWS = 0.000018  # of decoding, per token of context
CROWD_HELPS = 0.55  # of the rate of one that every further request at a time adds, up to MOST_AT_ONCE
MOST_AT_ONCE = 4
BETWEEN_S = 0.15
LONG_PROMPT = 0.000012  # of prefill, per token
STARTING_S = 0.02  # of a prompt, whatever its length
THROTTLED = "gpu_0.hw_thermal_slowdown"
THROTTLED_RATE = 0.72


@dataclass
class Bench:
    """Where samples are made: the machine's clock, its chance, how far its rates spread, what it is like inside."""

    speed: Speed
    size_bytes: int
    spread: float
    chance: random.Random
    version: str
    at_s: float = 0.0  # seconds since the job began

    @property
    def placement(self) -> Placement:
        return Placement(self.size_bytes, round(self.size_bytes * self.speed.gpu_share))


def cell_run(spec: CellSpec, bench: Bench, throttled: int = 0) -> CellRun:
    """The cell as it was run; the last `throttled` of its samples under a hot GPU."""
    begun = bench.at_s
    samples: list[Sample] = []
    for index in range(spec.warmups):
        samples += _round(spec, bench, index, True, False)
    for index in range(spec.repetitions):
        samples += _round(spec, bench, index, False, index >= spec.repetitions - throttled)
    took = bench.at_s - begun
    expected = took * bench.chance.uniform(0.85, 1.2)
    return CellRun(spec, samples, expected_s=round(expected, 3), took_s=round(took, 3))


def _round(spec: CellSpec, bench: Bench, index: int, warmup: bool, hot: bool) -> list[Sample]:
    several = spec.kind == "concurrency"
    made = [_sample(spec, bench, index, warmup, hot, slot if several else None) for slot in range(spec.concurrency)]
    bench.at_s += max(one.timing.e2e_ns or 0 for one in made) / NS + BETWEEN_S
    return made


def _sample(spec: CellSpec, bench: Bench, index: int, warmup: bool, hot: bool, slot: int | None) -> Sample:
    chance, speed = bench.chance, bench.speed
    at_once = min(spec.concurrency, MOST_AT_ONCE)
    slowed = (THROTTLED_RATE if hot else 1.0) * chance.lognormvariate(0, bench.spread) * (0.97 if warmup else 1.0)
    prompt = max((spec.depth + spec.prompt_tokens) * spec.batch, 1)
    crowded = (1 + CROWD_HELPS * (at_once - 1)) / at_once
    decode = speed.decode * slowed * crowded / (1 + DEPTH_SLOWS * prompt)
    filling = speed.prefill * chance.lognormvariate(0, bench.spread) / (1 + LONG_PROMPT * prompt) / spec.concurrency
    load_ns = _load_ns(spec, bench)
    prompt_ns = round((prompt / filling + STARTING_S * chance.uniform(0.9, 1.1)) * NS)
    output = spec.output_tokens
    decode_ns = round((output - 1) / decode * NS) if output > 1 else None
    waited = round(_waiting(spec, slot) * (decode_ns or 0))
    total = load_ns + prompt_ns + (decode_ns or 0) + waited + OVERHEAD_NS
    embeds = spec.kind == "embed" or output == 0
    raw = RawCounters(
        total_duration=total,
        load_duration=load_ns,
        prompt_eval_count=prompt,
        prompt_eval_duration=None if embeds else prompt_ns,
        eval_count=None if embeds else output,
        eval_duration=None if embeds else decode_ns,
        done=True,
        done_reason="length",
    )
    return Sample(
        spec.name,
        index,
        warmup,
        raw,
        _timing(bench, output, load_ns + prompt_ns + waited, decode_ns or 0, total, embeds),
        _prompt(spec, index, prompt),
        bench.placement,
        loaded_models=1,
        slot=slot,
        surroundings=Surroundings(
            server_version=bench.version, clock_step_s=0.0, throttle=[THROTTLED] if hot else [], expiry_off_s=0.0
        ),
    )


def _load_ns(spec: CellSpec, bench: Bench) -> int:
    if spec.kind == "load":
        return round(bench.speed.load_s * bench.chance.lognormvariate(0, 0.03) * NS)
    return round(WARM_LOAD_NS * bench.chance.uniform(0.9, 1.15))


def _waiting(spec: CellSpec, slot: int | None) -> float:
    """Answers that a request waits for before its own begins: so many are under way at a time."""
    return (slot or 0) // MOST_AT_ONCE if spec.kind == "concurrency" else 0.0


def _timing(bench: Bench, output: int, first_ns: int, decode_ns: int, total: int, embeds: bool) -> Timing:
    e2e = total + round(bench.chance.uniform(0.4, 1.6) * 1e6)
    if embeds:
        return Timing(start_s=round(bench.at_s, 4), e2e_ns=e2e)
    ttft = first_ns + 500_000
    step = decode_ns / max(output - 1, 1)
    return Timing(
        start_s=round(bench.at_s, 4),
        ttft_ns=ttft,
        ttfo_ns=ttft,
        last_token_ns=ttft + decode_ns,
        e2e_ns=e2e,
        chunk_ns=[ttft + round(i * step) for i in range(output)],
    )


def _prompt(spec: CellSpec, index: int, tokens: int) -> Prompt | None:
    if tokens <= 1:
        return None
    nonce = f"{spec.name}-{index}"
    return Prompt(tokens, round(tokens * 4.2), hashlib.sha256(nonce.encode()).hexdigest(), nonce)


def shortened(run: CellRun, kept: int, why: str) -> CellRun:
    """The same, stopped after so many of its samples."""
    return replace(run, samples=run.samples[:kept], stopped=why)
