"""The bench a job's requests are made on: one request in, one sample out, everything pinned that changes speed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Callable, Optional, Protocol

from .cancel import Cancel
from .contract import (
    CellSpec,
    HostReading,
    JobOffer,
    LoadedModel,
    Placement,
    Sample,
    SampleError,
    Telemetry,
    Timing,
)
from .engines import Engine
from .measure_outcome import Stopped
from .measure_pace import Pace
from .measure_progress import Progress
from .measure_setting import Setting, setting_of
from .metrics import NS_PER_S
from .ollama import Generation, OllamaClient, OllamaError, StreamLimits
from .prompts import Calibration, PromptText, write_prompt
from .stream import CHUNKS_BEYOND_ASKED
from .surroundings import Watch, watch_of
from .telemetry import Stretch
from .validity import BAD_COUNTERS_ERROR

# While a job runs the model must never expire between two samples; after a crash of the agent it goes by itself.
KEEP_ALIVE_S = 600
KEEP_ALIVE = f"{KEEP_ALIVE_S}s"
# A full queue empties within a few answers of the others.
BUSY_WAITS_S = (0.5, 1.0, 2.0)
# A long prompt may take as long as the slowest one of the cell several times over before it counts as stalled.
FIRST_TOKEN_TIMES_SLOWEST = 4.0


class Recorder(Protocol):
    """The part of `telemetry.Recorder` that the engine needs. Times in seconds since the job began."""

    def start(self, t0: float) -> None: ...

    def latest(self) -> HostReading: ...

    def phase(self, cell: str, kind: str, start_s: float, end_s: float, index: Optional[int] = None) -> None: ...

    def stretch(self, start_s: float, end_s: float) -> Optional[Stretch]: ...

    def stop(self) -> Telemetry: ...


@dataclass
class Bench:
    """What all cells of one job share. `t0` and `deadline` are of `time.perf_counter`."""

    offer: JobOffer
    ollama: OllamaClient
    recorder: Recorder
    progress: Progress
    cancel: Cancel
    t0: float
    deadline: float
    pace: Pace = field(default_factory=Pace)
    calibration: Calibration = field(default_factory=Calibration)
    engine: Engine = Engine.GO_RUNNER
    only_embeds: bool = False
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        digest = bare_digest(self.offer.digest)
        self.watch = watch_of(self.ollama, self.ollama.url, self.recorder, digest, KEEP_ALIVE_S)

    def elapsed_s(self) -> float:
        """Seconds since the job began."""
        return time.perf_counter() - self.t0

    def budget_left_s(self) -> float:
        """Seconds until the offer's budget is used up; negative after that."""
        return self.offer.budget_s - self.elapsed_s()

    def check(self) -> None:
        """Raise Stopped when the job was cancelled."""
        if self.cancel.is_set():
            raise Stopped

    def pause(self, seconds: float) -> None:
        """Wait, but not longer than the job lives."""
        if self.cancel.wait(seconds):
            raise Stopped

    def setting(self, spec: CellSpec) -> Setting:
        """What the model is loaded with for a cell."""
        return setting_of(spec, self.offer.options)

    def body(self, prompt: str, setting: Setting, output_tokens: int) -> dict[str, Any]:
        """The request: raw, never truncated, never thinking, with every option pinned."""
        pinned = self.offer.options
        options: dict[str, Any] = {
            "num_predict": output_tokens,
            "stop": [],
            "temperature": pinned.temperature,
            "seed": pinned.seed,
            "repeat_penalty": pinned.repeat_penalty,
            **setting.options,
        }
        fixed = {"raw": True, "stream": True, "think": False, "truncate": False, "keep_alive": KEEP_ALIVE}
        return {"model": self.offer.model, "prompt": prompt, "options": options, **fixed}

    def embed_body(self, texts: list[str], setting: Setting) -> dict[str, Any]:
        """The request for embeddings: never truncated, with every option pinned that changes speed."""
        fixed = {"truncate": False, "keep_alive": KEEP_ALIVE}
        return {"model": self.offer.model, "input": texts, "options": setting.options, **fixed}

    def limits(self, first_byte_s: float, output_tokens: int) -> StreamLimits:
        """What one request may take in time and chunks."""
        return StreamLimits(
            first_byte_s, self.offer.stall_timeout_s, self.deadline, output_tokens + CHUNKS_BEYOND_ASKED
        )

    def send(self, prompt: str, setting: Setting, output_tokens: int, first_byte_s: float) -> Generation:
        """One request, asked again shortly when Ollama is busy. Raises Stopped when cancelled meanwhile."""
        body = self.body(prompt, setting, output_tokens)
        limits = self.limits(first_byte_s, output_tokens)
        generation = self.patiently(
            lambda: self.ollama.generate(body, limits, self.cancel, self.progress.stream_begins)
        )
        self.pace.learn(generation.raw, generation.chunks)
        return generation

    def patiently(self, ask: Callable[[], Generation]) -> Generation:
        """The answer, asked for again shortly when Ollama is busy. Raises Stopped when cancelled meanwhile."""
        for wait_s in BUSY_WAITS_S:
            generation = ask()
            self.check()
            if generation.error is None or generation.error.kind != "server_busy":
                return generation
            self.pause(wait_s)
        generation = ask()
        self.check()
        return generation

    def measure(self, spec: CellSpec, index: int, warmup: bool, target_tokens: int, may_load: bool = False) -> Sample:
        """One sample: a fresh prompt of `target_tokens` (0: any short one), then the model's placement."""
        text = write_prompt(self.calibration.characters_for(target_tokens))
        sample = self.ask(spec, index, warmup, text, target_tokens, may_load)
        self.calibration.observe(len(text.text), sample.raw.prompt_eval_count, target_tokens)
        return sample

    def ask(
        self,
        spec: CellSpec,
        index: int,
        warmup: bool,
        text: PromptText,
        target_tokens: int = 0,
        may_load: bool = False,
    ) -> Sample:
        """One sample of this very prompt, whatever its length; nothing is learned of how texts are counted."""
        started_at = datetime.now(timezone.utc)
        patience_s = self.first_byte_s(spec, may_load or warmup)
        generation = self.send(text.text, self.setting(spec), spec.output_tokens, patience_s)
        placement, loaded = self.placement()
        return Sample(
            cell=spec.name,
            index=index,
            warmup=warmup,
            raw=generation.raw,
            timing=self.timing(generation, started_at),
            prompt=text.described(target_tokens),
            placement=placement,
            loaded_models=loaded,
            error=sample_error(generation),
        )

    def first_byte_s(self, spec: CellSpec, patient: bool) -> float:
        """How long the first byte may take. Nothing is sent while a model loads or a prompt is worked through."""
        if patient:
            return max(self.offer.load_timeout_s, self.offer.stall_timeout_s)
        return self.offer.stall_timeout_s + FIRST_TOKEN_TIMES_SLOWEST * self.pace.slowest_first_token_s(spec.name)

    def timing(self, generation: Generation, started_at: datetime) -> Timing:
        """The agent's clock, as the wire wants it."""
        return Timing(
            start_s=max(0.0, generation.start_ns / NS_PER_S - self.t0),
            ttft_ns=generation.ttft_ns,
            ttfo_ns=generation.ttfo_ns,
            last_token_ns=generation.last_token_ns,
            e2e_ns=generation.e2e_ns,
            chunk_ns=generation.chunk_ns,
            wall_started_at=started_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        )

    def loaded(self) -> Optional[list[LoadedModel]]:
        """`/api/ps`; None when it did not answer, which the next request will find out more about."""
        try:
            return self.ollama.ps()
        except OllamaError:
            return None

    def placement(self) -> tuple[Optional[Placement], Optional[int]]:
        """Where the model is, and how many models are loaded."""
        loaded = self.loaded()
        if loaded is None:
            return None, None
        ours = next((model for model in loaded if self.is_ours(model)), None)
        placement = Placement(ours.size_bytes, ours.size_vram_bytes) if ours else None
        return placement, len(loaded)

    def is_ours(self, model: LoadedModel) -> bool:
        """Whether a loaded model is the one being measured. By digest: one digest may have several names."""
        return model.digest == bare_digest(self.offer.digest)


def bare_digest(digest: str) -> str:
    """The digest without its algorithm, as `/api/tags` gives it."""
    return digest.split(":", 1)[-1]


def sample_error(generation: Generation) -> Optional[SampleError]:
    """Why the sample is not whole; counters that are no counts are an error of their own."""
    if generation.error is not None:
        return SampleError(generation.error.kind, generation.error.message)
    if generation.bad_counters is not None:
        return SampleError(BAD_COUNTERS_ERROR, generation.bad_counters)
    return None
