"""Wire types: what is to be measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Optional

from .fields import many


@dataclass(frozen=True)
class CellSpec:
    """One measurement. Tokens are targets; `depth` is the context already there before the measured part."""

    name: str = field(metadata={"min_length": 1, "max_length": 60})
    kind: Literal["load", "prefill", "decode", "chat", "concurrency", "embed"]
    repetitions: int = field(metadata={"min": 1, "max": 100})
    warmups: int = field(metadata={"min": 0, "max": 10})
    prompt_tokens: int = field(metadata={"min": 0, "max": 1_000_000})
    output_tokens: int = field(metadata={"min": 0, "max": 1_000_000})
    num_ctx: int = field(metadata={"min": 128, "max": 2_000_000})
    depth: int = field(default=0, metadata={"min": 0, "max": 1_000_000})
    concurrency: int = field(default=1, metadata={"min": 1, "max": 256})
    batch: int = field(default=1, metadata={"min": 1, "max": 256})


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
