"""The kinds of cells: what each asks for and how one sample of it is taken. A new kind is a new row in SHAPES."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable, Literal, Optional

from .cells_bench import Bench
from .cells_load import take_load
from .contract import CellSpec, InstalledModel, Sample

TakeSamples = Callable[[Bench, CellSpec, int, bool], "list[Sample]"]

COMPLETION = "completion"
EMBEDDING = "embedding"


@dataclass(frozen=True)
class Shape:
    """How a kind is measured. `take(bench, spec, index, warmup)` returns one round's samples, one unless concurrent.

    `phase`: what its telemetry is called. `needs`: the capability a model must have. `rank`: where it runs among cells
    of one context length (loading first: it leaves the model loaded, whereas later it would reload it in between).
    """

    take: TakeSamples
    phase: Literal["load", "sample"] = "sample"
    needs: str = COMPLETION
    rank: int = 1


def prompt_target(spec: CellSpec) -> int:
    """Tokens the prompt should have: the context already there, and the measured part. 0: any short prompt."""
    return spec.depth + spec.prompt_tokens


def take_one(bench: Bench, spec: CellSpec, index: int, warmup: bool) -> list[Sample]:
    """One request with a prompt of the asked length: prefill, decode (at a depth or not) and chat differ in length."""
    return [bench.measure(spec, index, warmup, prompt_target(spec))]


SHAPES: dict[str, Shape] = {
    "load": Shape(take_load, phase="load", rank=0),
    "prefill": Shape(take_one),
    "decode": Shape(take_one),
    "chat": Shape(take_one),
}


def in_order(cells: Sequence[CellSpec]) -> list[CellSpec]:
    """Cells of one context length together, each change of it being a reload; within, by rank, then as asked."""
    lengths = list(dict.fromkeys(spec.num_ctx for spec in cells))
    return sorted(cells, key=lambda spec: (lengths.index(spec.num_ctx), _rank(spec)))


def why_not(spec: CellSpec, model: InstalledModel) -> Optional[str]:
    """The sentence for a cell that this model or this agent cannot do; None when it can."""
    shape = SHAPES.get(spec.kind)
    if shape is None:
        return f"This version of the agent cannot measure cells of the kind {spec.kind}."
    if model.capabilities and shape.needs not in model.capabilities:
        return f"The model does not offer {shape.needs}: it has {', '.join(model.capabilities)}."
    if model.context_length is not None and spec.num_ctx > model.context_length:
        return f"The cell needs a context of {spec.num_ctx} tokens; the model has {model.context_length}."
    needed = prompt_target(spec) + spec.output_tokens
    if needed > spec.num_ctx:
        return f"Prompt and answer together have {needed} tokens, more than the context of {spec.num_ctx}."
    return None


def _rank(spec: CellSpec) -> int:
    return SHAPES[spec.kind].rank if spec.kind in SHAPES else 1
