"""The raw samples of a result over the user API, judged and derived anew from what Ollama sent."""

from dataclasses import asdict
from typing import Any

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from agent.obt_agent import contract, validity
from agent.obt_agent.metrics import FORMULAS, Metric
from benchmarks import judging, results
from benchmarks.api.callers import open_to
from benchmarks.api.jobs import ErrorShape
from benchmarks.api.shapes import Shape, flag_sentences
from obt_site.access import Role

router = Router(tags=["results"])


class ValueShape(Shape):
    value: float
    unit: str


class SampleShape(Shape):
    """One request. `flags` are the gates it failed, `flag_sentences` the same in words; such a sample is kept, and not
    counted.

    `raw` is what Ollama's final message said, in nanoseconds and tokens; null was not sent. A metric without a number
    is null, with the reason in `missing`.
    """

    cell: str
    index: int = Field(description="in its cell, from 0; warm-ups are counted apart")
    slot: int | None = Field(description="which of the concurrent requests of round `index`; null where there is one")
    warmup: bool
    valid: bool
    flags: list[str]
    flag_sentences: dict[str, str]
    raw: contract.RawCounters
    timing: contract.Timing
    metrics: dict[str, ValueShape | None]
    missing: dict[str, str]
    prompt: contract.Prompt | None
    placement: contract.Placement | None
    loaded_models: int | None
    surroundings: contract.Surroundings | None = Field(description="what went on around it; null was not recorded")
    error: ErrorShape | None


class SamplesShape(Shape):
    items: list[SampleShape]
    next: str | None = None  # always null: a result's samples come whole
    formulas: dict[str, str] = Field(description="how each metric is computed from `raw` and `timing`")


def shape(sample: contract.Sample, metrics: dict[str, Metric]) -> SampleShape:
    """The sample as the API tells it."""
    return SampleShape(
        cell=sample.cell,
        index=sample.index,
        slot=sample.slot,
        warmup=sample.warmup,
        valid=validity.is_valid(sample),
        flags=sample.flags,
        flag_sentences=flag_sentences(sample.flags),
        raw=sample.raw,
        timing=sample.timing,
        metrics={name: _value(metric) for name, metric in metrics.items()},
        missing={name: metric.reason or "not measured" for name, metric in metrics.items() if metric.value is None},
        prompt=sample.prompt,
        placement=sample.placement,
        loaded_models=sample.loaded_models,
        surroundings=sample.surroundings,
        error=ErrorShape(**asdict(sample.error)) if sample.error else None,
    )


def _value(metric: Metric) -> ValueShape | None:
    return None if metric.value is None else ValueShape(value=metric.value, unit=metric.unit)


@router.get("/results/{result_id}/samples", **open_to(Role.VIEWER, SamplesShape, public=True))
def get_samples(request: HttpRequest, result_id: str) -> SamplesShape:
    """Every request of a result, warm-ups and left-out ones too, with the formulas of the numbers."""
    found = results.find(result_id)
    shown = [shape(sample, metrics) for _, sample, metrics in judging.judged(found, results.environment_of(found))]
    names: set[str] = {name for sample in shown for name in sample.metrics}
    formulas: dict[str, Any] = {name: FORMULAS[name] for name in FORMULAS if name in names}
    return SamplesShape(items=shown, formulas=formulas)
