"""The wire contract between agent and server: every body, typed once, used by both sides.

JSON over HTTP under `/api/v1/agent/`:

- `POST register`              RegisterRequest  → RegisterResponse   (enrolment token → credential)
- `POST credential`            CredentialRequest → CredentialResponse (a newer credential; see `SyncResponse.renew`)
- `POST sync`                  SyncRequest      → SyncResponse       (heartbeat, presence, work; a long poll)
- `POST jobs/{id}/progress`    ProgressRequest  → ProgressResponse   (sequence-numbered events)
- `PUT  jobs/{id}/result`      ResultBody       → ResultAnswer       (201 new, 200 same again, 409 not current)

Durations end in `_s`, `_ms` or `_ns`, sizes in `_bytes`, shares in `_percent`. The agent sends raw counts and
nanoseconds; every rate is computed by `metrics.py`. Missing is null, with its reason in a `missing` map beside it.
Only the server's clock decides anything; the agent sends durations measured on its monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Optional

from .fields import ID, SENTENCE, many, optional
from .jobs import CellSpec, JobOffer, PinnedOptions, Slo
from .machine import (
    Cpu,
    Gpu,
    GpuReading,
    Hardware,
    HostReading,
    InstalledModel,
    LoadedModel,
    OllamaState,
    OperatingSystem,
)
from .results import (
    CellRun,
    JobError,
    Phase,
    Placement,
    Prompt,
    RawCounters,
    ResultAnswer,
    ResultBody,
    RunEnvironment,
    Sample,
    SampleError,
    Series,
    ServerSettings,
    Surroundings,
    Telemetry,
    Timing,
)

__all__ = [
    "Cancellation",
    "CellRun",
    "CellSpec",
    "Cpu",
    "CredentialRequest",
    "CredentialResponse",
    "Event",
    "Gpu",
    "GpuReading",
    "Hardware",
    "Holding",
    "HostReading",
    "InstalledModel",
    "JobError",
    "JobOffer",
    "LoadedModel",
    "OllamaState",
    "OperatingSystem",
    "Phase",
    "PinnedOptions",
    "Placement",
    "ProgressRequest",
    "ProgressResponse",
    "Prompt",
    "RawCounters",
    "RegisterRequest",
    "RegisterResponse",
    "ResultAnswer",
    "ResultBody",
    "RunEnvironment",
    "Sample",
    "SampleError",
    "Series",
    "ServerSettings",
    "Slo",
    "Surroundings",
    "SyncRequest",
    "SyncResponse",
    "Telemetry",
    "Timing",
]

PROTOCOL = 1
OLDEST_PROTOCOL = 1

SYNC_INTERVAL_S = 10.0
SYNC_BODY_BYTES = 256 * 1024
RESULT_BODY_BYTES = 16 * 1024 * 1024
TELEMETRY_INTERVAL_MS = 200
MINIMUM_FREE_DISK_BYTES = 500 * 1000 * 1000


# -- register and sync -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RegisterRequest:
    token: str = field(metadata={"min_length": 8, "max_length": 200})
    hostname: str = field(metadata={"min_length": 1, "max_length": 255})
    agent_version: str
    protocol: int = field(metadata={"min": 1, "max": 1000})
    name: Optional[str] = optional(max_length=100)


@dataclass(frozen=True)
class RegisterResponse:
    client: str
    name: str
    credential: str
    server_time: str


@dataclass(frozen=True)
class CredentialRequest:
    """Asks for a newer credential; sent with the one in use, which works until the newer one is used."""

    boot_id: str = field(metadata=ID)


@dataclass(frozen=True)
class CredentialResponse:
    credential: str
    server_time: str


@dataclass(frozen=True)
class Holding:
    """A job the agent has: offered and accepted, running, or finished with its result still to be delivered."""

    job: str = field(metadata=ID)
    attempt: int = field(metadata={"min": 1})
    lease: str = field(metadata=ID)


@dataclass(frozen=True)
class SyncRequest:
    protocol: int = field(metadata={"min": 1, "max": 1000})
    agent_version: str
    boot_id: str = field(metadata=ID)  # new at every start of the agent
    ollama: OllamaState
    slots: int = field(metadata={"min": 0, "max": 1})  # how many jobs it would start now
    holding: list[Holding] = many(max_items=100)
    refusal: Optional[str] = optional(**SENTENCE)  # why slots is 0 although nothing runs
    reading: Optional[HostReading] = None
    hostname: Optional[str] = None
    hardware_hash: Optional[str] = None
    hardware: Optional[Hardware] = None  # sent when it changed or the server asked
    models_hash: Optional[str] = None
    models: Optional[list[InstalledModel]] = optional(max_items=5000)  # likewise
    loaded: list[LoadedModel] = many(max_items=100)
    hold_s: float = field(default=SYNC_INTERVAL_S, metadata={"min": 0, "max": 60})  # 0: answer at once


@dataclass(frozen=True)
class Cancellation:
    job: str
    attempt: int
    lease: str
    reason: str  # "cancelled" by a person, or "stale": the lease is no longer current, drop it


@dataclass(frozen=True)
class SyncResponse:
    server_time: str
    next_sync_s: float  # wait so long before the next sync (0: at once)
    jobs: list[JobOffer] = many()
    cancel: list[Cancellation] = many()
    resend: list[str] = many()  # "hardware", "models"
    renew: bool = False  # the credential is old: ask for a newer one; an agent that cannot passes over it


# -- progress ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """One step of a running job. `seq` counts from 1 within an attempt; fields that do not apply are null.

    kinds: started (the offer is acknowledged), cell (a cell begins), sample (one ended), live (a reading, 1 Hz),
    note (a sentence for people), released (the agent gives the job back to the queue).
    """

    seq: int = field(metadata={"min": 1})
    kind: Literal["started", "cell", "sample", "live", "note", "released"]
    elapsed_s: float = field(metadata={"min": 0})
    cell: Optional[str] = None
    index: Optional[int] = optional(min=0)  # this sample, from 0; warm-ups count below zero as `warmup`
    of: Optional[int] = optional(min=0)  # samples planned in this cell
    warmup: bool = False
    valid: Optional[bool] = None
    flags: list[str] = many(max_items=32)
    metric: Optional[str] = None  # e.g. decode_rate
    value: Optional[float] = None
    unit: Optional[str] = None
    estimated: bool = False  # the value is an estimate from stream chunks, not yet Ollama's own count
    done: Optional[int] = optional(min=0)  # samples done in the whole job, warm-ups included
    total: Optional[int] = optional(min=0)
    remaining_s: Optional[float] = optional(min=0)
    reading: Optional[HostReading] = None
    text: Optional[str] = optional(**SENTENCE)


@dataclass(frozen=True)
class ProgressRequest:
    attempt: int = field(metadata={"min": 1})
    lease: str = field(metadata=ID)
    events: list[Event] = many(max_items=500)


@dataclass(frozen=True)
class ProgressResponse:
    acknowledged: int
    cancel: bool
