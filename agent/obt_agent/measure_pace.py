"""How long the next sample will take, learned from the ones before it. Seconds; None while nothing is known."""

from __future__ import annotations

from typing import Optional

from .contract import CellSpec, RawCounters
from .metrics import NS_PER_S

# A load sample also waits for the unload and for memory to settle.
LOAD_PROCEDURE_S = 1.5
# Reading `/api/ps` and Ollama's own work beside the counted durations.
OVERHEAD_S = 0.02
# A shorter prompt is mostly fixed cost, and says little about a long one.
TELLING_PROMPT_TOKENS = 64


class Pace:
    """One model's speed on this machine, as far as it has been seen in this job."""

    def __init__(self) -> None:
        self._prefill_s_per_token: Optional[float] = None
        self._decode_s_per_token: Optional[float] = None
        self._load_s: Optional[float] = None
        self._by_cell: dict[str, float] = {}
        self._tokens_per_chunk = 1.0
        self._slowest_first_token_s: dict[str, float] = {}

    def learn(self, raw: RawCounters, chunks: int) -> None:
        """Take the speeds out of one answer's counters."""
        if raw.prompt_eval_count and raw.prompt_eval_duration:
            worked = max(1, raw.prompt_eval_count - (raw.prompt_eval_cached_count or 0))
            if worked >= TELLING_PROMPT_TOKENS or self._prefill_s_per_token is None:
                self._prefill_s_per_token = raw.prompt_eval_duration / worked / NS_PER_S
        if raw.eval_count and raw.eval_count > 1 and raw.eval_duration:
            self._decode_s_per_token = raw.eval_duration / (raw.eval_count - 1) / NS_PER_S
            self._tokens_per_chunk = raw.eval_count / chunks if chunks else 1.0
        if raw.load_duration is not None:
            self._load_s = max(self._load_s or 0.0, raw.load_duration / NS_PER_S)

    def learn_embedding(self, tokens: Optional[int], seconds: float) -> None:
        """Take the speed out of an answer that is timed only as a whole."""
        if tokens and seconds and (tokens >= TELLING_PROMPT_TOKENS or self._prefill_s_per_token is None):
            self._prefill_s_per_token = seconds / tokens

    @property
    def decode_rate(self) -> Optional[float]:
        """Tokens per second of the last single answer."""
        return 1 / self._decode_s_per_token if self._decode_s_per_token else None

    @property
    def load_s(self) -> float:
        """The longest load seen, 0 before the first."""
        return self._load_s or 0.0

    def took(self, cell: str, seconds: float, first_token_ns: Optional[int] = None) -> None:
        """Note how long one sample of a cell took in all, and its wait for the first token."""
        self._by_cell[cell] = seconds
        waited = (first_token_ns or 0) / NS_PER_S
        self._slowest_first_token_s[cell] = max(waited, self._slowest_first_token_s.get(cell, 0.0))

    @property
    def tokens_per_chunk(self) -> float:
        """Output tokens in a stream chunk, by the last answer; 1 until one is known."""
        return self._tokens_per_chunk

    def slowest_first_token_s(self, cell: str) -> float:
        """The longest wait for a first token in this cell so far, 0 before the first."""
        return self._slowest_first_token_s.get(cell, 0.0)

    def sample_s(self, spec: CellSpec) -> Optional[float]:
        """The next sample's time: as the last one of the cell, else from the speeds."""
        if spec.name in self._by_cell:
            return self._by_cell[spec.name]
        if spec.kind == "load":
            return None if self._load_s is None else self._load_s + LOAD_PROCEDURE_S
        if self._prefill_s_per_token is None:
            return None
        prompt_s = (spec.depth + spec.prompt_tokens) * spec.batch * self._prefill_s_per_token
        output = max(0, spec.output_tokens - 1)
        if output and self._decode_s_per_token is None:
            return None
        requests = spec.concurrency if spec.kind == "concurrency" else 1  # at worst one after the other
        return requests * (prompt_s + output * (self._decode_s_per_token or 0.0)) + OVERHEAD_S
