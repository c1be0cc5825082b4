"""Every number OBT publishes, as a pure function of raw counts and nanoseconds. Agent and server both use this file.

A function returns `Metric(value, unit)`, or `Metric(None, unit, reason)` when the number does not exist: a missing
counter never becomes a 0. `derive` picks what applies to a cell's kind; `FORMULAS` is the text shown beside a number.

Source of the definitions: Ollama's API (`docs/api.md`, durations in nanoseconds) and its runners' sources for what the
durations cover. `eval_count` includes the first token while `eval_duration` starts after it, hence the −1 below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable, Optional

from .contract import CellSpec, Placement, RawCounters, Sample, Timing
from .engines import Engine
from .statistics import median

NS_PER_S = 1e9
NS_PER_MS = 1e6

TOKENS_PER_S = "tok/s"
MILLISECONDS = "ms"
SECONDS = "s"
PERCENT = "%"
JOULES_PER_TOKEN = "J/tok"  # noqa: S105 (a unit)
REQUESTS_PER_S = "req/s"
ITEMS_PER_S = "items/s"
REQUESTS = "req"


@dataclass(frozen=True)
class Metric:
    """A number with its unit; or no number, and the reason in words."""

    value: Optional[float]
    unit: str
    reason: Optional[str] = None


FORMULAS: dict[str, str] = {
    "ttft": "first non-empty token of any kind − request start",
    "ttfo": "first non-empty token that is not thinking − request start",
    "itl": "(last token − first token) ÷ (output tokens − 1)",
    "icl": "median gap between stream chunks",
    "e2e_latency": "final message − request start",
    "prefill_rate": "(prompt_eval_count − cached) ÷ prompt_eval_duration",
    "decode_rate": "(eval_count − 1) ÷ eval_duration (eval_count ÷ eval_duration on MLX)",
    "load_time": "load_duration of the first request after an unload, page cache warm; resolution about 0.25 s",
    "output_throughput": "Σ output tokens ÷ makespan of the concurrent requests",
    "observed_parallelism": "most requests of a round between first and last token, less a tenth at each end, at once",
    "ttft_spread": "longest − shortest TTFT of the round's requests",
    "queueing": "total_duration − load_duration − prompt_eval_duration − eval_duration: an estimate of the waiting",
    "item_rate": "texts in the request ÷ (answer complete − request start)",
    "input_token_rate": "prompt_eval_count ÷ (answer complete − request start)",
    "goodput": "requests that met every stated limit (TTFT, ITL, end to end) ÷ makespan of the concurrent requests",
    "energy_per_output_token": "energy of all GPUs from the first to the last token ÷ output tokens",
    "energy_per_output_token_net": "(that energy − idle power before the first cell × its seconds) ÷ output tokens",
    "energy_per_prompt_token": "energy of all GPUs from loaded to the first token ÷ (prompt_eval_count − cached)",
    "energy_per_prompt_token_net": "(that energy − idle power × its seconds) ÷ (prompt_eval_count − cached)",
    "gpu_share": "size_vram ÷ size",
}

# The number that stands for a cell where there is room for one.
HEADLINE: dict[str, str] = {
    "load": "load_time",
    "prefill": "prefill_rate",
    "decode": "decode_rate",
    "chat": "ttft",
    "concurrency": "output_throughput",
    "embed": "item_rate",
    "prompt": "ttft",
}

_CHAT = ("ttft", "ttfo", "itl", "icl", "e2e_latency", "decode_rate", "prefill_rate", "gpu_share")

# What one sample of each kind publishes. A prefill cell asks for one token and so has no decode rate; a load cell's
# first token waits for the load, so it has no TTFT; a short prompt says nothing about prefill.
APPLICABLE: dict[str, tuple[str, ...]] = {
    "load": ("load_time", "e2e_latency", "gpu_share"),
    "prefill": ("prefill_rate", "ttft", "e2e_latency", "gpu_share"),
    "decode": ("decode_rate", "itl", "icl", "e2e_latency", "gpu_share"),
    "chat": _CHAT,
    "concurrency": ("ttft", "ttfo", "itl", "icl", "e2e_latency", "queueing", "decode_rate", "gpu_share"),
    "embed": ("item_rate", "input_token_rate", "e2e_latency", "gpu_share"),
    "prompt": _CHAT,
}


def decode_rate(eval_count: Optional[int], eval_duration: Optional[int], engine: Engine = Engine.GO_RUNNER) -> Metric:
    """Tokens per second of decoding: (eval_count − 1) / eval_duration, in tokens and nanoseconds.

    MLX's runner times the first token as well, so there it is eval_count / eval_duration.
    """
    if eval_count is None:
        return Metric(None, TOKENS_PER_S, "Ollama sent no eval_count")
    if not eval_duration or eval_duration < 0:
        return Metric(None, TOKENS_PER_S, "Ollama sent no eval_duration")
    timed = eval_count if engine.first_token_is_timed else eval_count - 1
    if timed < 1:
        return Metric(None, TOKENS_PER_S, "one token has no decode rate: the clock starts after the first")
    return Metric(timed / eval_duration * NS_PER_S, TOKENS_PER_S)


def prefill_rate(
    prompt_eval_count: Optional[int], prompt_eval_duration: Optional[int], cached: Optional[int] = None
) -> Metric:
    """Tokens per second of prompt processing: (prompt_eval_count − cached) / prompt_eval_duration (ns).

    The duration covers uncached work only. `cached` is `prompt_eval_cached_count` (Ollama ≥ 0.33.3), None before;
    pass None for 0.30.0 as well, whose count leaves the cached tokens out already.
    """
    if prompt_eval_count is None:
        return Metric(None, TOKENS_PER_S, "Ollama sent no prompt_eval_count")
    if not prompt_eval_duration or prompt_eval_duration < 0:
        return Metric(None, TOKENS_PER_S, "Ollama sent no prompt_eval_duration")
    worked = prompt_eval_count - (cached or 0)
    if worked < 1:
        return Metric(None, TOKENS_PER_S, "the whole prompt came from the cache")
    return Metric(worked / prompt_eval_duration * NS_PER_S, TOKENS_PER_S)


def ttft(ttft_ns: Optional[int]) -> Metric:
    """Time to first token in ms: request start to the first non-empty token of any kind, thinking included."""
    return _milliseconds(ttft_ns, "no token arrived")


def ttfo(ttfo_ns: Optional[int]) -> Metric:
    """Time to first output token in ms: request start to the first non-empty token that is not thinking."""
    return _milliseconds(ttfo_ns, "no answer token arrived")


def e2e_latency(e2e_ns: Optional[int]) -> Metric:
    """End-to-end latency in ms: request start to the final message."""
    return _milliseconds(e2e_ns, "the final message did not arrive")


def itl(first_ns: Optional[int], last_ns: Optional[int], output_tokens: Optional[int]) -> Metric:
    """Inter-token latency in ms: (last token − first token) / (output tokens − 1), tokens by Ollama's eval_count."""
    if first_ns is None or last_ns is None:
        return Metric(None, MILLISECONDS, "no token arrived")
    if output_tokens is None:
        return Metric(None, MILLISECONDS, "Ollama sent no eval_count")
    if output_tokens < 2 or last_ns <= first_ns:
        return Metric(None, MILLISECONDS, "fewer than two tokens were seen arriving")
    return Metric((last_ns - first_ns) / (output_tokens - 1) / NS_PER_MS, MILLISECONDS)


