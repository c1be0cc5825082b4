"""Ollama's eras: the same API, counters that mean different things. Each is a mode of the simulator.

What an era does is taken from Ollama's own sources, issues and pull requests, which its `source` names. Only what
changes numbers, truncation or caching is simulated. The child process of 0.30 and later is not: an engine's process
says nothing over HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .clock import NS_PER_S

NS_PER_MS = NS_PER_S // 1000
GIB = 1024**3
SIMULATOR_MARK = "-obt-simulator"
"""Agents know a simulator by the word in its version."""

CUT_MIDDLE = "cut_middle"
CUT_TO_HALF = "cut_to_half"
REFUSE = "refuse"


@dataclass(frozen=True)
class Era:
    """How one range of releases behaves.

    `overflow`: what becomes of a prompt that does not fit and may be cut. `knows_truncate`: whether `truncate` false is
    heard. `counts_cached`: whether `prompt_eval_count` has the cached tokens. `tells_cached`: whether
    `prompt_eval_cached_count` is sent. `times_first_token`: whether `eval_duration` begins before the first token.
    `times_last_batch_only`: whether `prompt_eval_duration` leaves out all batches but the last. `step_ns`: what the
    runner's durations are cut to. `least_decode_ns`: the shortest `eval_duration`. `kept_prompts_bytes`: memory for
    prompts that lost their slot. `is_serial`: whether a model answers one request at a time whatever was asked for.
    """

    name: str
    version: str
    source: str
    model_format: str = "gguf"
    overflow: str = CUT_MIDDLE
    knows_truncate: bool = True
    counts_cached: bool = True
    tells_cached: bool = False
    times_first_token: bool = False
    times_last_batch_only: bool = False
    step_ns: int = 1
    least_decode_ns: int = 0
    kept_prompts_bytes: int = 0
    is_serial: bool = False

    @property
    def marked_version(self) -> str:
        """What `/api/version` says."""
        return f"{self.version}{SIMULATOR_MARK}"

    @property
    def has_llama_server(self) -> bool:
        """Whether a child process llama-server computes, with its own words for what goes wrong."""
        return self.overflow == CUT_TO_HALF


_LLAMA_SERVER: dict[str, Any] = {
    "overflow": CUT_TO_HALF,
    "kept_prompts_bytes": 8 * GIB,
    "least_decode_ns": 1000,
}
_LLAMA_SERVER_SOURCE = (
    "ollama llm/llama_server.go: completionPromptForRequest and contextShiftPromptLimit cut a prompt longer than "
    "num_ctx - 1 to num_ctx less half of what num_keep leaves; CachePrompt is always true. llama.cpp PR #16391 and "
    "ollama issue #18264: prompts that lose their slot are kept in 8192 MiB of main memory. llama.cpp "
    "tools/server: t_token_generation is at least 1 µs."
)

ERAS: dict[str, Era] = {
    era.name: era
    for era in (
        Era(
            "0.6.1", "0.6.1",
            "ollama runner/llamarunner/runner.go up to 0.6.1: PromptMS and PredictedMS are whole milliseconds; "
            "docs/api.md of then has no `truncate` for generate",
            knows_truncate=False, step_ns=NS_PER_MS,
        ),
        Era(
            "0.12.5", "0.12.5",
            "ollama PR #12742: 0.12.5 and 0.12.6 time the last batch of a prompt only (139,357 tok/s for 4,212); "
            "`truncate` is read since 0.12.6",
            knows_truncate=False, times_last_batch_only=True,
        ),
        Era("0.24", "0.24.0", "Ollama 0.24.0 itself: test_simulator_contract.py runs against both"),
        Era(
            "0.30.0", "0.30.0",
            f"ollama issue #16414: prompt_eval_count is llama-server's prompt_n, the uncached tokens. "
            f"{_LLAMA_SERVER_SOURCE}",
            counts_cached=False, **_LLAMA_SERVER,
        ),
        Era(
            "0.30.1", "0.30.1",
            f"ollama PR #16428: prompt_eval_count is cache_n + prompt_n. {_LLAMA_SERVER_SOURCE}",
            **_LLAMA_SERVER,
        ),
        Era(
            "0.33.3", "0.33.3",
            f"ollama PR #16916 and api/types.go: PromptEvalCachedCount is a pointer, so a 0 is sent. "
            f"{_LLAMA_SERVER_SOURCE}",
            tells_cached=True, **_LLAMA_SERVER,
        ),
        Era(
            "mlx", "0.33.3",
            "ollama x/mlxrunner/pipeline.go: prefill leaves one token to decode, so eval_duration covers all N of "
            "eval_count; prompts as long as the context are refused, never cut; requests follow one another; "
            "cache_trie.go keeps several prompts",
            model_format="safetensors", overflow=REFUSE, tells_cached=True, times_first_token=True,
            kept_prompts_bytes=8 * GIB, is_serial=True,
        ),
    )
}  # fmt: skip
TODAY = ERAS["0.24"]


def era_named(name: str) -> Era:
    """The era of that name. Raise `ValueError` with the known ones."""
    if name not in ERAS:
        raise ValueError(f"unknown era {name!r}; known: {', '.join(ERAS)}")
    return ERAS[name]
