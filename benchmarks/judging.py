"""The stored samples of a result, judged and derived anew from what Ollama sent."""

from collections.abc import Iterator
from typing import NamedTuple

from agent.obt_agent import contract, validity, wire
from agent.obt_agent.metrics import Metric
from benchmarks import derive, results
from benchmarks.documents import Result


class Judged(NamedTuple):
    """One request: its cell, itself with its flags worked out among its siblings, and its metrics."""

    spec: contract.CellSpec
    sample: contract.Sample
    metrics: dict[str, Metric]

    @property
    def counts(self) -> bool:
        """Whether its numbers go into the summary."""
        return not self.sample.warmup and validity.is_valid(self.sample)

    def value(self, metric: str) -> float | None:
        """The metric's number; None where there is none."""
        found = self.metrics.get(metric)
        return None if found is None else found.value


def judged(result: Result, environment: contract.RunEnvironment | None) -> Iterator[Judged]:
    """Every request of the result, cell by cell in the order they were run."""
    for block in results.samples_of(result):
        run = wire.decode(contract.CellRun, {"spec": block.spec, "samples": block.samples})
        for sample in validity.judge(run.samples, run.spec):
            yield Judged(run.spec, sample, derive.sample_metrics(sample, run.spec, environment))
