"""From raw samples to the summary a result carries. Pure: can be run again on stored samples at any time.

The formulas and gates are the agent's own modules (`metrics`, `validity`, `statistics`); nothing is computed twice in
two ways. A summary's cell is

    {cell, kind, n, planned, valid, flags: {flag: count}, skipped, stopped, warmups, left_out,
     metrics: {name: {median, low, high, interval, coverage, iqr, cv, minimum, maximum, n, unit}}}

where `metrics` holds only what has a number; `missing` holds the reasons of the others by name.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from agent.obt_agent import engines, metrics, validity
from agent.obt_agent.contract import CellRun, CellSpec, RunEnvironment, Sample
from agent.obt_agent.statistics import summarise


def cells(runs: Sequence[CellRun], environment: RunEnvironment | None = None) -> list[dict[str, Any]]:
    """The summary of every cell, in the order they were run."""
    return [_cell(run, environment) for run in runs]


def _cell(run: CellRun, environment: RunEnvironment | None) -> dict[str, Any]:
    judged = validity.judge(run.samples, run.spec)
    measured = [sample for sample in judged if not sample.warmup]
    counted = [sample for sample in measured if validity.is_valid(sample)]
    values, missing = _values(counted, run.spec, environment)
    headline = metrics.HEADLINE[run.spec.kind]
    return {
        "cell": run.spec.name,
        "kind": run.spec.kind,
        "planned": run.spec.repetitions,
        "n": len(counted),
        "warmups": len(judged) - len(measured),
        "left_out": len(measured) - len(counted),
        "flags": dict(Counter(flag for sample in measured for flag in sample.flags)),
        "skipped": run.skipped,
        "stopped": run.stopped,
        "headline": headline,
        "metrics": values,
        "missing": missing,
        "valid": headline in values and len(counted) >= run.spec.repetitions,
    }


def sample_metrics(
    sample: Sample, spec: CellSpec, environment: RunEnvironment | None = None
) -> dict[str, metrics.Metric]:
    """Every metric of one sample, by the engine that counted it."""
    version = environment.ollama.version if environment else None
    engine = engines.engine_of(version, environment.model.format if environment else None)
    return metrics.derive(sample, spec, engine, engines.counts_uncached_only(version))


def _values(
    counted: Sequence[Sample], spec: CellSpec, environment: RunEnvironment | None
) -> tuple[dict[str, Any], dict[str, str]]:
    each = [sample_metrics(sample, spec, environment) for sample in counted]
    values: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for name in metrics.APPLICABLE[spec.kind]:
        found = [sample[name] for sample in each if name in sample]
        summary = summarise([metric.value for metric in found if metric.value is not None])
        if summary is not None:
            values[name] = {**asdict(summary), "unit": found[0].unit}
        else:
            missing[name] = next((m.reason for m in found if m.reason), None) or "no sample counted"
    return values, missing


def all_valid(summaries: Sequence[dict[str, Any]]) -> bool:
    """Whether every cell that was run has its headline number from as many samples as planned."""
    run = [cell for cell in summaries if not cell["skipped"]]
    return bool(run) and all(cell["valid"] for cell in run)


def placement(runs: Sequence[CellRun]) -> dict[str, Any] | None:
    """Where the model was: {size_bytes, size_vram_bytes, gpu_share}, of the last sample that says; None unknown."""
    for run in reversed(runs):
        for sample in reversed(run.samples):
            where = sample.placement
            if where is not None and where.size_bytes:
                share = metrics.gpu_share(where.size_bytes, where.size_vram_bytes)
                return {**asdict(where), "gpu_share": share.value}
    return None
