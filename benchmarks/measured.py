"""The values behind a stored number: read from the raw samples, judged and derived anew."""

from collections.abc import Iterable, Mapping
from typing import Any

from agent.obt_agent import engines, rounds, validity, wire
from agent.obt_agent.contract import CellRun
from benchmarks.documents import Result, SampleBlock


class Samples:
    """The raw samples of these (result, cell) pairs, in one query; each metric is worked out once."""

    def __init__(self, wanted: Iterable[tuple[Result, str]]) -> None:
        ids = {f"{result.id}:{place}" for result, cell in wanted if (place := _position(result, cell)) is not None}
        found = SampleBlock._get_collection().find({"_id": {"$in": sorted(ids)}}) if ids else ()
        self._blocks: dict[str, Mapping[str, Any]] = {block["_id"]: block for block in found}
        self._values: dict[tuple[str, str], list[float]] = {}

    def stored(self, result: Result, cell: str) -> bool:
        """Whether the samples of this cell are there at all."""
        return f"{result.id}:{_position(result, cell)}" in self._blocks

    def values(self, result: Result, cell: str, metric: str) -> list[float]:
        """The metric of every round of the cell that counts, in the order they were run; empty when there are none."""
        block = self._blocks.get(f"{result.id}:{_position(result, cell)}")
        if block is None:
            return []
        once = (str(block["_id"]), metric)
        if once not in self._values:
            run = wire.decode(CellRun, {"spec": block["spec"], "samples": block["samples"]})
            self._values[once] = of_run(result, run, metric)
        return self._values[once]


def values(result: Result, cell: str, metric: str) -> list[float]:
    """The same of one cell."""
    return Samples([(result, cell)]).values(result, cell, metric)


def of_run(result: Result, run: CellRun, metric: str) -> list[float]:
    """The same of a cell's run that is at hand."""
    version = result.ollama_version
    model_format = ((result.environment or {}).get("model") or {}).get("format")
    engine, uncached = engines.engine_of(version, model_format), engines.counts_uncached_only(version)
    judged = rounds.rounds_of(validity.judge(run.samples, run.spec), run.spec)
    counted = [one for one in judged if one.valid and not one.warmup]
    found = [rounds.round_metrics(one, run.spec, engine, uncached).get(metric) for one in counted]
    return [one.value for one in found if one is not None and one.value is not None]


def _position(result: Result, cell: str) -> int | None:
    return next((i for i, one in enumerate(result.cells) if one["cell"] == cell), None)
