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
from .cells_prompt import take_prompt
from .contract import CellSpec, InstalledModel, PinnedOptions, Sample
from .measure_setting import setting_of

TakeSamples = Callable[[Bench, CellSpec, int, bool], "list[Sample]"]

COMPLETION = "completion"
EMBEDDING = "embedding"


@dataclass(frozen=True)
class Shape:
    """How a kind is measured. `take(bench, spec, index, warmup)` returns one round's samples, one unless concurrent.

    `phase`: what its telemetry is called. `needs`: capabilities, one of which a model must have. `reloads`: each round
    loads the model, so its rounds come before those of all other cells of a setting and are not mixed with them.
    """

    take: TakeSamples
    phase: Literal["load", "sample"] = "sample"
    needs: tuple[str, ...] = (COMPLETION,)
    reloads: bool = False


def prompt_target(spec: CellSpec) -> int:
    """Tokens the prompt should have: the context already there, and the measured part. 0: any short prompt."""
    return spec.depth + spec.prompt_tokens


def take_one(bench: Bench, spec: CellSpec, index: int, warmup: bool) -> list[Sample]:
    """One request with a prompt of the asked length: prefill, decode (at a depth or not) and chat differ in length."""
    return [bench.measure(spec, index, warmup, prompt_target(spec))]


SHAPES: dict[str, Shape] = {
    "load": Shape(take_load, phase="load", needs=(COMPLETION, EMBEDDING), reloads=True),
    "prefill": Shape(take_one),
    "decode": Shape(take_one),
    "chat": Shape(take_one),
    "concurrency": Shape(take_round),
    "embed": Shape(take_embed, needs=(EMBEDDING,)),
    "prompt": Shape(take_prompt),
}


def in_order(cells: Sequence[CellSpec], pinned: PinnedOptions) -> list[CellSpec]:
    """Cells of one setting together, each change of it being a reload; within, loads first, then as asked."""
    settings = list(dict.fromkeys(setting_of(spec, pinned) for spec in cells))
    return sorted(cells, key=lambda spec: (settings.index(setting_of(spec, pinned)), not reloads(spec)))


def reloads(spec: CellSpec) -> bool:
    """Whether each round of this cell loads the model."""
    return spec.kind in SHAPES and SHAPES[spec.kind].reloads


def refusal_of(model: InstalledModel) -> Optional[str]:
    """Why nothing of this model can be measured, by what it says of itself; None when something can."""
    if model.remote:
        return f"The model {model.name} runs in the cloud, not on this machine."
    if model.capabilities and not {COMPLETION, EMBEDDING} & set(model.capabilities):
        return f"The model {model.name} neither generates text nor embeds: it has {', '.join(model.capabilities)}."
    return None


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