def icl(chunk_ns: Sequence[int]) -> Metric:
    """Inter-chunk latency in ms: the median gap between non-empty stream chunks. A chunk is not a token."""
    if len(chunk_ns) < 2:
        return Metric(None, MILLISECONDS, "fewer than two chunks arrived")
    gaps = [later - earlier for earlier, later in zip(chunk_ns, chunk_ns[1:])]
    return Metric(median(gaps) / NS_PER_MS, MILLISECONDS)


def load_time(load_duration: Optional[int]) -> Metric:
    """Seconds from request to runner ready (`load_duration`, ns). Meaningful only right after an unload."""
    if load_duration is None:
        return Metric(None, SECONDS, "Ollama sent no load_duration")
    return Metric(load_duration / NS_PER_S, SECONDS)


def output_throughput(output_tokens: Sequence[Optional[int]], makespan_ns: Optional[int]) -> Metric:
    """Tokens per second of a round: Σ output tokens / (last final message − first request start)."""
    counts = [count for count in output_tokens if count is not None]
    if not counts or len(counts) < len(output_tokens):
        return Metric(None, TOKENS_PER_S, "a request of the round has no eval_count")
    if not makespan_ns or makespan_ns < 0:
        return Metric(None, TOKENS_PER_S, "the round has no duration")
    return Metric(sum(counts) / makespan_ns * NS_PER_S, TOKENS_PER_S)


def goodput(met_every_limit: Sequence[bool], duration_ns: Optional[int]) -> Metric:
    """Requests per second that met every stated limit, one flag per request, over the duration of all."""
    if not duration_ns or duration_ns < 0:
        return Metric(None, REQUESTS_PER_S, "the requests have no duration")
    return Metric(sum(met_every_limit) / duration_ns * NS_PER_S, REQUESTS_PER_S)


