"""Which models are loaded: load, unload, reload, evict, expire.

Expiry needs no timer: a model whose time is over is taken out whenever anybody looks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from .clock import NS_PER_S, ClientWatch, now_ns
from .eras import TODAY, Era
from .errors import OllamaError
from .faults import LOAD_FAILED, OUT_OF_MEMORY, QUEUE_FULL, FaultPlan
from .models import ModelSpec
from .parsing import DEFAULT_KEEP_ALIVE_S, RunnerOptions
from .prompt_cache import PromptCache
from .slots import SlotPool

DEFAULT_MAX_LOADED = 3
UNLOAD_S = 0.03
"""A model that is to go is still listed by `/api/ps` for so long."""
WARM_LOOK_S = 0.0005
"""Finding a loaded model takes a moment: load_duration is never 0."""
ROOM_LOOK_S = 0.01
KV_BYTES_PER_TOKEN_AND_BLOCK = 4096
CPU_ONLY_SPEED = 0.3
"""Speed with `num_gpu` 0 against the model's own placement."""
FAR_FUTURE_S = (2**63 - 1) / NS_PER_S
"""Go's longest duration, which "for ever" is to Ollama: 292 years."""


@dataclass(eq=False)
class Runner:
    """A loaded model. `idle_until_s` is on the monotonic clock; `None` while a first request still runs."""

    spec: ModelSpec
    options: RunnerOptions
    pool: SlotPool
    keep_alive_s: float = DEFAULT_KEEP_ALIVE_S
    users: int = 0
    idle_until_s: float = 0.0

    @property
    def gpu_fraction(self) -> float:
        """Share of the model in GPU memory, 0 to 1."""
        return 0.0 if self.options.num_gpu == 0 else self.spec.gpu_fraction

    @property
    def speed(self) -> float:
        """Factor on the model's own speed."""
        return CPU_ONLY_SPEED if self.options.num_gpu == 0 and self.spec.gpu_fraction > 0 else 1.0

    @property
    def size_bytes(self) -> int:
        """Weights and key-value cache."""
        cache = self.options.num_ctx * self.spec.block_count * KV_BYTES_PER_TOKEN_AND_BLOCK
        return self.spec.size_bytes + cache

    @property
    def vram_bytes(self) -> int:
        """The part of `size_bytes` in GPU memory."""
        return int(self.size_bytes * self.gpu_fraction)

    @property
    def expires_in_s(self) -> float:
        """Seconds until it is unloaded, from now."""
        # While it is used, Ollama goes on showing the time that the request before had set.
        left = self.idle_until_s - time.monotonic() if self.idle_until_s else self.keep_alive_s
        return min(left, FAR_FUTURE_S)

    def is_leaving(self, now_s: float) -> bool:
        """Whether it is idle and its time is over."""
        return self.users == 0 and now_s >= self.idle_until_s


