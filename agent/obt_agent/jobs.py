"""Wire types: what is to be measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Optional

from .fields import many, optional


@dataclass(frozen=True)
class Slo:
    """The limits in ms that a request must meet to count for goodput. Null: no limit of this kind."""

    ttft_ms: Optional[float] = optional(min=0)
    itl_ms: Optional[float] = optional(min=0)
    e2e_ms: Optional[float] = optional(min=0)


@dataclass(frozen=True)
class CellSpec:
    """One measurement. Tokens are targets; `depth` is the context already there before the measured part.

    `num_gpu`, `num_thread` and `num_batch` go before the job's options where they are set: a sweep is cells that differ
    in them. `text`: the fixed prompt of a cell of the kind "prompt", whose length is what it is (`prompt_tokens` 0).
    `max_repetitions`: where more than `repetitions`, the cell goes on until its interval is narrow enough.
    """

    name: str = field(metadata={"min_length": 1, "max_length": 120})
    kind: Literal["load", "prefill", "decode", "chat", "concurrency", "embed", "prompt"]
    repetitions: int = field(metadata={"min": 1, "max": 100})
    warmups: int = field(metadata={"min": 0, "max": 10})
    prompt_tokens: int = field(metadata={"min": 0, "max": 1_000_000})
    output_tokens: int = field(metadata={"min": 0, "max": 1_000_000})
    num_ctx: int = field(metadata={"min": 128, "max": 2_000_000})
    depth: int = field(default=0, metadata={"min": 0, "max": 1_000_000})
    concurrency: int = field(default=1, metadata={"min": 1, "max": 256})
    batch: int = field(default=1, metadata={"min": 1, "max": 256})
    max_repetitions: Optional[int] = optional(min=1, max=100)
    num_gpu: Optional[int] = optional(min=0, max=10_000)
    num_thread: Optional[int] = optional(min=1, max=1024)
    num_batch: Optional[int] = optional(min=1, max=65_536)
    text: Optional[str] = optional(min_length=1, max_length=100_000)
    slo: Optional[Slo] = None


@dataclass(frozen=True)
class PinnedOptions:
    """The options sent with every request, beside `num_ctx` and `num_predict`: all that changes speed is pinned."""

    temperature: float = 0.0
    seed: int = 42
    repeat_penalty: float = 1.0
    num_gpu: Optional[int] = None
    num_thread: Optional[int] = None
    num_batch: Optional[int] = None


@dataclass(frozen=True)
class JobOffer:
    job: str
    attempt: int
    lease: str
    session: str
    model: str
    digest: str
    suite: str
    budget: Literal["quick", "standard", "full"]
    budget_s: float
    cells: list[CellSpec] = many(max_items=200)
    options: PinnedOptions = field(default_factory=PinnedOptions)
    stall_timeout_s: float = 120.0  # no byte from Ollama for so long: the sample failed
    load_timeout_s: float = 600.0
    suite_version: Optional[str] = optional(max_length=60)
