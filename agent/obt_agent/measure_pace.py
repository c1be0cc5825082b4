"""How long the next sample will take, learned from the ones before it. Seconds; None while nothing is known."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Optional

from .contract import CellSpec, PinnedOptions, RawCounters
from .measure_setting import Setting, setting_of
from .metrics import NS_PER_S
from .prompts import FIRST_GUESS_TOKENS_PER_CHARACTER
from .statistics import median

# A load sample also waits for the unload and for memory to settle.
LOAD_PROCEDURE_S = 1.5
# Reading `/api/ps` and Ollama's own work beside the counted durations.
OVERHEAD_S = 0.02
# One hiccup must not shed a cell, and a machine that slows down must be noticed.
RECENT_ROUNDS = 3


@dataclass
class Speeds:
    """Seconds a token by the length of the prompt: of the prompt itself, and of an answer after it. Empty: unknown.

    Both depend on the length: attention makes long prompts dearer, fixed costs the short ones.
    """

    prefill: dict[int, float] = field(default_factory=dict)
    decode: dict[int, float] = field(default_factory=dict)
    latest_decode: Optional[float] = None


def nearest(speeds: dict[int, float], tokens: float) -> Optional[float]:
    """The speed at the length closest in proportion; None when none is known."""
    if not speeds:
        return None
    return speeds[min(speeds, key=lambda length: abs(math.log((length + 1) / (tokens + 1))))]


class Pace:
    """One model's speed on this machine, as far as it has been seen in this job.

    Kept for each choice of layers, threads and batches; where one has shown nothing yet, the one before it speaks.
    `pinned`: the job's options. `tokens_per_character`: of the model's tokeniser, to guess the length of fixed prompts.
    """

    def __init__(self, pinned: Optional[PinnedOptions] = None) -> None:
        self.tokens_per_character = FIRST_GUESS_TOKENS_PER_CHARACTER
        self._pinned = pinned or PinnedOptions()
        self._now = Speeds()
        self._by_compute: dict[tuple[Optional[int], ...], Speeds] = {}
        self._load_s: Optional[float] = None
        self._by_cell: dict[str, list[float]] = {}
        self._tokens_per_chunk = 1.0
        self._slowest_first_token_s: dict[str, float] = {}

    def enter(self, setting: Setting) -> None:
        """What is learned from here on is of this setting."""
        self._now = self._by_compute.setdefault(setting.compute, Speeds())

    @property
    def is_probed(self) -> bool:
        """Whether the present setting's prompt speed is known."""
        return bool(self._now.prefill)

    def learn(self, raw: RawCounters, chunks: int) -> None:
        """Take the speeds out of one answer's counters."""
        if raw.prompt_eval_count and raw.prompt_eval_duration:
            worked = max(1, raw.prompt_eval_count - (raw.prompt_eval_cached_count or 0))
            self._now.prefill[worked] = raw.prompt_eval_duration / worked / NS_PER_S
        if raw.eval_count and raw.eval_count > 1 and raw.eval_duration:
            each_s = raw.eval_duration / (raw.eval_count - 1) / NS_PER_S
            self._now.latest_decode = self._now.decode[raw.prompt_eval_count or 0] = each_s
            self._tokens_per_chunk = raw.eval_count / chunks if chunks else 1.0
        if raw.load_duration is not None:
            self._load_s = max(self._load_s or 0.0, raw.load_duration / NS_PER_S)

    def learn_embedding(self, tokens: Optional[int], seconds: float) -> None:
        """Take the speed out of an answer that is timed only as a whole."""
        if tokens and seconds:
            self._now.prefill[tokens] = seconds / tokens

    @property
    def decode_rate(self) -> Optional[float]:
        """Tokens per second of the last single answer with the present setting."""
        return 1 / self._now.latest_decode if self._now.latest_decode else None

    @property
    def load_s(self) -> float:
        """The longest load seen, 0 before the first."""
        return self._load_s or 0.0

    def took(self, cell: str, seconds: float, first_token_ns: Optional[int] = None) -> None:
        """Note how long one round of a cell took in all, and its longest wait for a first token."""
        self._by_cell[cell] = [*self._by_cell.get(cell, []), seconds][-RECENT_ROUNDS:]
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
        """The next round's time: the median of the cell's last three, else from the speeds."""
        if spec.name in self._by_cell:
            return median(self._by_cell[spec.name])
        if spec.kind == "load":
            return None if self._load_s is None else self._load_s + LOAD_PROCEDURE_S
        speeds, prompt = self._speeds_of(spec), self._prompt_tokens(spec)
        prefill_s, decode_s = nearest(speeds.prefill, prompt), nearest(speeds.decode, prompt)
        output = max(0, spec.output_tokens - 1)
        if prefill_s is None or (output and decode_s is None):
            return None
        requests = spec.concurrency if spec.kind == "concurrency" else 1  # at worst one after the other
        return requests * (prompt * prefill_s + output * (decode_s or 0.0)) + OVERHEAD_S

    def _speeds_of(self, spec: CellSpec) -> Speeds:
        found = self._by_compute.get(setting_of(spec, self._pinned).compute)
        return found if found is not None and found.prefill else self._now

    def _prompt_tokens(self, spec: CellSpec) -> float:
        written = len(spec.text or "") * self.tokens_per_character
        return (spec.depth + spec.prompt_tokens) * spec.batch + written
