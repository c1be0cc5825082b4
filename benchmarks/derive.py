"""From raw samples to the summary a result carries. Pure: can be run again on stored samples at any time.

The formulas and gates are the agent's own modules (`metrics`, `validity`, `statistics`); nothing is computed twice in
two ways. A summary's cell is

    {cell, kind, n, planned, valid, flags: {flag: count}, skipped, stopped, warmups, left_out, limits,
     order, expected_s, took_s,
     metrics: {name: {median, low, high, interval, coverage, iqr, cv, minimum, maximum, n, unit, note (energy only)}}}

where `n`, `planned`, `warmups` and `left_out` count rounds: a round is one request, or the several of a concurrency
cell that ran together, and one value of each metric. `flags` counts requests. A cell that a short budget left at three
rounds is valid with three; with fewer than it needs it has no headline. `metrics` holds only what has a number;
`missing` holds the reasons of the others by name. `order` is the cell's place by the time of its first sample, from 0;
`expected_s` and `took_s` are the agent's own prediction and the time it took; `limits` what goodput is counted by.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from agent.obt_agent import energy, engines, metrics, rounds, validity
from agent.obt_agent.contract import CellRun, CellSpec, RunEnvironment, Sample, Telemetry
from agent.obt_agent.rounds import Round
from agent.obt_agent.statistics import summarise


def cells(
    runs: Sequence[CellRun], environment: RunEnvironment | None = None, telemetry: Telemetry | None = None
) -> list[dict[str, Any]]:
    """The summary of every cell, in the order they were run. Energy needs the telemetry; without, it is not named."""
    meter = energy.Meter(telemetry) if telemetry is not None else None
    order = _order(runs)
    return [{**_cell(run, environment, meter), "order": order.get(i)} for i, run in enumerate(runs)]


def _order(runs: Sequence[CellRun]) -> dict[int, int]:
    """By position in `runs`, the place of every cell that has a sample."""
    starts = {i: min(sample.timing.start_s for sample in run.samples) for i, run in enumerate(runs) if run.samples}
    return {i: place for place, i in enumerate(sorted(starts, key=lambda i: starts[i]))}


def _cell(run: CellRun, environment: RunEnvironment | None, meter: energy.Meter | None) -> dict[str, Any]:
    judged = rounds.rounds_of(validity.judge(run.samples, run.spec), run.spec)
    measured = [one for one in judged if not one.warmup]
    counted = [one for one in measured if one.valid]
    values, missing = _values(counted, run.spec, environment)
    if meter is not None:
        _add_energy(values, missing, [sample for one in counted for sample in one.samples], run.spec, meter)
    headline = metrics.HEADLINE[run.spec.kind]
    flags = Counter(flag for one in measured for sample in one.samples for flag in sample.flags)
    found = values.get(headline)
    if found is not None and found["n"] < _needed(run):
        del values[headline]
        missing[headline] = _too_few(found["n"], run, flags)
    return {
        "cell": run.spec.name,
        "kind": run.spec.kind,
        "planned": run.spec.repetitions,
        "n": len(counted),
        "warmups": len(judged) - len(measured),
        "left_out": len(measured) - len(counted),
        "flags": dict(flags),
        "skipped": run.skipped,
        "stopped": run.stopped,
        "limits": None if run.spec.slo is None else asdict(run.spec.slo),
        "expected_s": run.expected_s,
        "took_s": run.took_s,
        "headline": headline,
        "metrics": values,
        "missing": missing,
        "valid": headline in values,
    }


def _needed(run: CellRun) -> int:
    """Valid rounds without which a cell has no number."""
    shed = (run.stopped or "").startswith("budget")
    return min(rounds.FEWEST_ROUNDS, run.spec.repetitions) if shed else run.spec.repetitions


def _too_few(n: int, run: CellRun, flags: Counter[str]) -> str:
    """`too few valid samples: 4 of the 6 it needs (left out: 2 throttled, 1 clock step); stopped after …`."""
    left_out = ", ".join(f"{count} {flag.replace('_', ' ')}" for flag, count in flags.items())
    why = f" (left out: {left_out})" if left_out else ""
    ended = f"; {run.stopped}" if run.stopped else ""
    return f"too few valid samples: {n} of the {_needed(run)} it needs{why}{ended}"


def round_metrics(one: Round, spec: CellSpec, environment: RunEnvironment | None = None) -> dict[str, metrics.Metric]:
    """Every metric of one round, by the engine that counted it."""
    return rounds.round_metrics(one, spec, *_counting(environment))


def sample_metrics(
    sample: Sample, spec: CellSpec, environment: RunEnvironment | None = None
) -> dict[str, metrics.Metric]:
    """Every metric of one sample, by the engine that counted it."""
    return metrics.derive(sample, spec, *_counting(environment))


def _counting(environment: RunEnvironment | None) -> tuple[engines.Engine, bool]:
    """Who counted, and whether it left cached tokens out."""
    version = environment.ollama.version if environment else None
    engine = engines.engine_of(version, environment.model.format if environment else None)
    return engine, engines.counts_uncached_only(version)


def _values(
    counted: Sequence[Round], spec: CellSpec, environment: RunEnvironment | None
) -> tuple[dict[str, Any], dict[str, str]]:
    each = [round_metrics(one, spec, environment) for one in counted]
    values: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for name in rounds.names_of(spec):
        found = [one[name] for one in each if name in one]
        summary = summarise([metric.value for metric in found if metric.value is not None])
        if summary is not None:
            values[name] = {**asdict(summary), "unit": found[0].unit}
        else:
            missing[name] = next((m.reason for m in found if m.reason), None) or "no sample counted"
    return values, missing


def _add_energy(
    values: dict[str, Any], missing: dict[str, str], samples: Sequence[Sample], spec: CellSpec, meter: energy.Meter
) -> None:
    for name in energy.APPLICABLE.get(spec.kind, ()):
        found = [energy.per_token(sample, meter, name) for sample in samples]
        summary = summarise([metric.value for metric, _ in found if metric.value is not None])
        if summary is not None:
            note = energy.note_of([used for _, used in found])
            values[name] = {**asdict(summary), "unit": metrics.JOULES_PER_TOKEN, "note": note}
        else:
            missing[name] = next((metric.reason for metric, _ in found if metric.reason), None) or "no sample counted"


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
