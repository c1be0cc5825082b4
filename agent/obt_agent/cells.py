"""The kinds of cells: what each asks for and how one sample of it is taken. A new kind is a new row in SHAPES."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable, Literal, Optional

from .cells_bench import Bench
from .cells_concurrent import take_round
from .cells_embed import take_embed
from .cells_load import take_load
from .contract import CellSpec, InstalledModel, Sample

TakeSamples = Callable[[Bench, CellSpec, int, bool], "list[Sample]"]

COMPLETION = "completion"
EMBEDDING = "embedding"


@dataclass(frozen=True)
class Shape:
    """How a kind is measured. `take(bench, spec, index, warmup)` returns one round's samples, one unless concurrent.

    `phase`: what its telemetry is called. `needs`: capabilities, one of which a model must have. `rank`: where it runs
    among cells of one context length (loading first: it leaves the model loaded; later it would reload it in between).
    """

    take: TakeSamples
    phase: Literal["load", "sample"] = "sample"
    needs: tuple[str, ...] = (COMPLETION,)
    rank: int = 1


def prompt_target(spec: CellSpec) -> int:
    """Tokens the prompt should have: the context already there, and the measured part. 0: any short prompt."""
    return spec.depth + spec.prompt_tokens


def take_one(bench: Bench, spec: CellSpec, index: int, warmup: bool) -> list[Sample]:
    """One request with a prompt of the asked length: prefill, decode (at a depth or not) and chat differ in length."""
    return [bench.measure(spec, index, warmup, prompt_target(spec))]


SHAPES: dict[str, Shape] = {
    "load": Shape(take_load, phase="load", needs=(COMPLETION, EMBEDDING), rank=0),
    "prefill": Shape(take_one),
    "decode": Shape(take_one),
    "chat": Shape(take_one),
    "concurrency": Shape(take_round),
    "embed": Shape(take_embed, needs=(EMBEDDING,)),
}


def in_order(cells: Sequence[CellSpec]) -> list[CellSpec]:
    """Cells of one context length together, each change of it being a reload; within, by rank, then as asked."""
    lengths = list(dict.fromkeys(spec.num_ctx for spec in cells))
    return sorted(cells, key=lambda spec: (lengths.index(spec.num_ctx), _rank(spec)))


def only_embeds(model: InstalledModel) -> bool:
    """Whether the model gives vectors and no text."""
    return EMBEDDING in model.capabilities and COMPLETION not in model.capabilities


def as_run(spec: CellSpec, model: InstalledModel) -> CellSpec:
    """The cell as this model can do it: one that only embeds is loaded by a request without output tokens."""
    return dataclasses.replace(spec, output_tokens=0) if spec.kind == "load" and only_embeds(model) else spec


def why_not(spec: CellSpec, model: InstalledModel) -> Optional[str]:
    """The sentence for a cell that this model or this agent cannot do; None when it can."""
    shape = SHAPES.get(spec.kind)
    if shape is None:
        return f"This version of the agent cannot measure cells of the kind {spec.kind}."
    if model.capabilities and not set(shape.needs) & set(model.capabilities):
        return f"The model does not offer {' or '.join(shape.needs)}: it has {', '.join(model.capabilities)}."
    if model.context_length is not None and spec.num_ctx > model.context_length:
        return f"The cell needs a context of {spec.num_ctx} tokens; the model has {model.context_length}."
    needed = prompt_target(spec) + spec.output_tokens
    if needed > spec.num_ctx:
        return f"Prompt and answer together have {needed} tokens, more than the context of {spec.num_ctx}."
    return None


def _rank(spec: CellSpec) -> int:
    return SHAPES[spec.kind].rank if spec.kind in SHAPES else 1
