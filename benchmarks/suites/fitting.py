"""Which cells a model gets, and what of it cannot be measured."""

import dataclasses
from collections.abc import Iterable, Sequence

from agent.obt_agent.contract import CellSpec
from agents.documents import ModelInstallation
from benchmarks.suites.cells import EMBED_NUM_CTX
from benchmarks.suites.parameters import ROOM, base_of, parameters_of, tokens_of
from benchmarks.suites.standard import SUITES
from obt_site.errors import FieldError, Invalid

LEAST_NUM_CTX = 128  # the wire's own limit


def unsuitable(model: ModelInstallation) -> str | None:
    """Why a model cannot be measured, as a sentence; None when it can."""
    if model.remote:
        return f"{model.name} runs in the cloud: its speed says nothing about this machine."
    if model.capabilities and not (_completes(model) or _embeds(model)):
        return f"{model.name} neither generates text nor embeds ({', '.join(model.capabilities)})."
    return None


def cells_for(cells: Iterable[CellSpec], model: ModelInstallation) -> list[CellSpec]:
    """The cells that concern this model: embedding models embed, others generate, all load.

    A model with a short context gets all of it where the cell fits; one that does not fit, or whose context was asked
    for by name, stays as it is, and the agent skips it with the reason.
    """
    mine = [each for each in cells if _concerns(each, model)]
    if not _completes(model):
        mine = [_loaded_to_embed(each) for each in mine]
    return [_within(each, model.context_length) for each in mine]


def _loaded_to_embed(spec: CellSpec) -> CellSpec:
    if spec.kind != "load" or _names_its_context(spec):
        return spec
    return dataclasses.replace(spec, num_ctx=EMBED_NUM_CTX)


def too_long(spec: CellSpec, model: ModelInstallation) -> bool:
    """Whether the cell needs more context than the model has."""
    return model.context_length is not None and _within(spec, model.context_length).num_ctx > model.context_length


def useless(cells: Sequence[CellSpec], model: ModelInstallation) -> str | None:
    """Why these cells measure nothing of a model, as a sentence; None when one does."""
    if all(each.kind == "load" for each in cells) or any(each.kind != "load" for each in cells_for(cells, model)):
        return None
    verb = "generates text" if _completes(model) else "only embeds"
    return f"{model.name} {verb}, and none of the chosen cells measures that."


def used(
    cells: Sequence[CellSpec], models: Sequence[ModelInstallation], fields: Sequence[str] | None = None
) -> list[CellSpec]:
    """The cells that concern any of the models; raises Invalid by field for one that is too long for all of these.

    A cell of the standard suite may be: it is skipped then, with its reason on the result. `fields`: what asked for
    each cell; left out, their places.
    """
    asked_by = [f"cells.{i}" for i in range(len(cells))] if fields is None else fields
    found: list[CellSpec] = []
    problems: dict[str, str] = {}
    for each, field in zip(cells, asked_by, strict=True):
        having = [model for model in models if _concerns(each, model)]
        found += [each] if having else []
        if having and not _may_be_skipped(each) and all(too_long(each, model) for model in having):
            most = max(model.context_length or 0 for model in having)
            message = f"{each.name} needs a context of {each.num_ctx} tokens; the chosen models have at most {most}."
            problems.setdefault(field, message)
    if problems:
        errors = [FieldError(field, message) for field, message in problems.items()]
        raise Invalid(errors[0].message, errors)
    return found


def _may_be_skipped(spec: CellSpec) -> bool:
    return base_of(spec.name) in SUITES["standard"] and not _names_its_context(spec)


def _names_its_context(spec: CellSpec) -> bool:
    return "num_ctx" in parameters_of(spec.name)


def _completes(model: ModelInstallation) -> bool:
    """A model that says nothing of itself is taken for one that generates."""
    return not model.capabilities or "completion" in model.capabilities


def _embeds(model: ModelInstallation) -> bool:
    return "embedding" in (model.capabilities or ())


def _concerns(spec: CellSpec, model: ModelInstallation) -> bool:
    if spec.kind == "load":
        return True
    return _embeds(model) if spec.kind == "embed" else _completes(model)


def _within(spec: CellSpec, context_length: int | None) -> CellSpec:
    if context_length is None or spec.num_ctx <= context_length or _names_its_context(spec):
        return spec
    fits = tokens_of(spec) <= context_length * ROOM and context_length >= LEAST_NUM_CTX
    return dataclasses.replace(spec, num_ctx=context_length) if fits else spec