def queueing(raw: RawCounters) -> Metric:
    """Estimated wait inside a loaded model in ms: what Ollama's total has beyond load, prompt and decoding.

    No field of Ollama's holds it. The first token's own sampling and Ollama's overhead are in it too.
    """
    parts = (raw.total_duration, raw.load_duration, raw.prompt_eval_duration, raw.eval_duration)
    total, load, prompt, decode = parts
    if total is None or load is None or prompt is None or decode is None:
        return Metric(None, MILLISECONDS, "Ollama did not send all durations")
    return Metric(max(0, total - load - prompt - decode) / NS_PER_MS, MILLISECONDS)


def per_second(count: Optional[int], duration_ns: Optional[int], unit: str) -> Metric:
    """`count` of something per second of the agent's own clock, for answers that Ollama times only as a whole."""
    if not duration_ns or duration_ns < 0:
        return Metric(None, unit, "the answer did not arrive")
    if not count:
        return Metric(None, unit, "Ollama did not count them")
    return Metric(count / duration_ns * NS_PER_S, unit)


def gpu_share(size_bytes: Optional[int], size_vram_bytes: Optional[int]) -> Metric:
    """Percent of the model in GPU memory: size_vram / size of `/api/ps`. 0 is a model wholly in main memory."""
    if not size_bytes or size_vram_bytes is None:
        return Metric(None, PERCENT, "Ollama did not list the loaded model's size")
    return Metric(100 * size_vram_bytes / size_bytes, PERCENT)


def energy_per_output_token(
    energy_j: Optional[float], output_tokens: Optional[int], idle_w: Optional[float] = None, phase_s: float = 0
) -> Metric:
    """Joules per output token over the decode phase. Gross; net of idle where `idle_w` and `phase_s` are given."""
    if energy_j is None:
        return Metric(None, JOULES_PER_TOKEN, "no energy could be read on this machine")
    if not output_tokens or output_tokens < 0:
        return Metric(None, JOULES_PER_TOKEN, "no output tokens were counted")
    return Metric((energy_j - (idle_w or 0) * phase_s) / output_tokens, JOULES_PER_TOKEN)


def derive(
    sample: Sample, spec: CellSpec, engine: Engine = Engine.GO_RUNNER, count_is_uncached: bool = False
) -> dict[str, Metric]:
    """Every metric that applies to this sample's kind of cell, with a reason where it has no value.

    `count_is_uncached`: see `engines.counts_uncached_only`. Metrics of a whole round are in `rounds.py`.
    """
    sources = _Sources(sample.raw, sample.timing, sample.placement, engine, count_is_uncached, spec.batch)
    return {name: _FROM_SAMPLE[name](sources) for name in APPLICABLE[spec.kind]}


@dataclass(frozen=True)
class _Sources:
    raw: RawCounters
    timing: Timing
    placement: Optional[Placement]
    engine: Engine
    count_is_uncached: bool
    batch: int

    @property
    def cached(self) -> Optional[int]:
        return None if self.count_is_uncached else self.raw.prompt_eval_cached_count


def _gpu_share_of(placement: Optional[Placement]) -> Metric:
    return gpu_share(placement.size_bytes, placement.size_vram_bytes) if placement else gpu_share(None, None)


_FROM_SAMPLE: dict[str, Callable[[_Sources], Metric]] = {
    "ttft": lambda s: ttft(s.timing.ttft_ns),
    "ttfo": lambda s: ttfo(s.timing.ttfo_ns),
    "itl": lambda s: itl(s.timing.ttft_ns, s.timing.last_token_ns, s.raw.eval_count),
    "icl": lambda s: icl(s.timing.chunk_ns),
    "e2e_latency": lambda s: e2e_latency(s.timing.e2e_ns),
    "decode_rate": lambda s: decode_rate(s.raw.eval_count, s.raw.eval_duration, s.engine),
    "prefill_rate": lambda s: prefill_rate(s.raw.prompt_eval_count, s.raw.prompt_eval_duration, s.cached),
    "load_time": lambda s: load_time(s.raw.load_duration),
    "queueing": lambda s: queueing(s.raw),
    "item_rate": lambda s: per_second(s.batch, s.timing.e2e_ns, ITEMS_PER_S),
    "input_token_rate": lambda s: per_second(s.raw.prompt_eval_count, s.timing.e2e_ns, TOKENS_PER_S),
    "gpu_share": lambda s: _gpu_share_of(s.placement),
}


def _milliseconds(value_ns: Optional[int], reason: str) -> Metric:
    if value_ns is None:
        return Metric(None, MILLISECONDS, reason)
    return Metric(value_ns / NS_PER_MS, MILLISECONDS)
