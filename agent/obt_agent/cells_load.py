"""The load cell: how long the model takes from nothing to ready, its weights still in the page cache.

Each sample unloads the model, waits until `/api/ps` no longer lists it and memory has settled, then asks for one token
(a model that only embeds: for one vector).
The number is that answer's `load_duration`. Afterwards the model is loaded, as the other cells need it.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Optional

from .cells_bench import Bench
from .cells_embed import embed_sample
from .contract import CellSpec, HostReading, Sample, SampleError
from .ollama import OllamaError

GONE_TIMEOUT_S = 30.0
POLL_S = 0.05
# The telemetry reads every 0.2 s: two readings apart see a change.
SETTLE_POLL_S = 0.25
SETTLE_TIMEOUT_S = 5.0
SETTLED_WITHIN_BYTES = 32 * 1024 * 1024
NOT_UNLOADED_ERROR = "not_unloaded"


def take_load(bench: Bench, spec: CellSpec, index: int, warmup: bool) -> list[Sample]:
    """One load. A model that would not go, or an Ollama that would not say, makes a failed sample."""
    problem = unload(bench)
    settle(bench)
    sample = load_sample(bench, spec, index, warmup)
    if problem is not None and sample.error is None:
        sample = dataclasses.replace(sample, error=problem)
    return [sample]


def load_sample(bench: Bench, spec: CellSpec, index: int, warmup: bool) -> Sample:
    """The request that loads: for one token, or for one text's vector where the model has no tokens to give."""
    if bench.only_embeds:
        return embed_sample(bench, spec, index, warmup, target_tokens=0, batch=1, may_load=True)
    return bench.measure(spec, index, warmup, target_tokens=0, may_load=True)


def unload(bench: Bench) -> Optional[SampleError]:
    """Drop the model and wait until it is gone. Returns why it is not, None when it is."""
    try:
        bench.ollama.unload(bench.offer.model)
        deadline = time.monotonic() + GONE_TIMEOUT_S
        while any(bench.is_ours(model) for model in bench.ollama.ps()):
            if time.monotonic() > deadline:
                message = f"Ollama still listed the model {GONE_TIMEOUT_S:.0f} s after it was asked to unload it"
                return SampleError(NOT_UNLOADED_ERROR, message)
            bench.pause(POLL_S)
    except OllamaError as error:
        return SampleError(error.kind, error.message)
    return None


def settle(bench: Bench) -> None:
    """Wait until used memory stays the same, in main memory and on every GPU; what cannot be read is not waited for."""
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    before = used_bytes(bench.recorder.latest())
    while time.monotonic() < deadline:
        bench.pause(SETTLE_POLL_S)
        now = used_bytes(bench.recorder.latest())
        if all(abs(now[name] - before[name]) <= SETTLED_WITHIN_BYTES for name in now if name in before):
            return
        before = now


def used_bytes(reading: HostReading) -> dict[str, int]:
    """Used memory by where it is."""
    used = {f"gpu_{gpu.index}": gpu.memory_used_bytes for gpu in reading.gpus}
    used["main"] = reading.memory_used_bytes
    return {name: size for name, size in used.items() if size is not None}
