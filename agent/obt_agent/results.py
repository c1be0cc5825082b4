"""Wire types: what a job delivers, from one request's counters up to the whole result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Optional

from .fields import ID, NS, SENTENCE, SIZE, many, mapping, optional
from .jobs import CellSpec, PinnedOptions
from .machine import Hardware, InstalledModel, OllamaState


@dataclass(frozen=True)
class RawCounters:
    """What Ollama's final message said, in nanoseconds and tokens. Null: it was not sent (never a 0 of ours)."""

    total_duration: Optional[int] = optional(**NS)
    load_duration: Optional[int] = optional(**NS)
    prompt_eval_count: Optional[int] = optional(min=0)
    prompt_eval_cached_count: Optional[int] = optional(min=0)
    prompt_eval_duration: Optional[int] = optional(**NS)
    eval_count: Optional[int] = optional(min=0)
    eval_duration: Optional[int] = optional(**NS)
    done: Optional[bool] = None
    done_reason: Optional[str] = None
    created_at: Optional[str] = None


@dataclass(frozen=True)
class Timing:
    """The agent's own clock (perf_counter), in nanoseconds from the moment the request was sent."""

    start_s: float = field(metadata={"min": 0})  # seconds since the job began: the telemetry's clock
    ttft_ns: Optional[int] = optional(**NS)  # first non-empty token of any kind
    ttfo_ns: Optional[int] = optional(**NS)  # first non-empty token that is not thinking
    last_token_ns: Optional[int] = optional(**NS)
    e2e_ns: Optional[int] = optional(**NS)  # final message
    chunk_ns: list[int] = many(max_items=100_000, min=0)  # arrival of every non-empty chunk
    wall_started_at: Optional[str] = None  # the machine's clock, to show; never used to compute


@dataclass(frozen=True)
class Placement:
    """`/api/ps` for the model: bytes in all and bytes in GPU memory."""

    size_bytes: Optional[int] = optional(**SIZE)
    size_vram_bytes: Optional[int] = optional(**SIZE)


@dataclass(frozen=True)
class Prompt:
    target_tokens: int = field(metadata={"min": 0})
    characters: int = field(metadata={"min": 0})
    sha256: str = field(metadata={"max_length": 64})
    nonce: str = field(metadata={"max_length": 64})


@dataclass(frozen=True)
class SampleError:
    kind: str = field(metadata={"max_length": 60})
    message: str = field(metadata=SENTENCE)


@dataclass(frozen=True)
class Surroundings:
    """What went on around one request, as far as the agent could see it. Null: it could not be seen."""

    server_version: Optional[str] = optional(max_length=60)
    server_process: Optional[str] = optional(max_length=60)  # Ollama's process: "<pid>@<when it began>"
    clock_step_s: Optional[float] = None  # how far the wall clock moved against the monotonic one
    telemetry_gap_s: Optional[float] = optional(min=0)  # longest time without a reading of the machine
    telemetry_interval_s: Optional[float] = optional(min=0)  # what it should have been
    throttle: Optional[list[str]] = optional(max_items=64)  # "gpu_0.hw_thermal_slowdown", "cpu.thermal", …
    expiry_off_s: Optional[float] = None  # when Ollama will unload the model − when this request asked for it
    expiry_stood_still: Optional[bool] = None  # True: that time did not move when this request's answer ended


@dataclass(frozen=True)
class Sample:
    """One request. `flags` are the gates it failed (validity.py); a sample with any flag is kept and not counted."""

    cell: str = field(metadata={"max_length": 120})
    index: int = field(metadata={"min": 0, "max": 100_000})
    warmup: bool
    raw: RawCounters
    timing: Timing
    prompt: Optional[Prompt] = None
    placement: Optional[Placement] = None
    loaded_models: Optional[int] = optional(min=0)
    flags: list[str] = many(max_items=32)
    error: Optional[SampleError] = None
    slot: Optional[int] = optional(min=0)  # which of the concurrent requests of round `index`
    surroundings: Optional[Surroundings] = None


@dataclass(frozen=True)
class CellRun:
    """A cell as it was run: its samples in order of time, why it stopped, or why it was skipped."""

    spec: CellSpec
    samples: list[Sample] = many(max_items=5000)
    skipped: Optional[str] = optional(**SENTENCE)
    stopped: Optional[str] = optional(**SENTENCE)
    expected_s: Optional[float] = optional(min=0)  # what the agent predicted for it after its probe, warm-ups included
    took_s: Optional[float] = optional(min=0)  # what its rounds took in all, warm-ups included


@dataclass(frozen=True)
class Phase:
    """A stretch of telemetry: seconds since the job began."""

    cell: str
    kind: Literal["load", "warmup", "sample", "idle"]  # idle: loaded, and nothing asked, before the first cell
    start_s: float = field(metadata={"min": 0})
    end_s: float = field(metadata={"min": 0})
    index: Optional[int] = optional(min=0)


@dataclass(frozen=True)
class Series:
    """One quantity over time; same length as `Telemetry.t_s`. Null where it could not be read at that moment."""

    name: str = field(metadata={"max_length": 60})  # cpu_percent, memory_used_bytes, gpu_0_power_w, …
    unit: str = field(metadata={"max_length": 20})
    values: list[Optional[float]] = many(max_items=100_000)


@dataclass(frozen=True)
class Telemetry:
    interval_ms: int = field(metadata={"min": 1})
    t_s: list[float] = many(max_items=100_000, min=0)
    series: list[Series] = many(max_items=300)
    phases: list[Phase] = many(max_items=20_000)
    missing: dict[str, str] = mapping(max_keys=300)
    of_this_machine: Optional[bool] = None  # False: Ollama runs elsewhere, these are not its readings


@dataclass(frozen=True)
class ServerSettings:
    """Ollama's own settings where its runner's command line shows them. Null: unknown."""

    flash_attention: Optional[str] = None
    kv_cache_type: Optional[str] = None
    num_parallel: Optional[int] = optional(min=0)


@dataclass(frozen=True)
class RunEnvironment:
    """What the numbers were measured on; pinned to the result."""

    ollama: OllamaState
    model: InstalledModel
    hardware: Hardware
    options: PinnedOptions
    server: ServerSettings = field(default_factory=ServerSettings)
    agent_version: Optional[str] = None
    python_version: Optional[str] = None
    engine: Optional[str] = optional(max_length=60)  # which of Ollama's engines counted (engines.py)
    suite: Optional[str] = optional(max_length=60)
    suite_version: Optional[str] = optional(max_length=60)
    power_source: Optional[Literal["mains", "battery"]] = None
    cpu_governor: Optional[str] = optional(max_length=60)  # as Linux names it
    missing: dict[str, str] = mapping(max_keys=60)  # why a value above is null, by its name


@dataclass(frozen=True)
class JobError:
    """Why a job did not succeed: a kind programs can tell apart, a sentence people can act on."""

    kind: str = field(metadata={"min_length": 1, "max_length": 60})
    message: str = field(metadata=SENTENCE)


@dataclass(frozen=True)
class ResultBody:
    attempt: int = field(metadata={"min": 1})
    lease: str = field(metadata=ID)
    outcome: Literal["succeeded", "failed", "timed_out", "cancelled"]
    duration_s: float = field(metadata={"min": 0})
    cells: list[CellRun] = many(max_items=200)
    environment: Optional[RunEnvironment] = None  # null when it failed before anything could be read
    telemetry: Optional[Telemetry] = None
    error: Optional[JobError] = None


@dataclass(frozen=True)
class ResultAnswer:
    result: str