class Scheduler:
    """The loaded models of one simulated server. Safe to use from several threads."""

    def __init__(
        self, parallel: int, max_loaded: int = DEFAULT_MAX_LOADED, speed: float = 1.0, era: Era = TODAY
    ) -> None:
        self.parallel = 1 if era.is_serial else parallel
        self._era = era
        self._max_loaded = max_loaded
        self._speed = speed
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._runners: dict[str, Runner] = {}

    def loaded(self) -> list[Runner]:
        """The loaded models, the one with the longest time left first."""
        with self._lock:
            self._sweep()
            return sorted(self._runners.values(), key=lambda runner: -runner.expires_in_s)

    def expire(self, spec: ModelSpec) -> None:
        """Unload a model as soon as nobody uses it."""
        with self._lock:
            runner = self._runners.get(spec.digest)
            if runner is not None:
                self._let_go(runner)

    def forget_all(self) -> None:
        """Unload everything at once, as a restart does."""
        with self._lock:
            self._runners.clear()

    @contextmanager
    def use(
        self, spec: ModelSpec, wanted: RunnerOptions, keep_alive_s: float | None, watch: ClientWatch, plan: FaultPlan
    ) -> Iterator[Runner]:
        """The model, loaded with the options `wanted`, for the time of one request."""
        _fail_if_planned(spec, plan, self._era)
        wanted = replace(wanted, num_ctx=min(wanted.num_ctx, spec.context_length))
        runner = self._acquire(spec, wanted, watch)
        if keep_alive_s is not None:
            runner.keep_alive_s = keep_alive_s
        try:
            yield runner
        finally:
            self._release(runner)

    def _acquire(self, spec: ModelSpec, wanted: RunnerOptions, watch: ClientWatch) -> Runner:
        watch.wait_s(WARM_LOOK_S)
        runner = self._take_if_usable(spec, wanted)
        if runner is not None:
            return runner
        self._wait_for_loading_turn(watch)
        try:
            return self._take_if_usable(spec, wanted) or self._load(spec, wanted, watch)
        finally:
            self._loading.release()

    def _take_if_usable(self, spec: ModelSpec, wanted: RunnerOptions) -> Runner | None:
        with self._lock:
            self._sweep()
            runner = self._runners.get(spec.digest)
            if runner is None or runner.is_leaving(time.monotonic()) or not runner.options.fits(wanted):
                return None
            runner.users += 1
            return runner

    def _wait_for_loading_turn(self, watch: ClientWatch) -> None:
        while not self._loading.acquire(timeout=ROOM_LOOK_S):
            watch.check()

    def _load(self, spec: ModelSpec, wanted: RunnerOptions, watch: ClientWatch) -> Runner:
        start_ns = now_ns()
        while not self._has_room_for(spec):
            watch.wait_s(ROOM_LOOK_S)
        watch.wait_until(max(start_ns, now_ns()) + int(spec.load_s / self._speed * NS_PER_S))
        kept = PromptCache(self._era.kept_prompts_bytes, spec.block_count * KV_BYTES_PER_TOKEN_AND_BLOCK)
        runner = Runner(spec, wanted, SlotPool(self.parallel, kept), users=1)
        with self._lock:
            self._runners[spec.digest] = runner
        return runner

    def _has_room_for(self, spec: ModelSpec) -> bool:
        """Whether `spec` can be loaded now; if not, send away what stands in its place."""
        with self._lock:
            self._sweep()
            in_place = self._runners.get(spec.digest)
            if in_place is None and len(self._runners) < self._max_loaded:
                return True
            self._let_go(in_place or min(self._runners.values(), key=lambda one: (one.users, one.keep_alive_s)))
            return False

    def _let_go(self, runner: Runner) -> None:
        runner.keep_alive_s = 0.0
        runner.idle_until_s = min(runner.idle_until_s or time.monotonic(), time.monotonic())

    def _release(self, runner: Runner) -> None:
        with self._lock:
            runner.users -= 1
            runner.idle_until_s = time.monotonic() + runner.keep_alive_s

    def _sweep(self) -> None:
        latest_s = time.monotonic() - UNLOAD_S
        self._runners = {key: one for key, one in self._runners.items() if not one.is_leaving(latest_s)}


def _fail_if_planned(spec: ModelSpec, plan: FaultPlan, era: Era) -> None:
    if plan.get(QUEUE_FULL):
        raise OllamaError(503, "server busy, please try again.  maximum pending requests exceeded")
    if fault := plan.get(OUT_OF_MEMORY):
        needed_gib = spec.size_bytes / 2**30 * 1.2
        text = f"model requires more system memory ({needed_gib:.1f} GiB) than is available ({needed_gib / 2:.1f} GiB)"
        raise OllamaError(500, fault.message or text)
    if fault := plan.get(LOAD_FAILED):
        process = "llama-server" if era.has_llama_server else "llama runner"
        raise OllamaError(500, fault.message or f"{process} process has terminated: exit status 2")
