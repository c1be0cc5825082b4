"""One request on a loaded model: prompt cache, prefill, the decode schedule, and the honest counters.

The schedule is absolute: token k is due at the first token plus (k − 1) intervals, so lateness does not add up. The
counters are measured on the same clock when the tokens fall due, so they agree with what a client sees.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from .clock import NS_PER_S, ClientWatch, now_ns
from .eras import CUT_TO_HALF, REFUSE, TODAY, Era
from .errors import OllamaError
from .faults import CACHE_HIT, EARLY_STOP, SLOW_START, WRONG_COUNTS, FaultPlan
from .parsing import Options
from .scheduler import Runner
from .slots import Slot
from .text import ANSWER, Manner, Token, speech

NOISE_SHARE = 0.01
NOISE_LIMIT_SHARE = 0.03
SLOT_COST_SHARE = 0.3
"""Each further sequence that computes at the same time slows all by this share of one alone."""
KEPT_AT_TRUNCATION = 5
"""Tokens kept from the start of a prompt that is cut: num_keep 4 and BOS."""
ENDLESS_FACTOR = 10
"""`num_predict` below 0 ends after so many times num_ctx."""
TOO_LONG = "the input length exceeds the context length"


@dataclass
class Counters:
    """What happened, from which the last line of a stream is made. Durations in nanoseconds, without load and queueing.

    `prompt_tokens` is the whole prompt, `cached_tokens` the part of it that was in the cache; `prefill_ns` covers the
    uncached part only. `tokens` counts the first token, `decode_ns` starts after it, except on MLX.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    prefill_ns: int = 0
    tokens: int = 0
    decode_ns: int = 0
    done_reason: str = "length"


@dataclass(frozen=True)
class Chunk:
    """A piece of output as it is sent: whole characters, no part of a stop string."""

    text: str
    channel: str
    tokens: int


@dataclass
class Generation:
    """One request's run. Iterate over `chunks`, then read `counters`."""

    runner: Runner
    options: Options
    prompt: list[str]
    seed: str
    speed: float
    watch: ClientWatch
    plan: FaultPlan
    thinks: bool = False
    shift: bool = True
    era: Era = TODAY
    counters: Counters = field(default_factory=Counters)
    _held: list[Token] = field(default_factory=list)

    def chunks(self) -> Iterator[Chunk]:
        """Wait for a slot, compute the prompt, then yield each chunk when it is due."""
        with self.runner.pool.slot(self.prompt, self.watch) as slot:
            pace = _Pace(self.runner, self.seed, self.speed)
            if fault := self.plan.get(SLOW_START):
                self.watch.wait_s(fault.seconds or 0.0)
            self._prefill(slot, pace)
            yield from self._decode(slot, pace)
            if fault := self.plan.get(WRONG_COUNTS):
                self.counters.tokens += fault.delta

    def _prefill(self, slot: Slot, pace: _Pace) -> None:
        cached = slot.begin(self.prompt)
        if fault := self.plan.get(CACHE_HIT):
            cached = max(cached, len(self.prompt) - max(fault.after_tokens, 1))
        start_ns = now_ns()
        self.watch.wait_until(start_ns + pace.prefill_ns(len(self.prompt) - cached))
        slot.tokens = list(self.prompt)
        self.counters.prompt_tokens, self.counters.cached_tokens = len(self.prompt), cached
        self.counters.prefill_ns = now_ns() - start_ns

    def _decode(self, slot: Slot, pace: _Pace) -> Iterator[Chunk]:
        due_ns = first_ns = now_ns()
        for token in speech(self._manner(), self._rng()):
            if self.counters.tokens or self.era.times_first_token:
                due_ns += pace.interval_ns(len(self.prompt))
                self.watch.wait_until(due_ns)
                self.counters.decode_ns = now_ns() - first_ns
            self.counters.tokens += 1
            if self._is_end(token):
                break
            self._held.append(token)
            yield from self._release()
            slot.tokens.append(token.text.decode(errors="replace"))
            if self._is_over(len(slot.tokens)):
                break
        yield from self._flush()

    def _is_end(self, token: Token) -> bool:
        if token.is_end or self.plan.due(EARLY_STOP, self.counters.tokens - 1):
            self.counters.done_reason = "stop"
            return True
        return False

    def _is_over(self, length: int) -> bool:
        limit = self.options.num_predict
        endless = ENDLESS_FACTOR * self.runner.options.num_ctx
        if limit < 0 or limit > endless:
            limit = endless
        is_full = not self.shift and length > self.runner.options.num_ctx
        return self.counters.done_reason == "stop" or 0 < limit <= self.counters.tokens or is_full

    def _release(self) -> Iterator[Chunk]:
        """Send what is held unless it may still become a stop string or a whole character."""
        text = b"".join(token.text for token in self._held).decode(errors="surrogateescape")
        found = [text.find(stop) for stop in self.options.stop if stop and stop in text]
        if found:
            self.counters.done_reason = "stop"
            self._held = [Token(text[: min(found)].encode(errors="surrogateescape"), self._held[-1].channel)]
            return
        if not _may_become_stop(text, self.options.stop) and _is_whole(text):
            yield from self._flush()

    def _flush(self) -> Iterator[Chunk]:
        text = b"".join(token.text for token in self._held).decode(errors="ignore")
        channel = self._held[-1].channel if self._held else ANSWER
        has_something = bool(text)
        self._held = []
        if has_something:
            yield Chunk(text, channel, self.counters.tokens)

    def _manner(self) -> Manner:
        spec = self.runner.spec
        return Manner(spec.end_probability, spec.sign_every, self.thinks)

    def _rng(self) -> random.Random:
        """Temperature 0 answers a prompt always alike; otherwise the seed decides, and without one, chance."""
        if self.options.temperature == 0:
            return random.Random(" ".join(self.prompt))  # noqa: S311 (no secret)
        if self.options.seed >= 0:
            return random.Random(f"{self.options.seed} {' '.join(self.prompt)}")  # noqa: S311
        return random.Random()  # noqa: S311


