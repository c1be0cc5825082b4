"""The values behind a stored number: read from the raw samples, judged and derived anew."""

from agent.obt_agent import engines, rounds, validity, wire
from agent.obt_agent.contract import CellRun
from benchmarks.documents import Result, SampleBlock


def values(result: Result, cell: str, metric: str) -> list[float]:
    """The metric of every round of the cell that counts, in the order they were run; empty when there are none."""
    position = next((i for i, one in enumerate(result.cells) if one["cell"] == cell), None)
    block = SampleBlock.objects(id=f"{result.id}:{position}").first()
    if block is None:
        return []
    return of_run(result, wire.decode(CellRun, {"spec": block.spec, "samples": block.samples}), metric)


def of_run(result: Result, run: CellRun, metric: str) -> list[float]:
    """The same of a cell's run that is at hand."""
    version = result.ollama_version
    model_format = ((result.environment or {}).get("model") or {}).get("format")
    engine, uncached = engines.engine_of(version, model_format), engines.counts_uncached_only(version)
    judged = rounds.rounds_of(validity.judge(run.samples, run.spec), run.spec)
    counted = [one for one in judged if one.valid and not one.warmup]
    found = [rounds.round_metrics(one, run.spec, engine, uncached).get(metric) for one in counted]
    return [one.value for one in found if one is not None and one.value is not None]