class _Pace:
    """How fast one request goes: the model's speed, one noise factor per request, and who else computes."""

    def __init__(self, runner: Runner, seed: str, speed: float) -> None:
        noise = random.Random(seed).gauss(0, NOISE_SHARE)  # noqa: S311
        self._factor = (1 + max(-NOISE_LIMIT_SHARE, min(NOISE_LIMIT_SHARE, noise))) * runner.speed * speed
        self._runner = runner

    def prefill_ns(self, tokens: int) -> int:
        """Time for `tokens` of prompt; never less than one decode step takes."""
        work_s = max(tokens / self._runner.spec.prefill_tps, 1 / self._runner.spec.decode_tps)
        return int(work_s / self._factor * self._crowding() * NS_PER_S)

    def interval_ns(self, depth: int) -> int:
        """Time from one token to the next after a prompt of `depth` tokens."""
        spec = self._runner.spec
        work_s = (1 + spec.depth_cost_per_1k * depth / 1000) / spec.decode_tps
        return int(work_s / self._factor * self._crowding() * NS_PER_S)

    def _crowding(self) -> float:
        return 1 + SLOT_COST_SHARE * (max(self._runner.pool.active, 1) - 1)


def fit_prompt(tokens: list[str], num_ctx: int, truncate: bool, era: Era = TODAY) -> list[str]:
    """The prompt, cut by leaving out its middle where it is too long. Raise 400 when it may not be cut.

    Up to 0.24 it is cut to `num_ctx` tokens. Since 0.30 the last place is the answer's, and the cut leaves about half
    of `num_ctx` free. MLX cuts nothing.
    """
    most = num_ctx if era.overflow not in (CUT_TO_HALF, REFUSE) else num_ctx - 1
    if len(tokens) <= most:
        return tokens
    if era.overflow == REFUSE or (not truncate and era.knows_truncate):
        raise OllamaError(400, _too_long(len(tokens), num_ctx, era))
    keep = min(KEPT_AT_TRUNCATION, num_ctx - 1)
    length = num_ctx - max((num_ctx - keep) // 2, 1) if era.overflow == CUT_TO_HALF else num_ctx
    return tokens[:keep] + tokens[len(tokens) - (length - keep) :]


def _too_long(tokens: int, num_ctx: int, era: Era) -> str:
    if era.overflow == REFUSE:
        return f"input length ({tokens} tokens) exceeds the model's maximum context length ({num_ctx} tokens)"
    if era.has_llama_server:  # its own JSON, handed on as text
        said = f"request ({tokens} tokens) exceeds the available context size ({num_ctx} tokens), try increasing it"
        error = {"code": 400, "message": said, "type": "exceed_context_size_error"}
        return json.dumps({"error": {**error, "n_prompt_tokens": tokens, "n_ctx": num_ctx}}, separators=(",", ":"))
    return TOO_LONG


def embedding_time_ns(runner: Runner, tokens: int, seed: str, speed: float) -> int:
    """How long one input of `tokens` takes to embed."""
    return _Pace(runner, seed, speed).prefill_ns(tokens)


def _may_become_stop(text: str, stops: tuple[str, ...]) -> bool:
    return any(text.endswith(stop[:length]) for stop in stops for length in range(1, len(stop)))


def _is_whole(text: str) -> bool:
    return not any("\udc80" <= character <= "\udcff" for character in text)
