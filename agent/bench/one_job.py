"""One job of OBT's engine on an Ollama, as the agent runs it: real probes, real spool, no server."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from agent.bench.report import CannotRun
from agent.obt_agent.cancel import Cancel
from agent.obt_agent.contract import CellRun, CellSpec, JobOffer, OllamaState, ResultBody, Sample
from agent.obt_agent.hardware import collect
from agent.obt_agent.measure import run_job
from agent.obt_agent.ollama import OllamaClient, full_name
from agent.obt_agent.probes.choose import choose
from agent.obt_agent.probes.ollama import OllamaProbe
from agent.obt_agent.processes import find_server
from agent.obt_agent.spool import Spool
from agent.obt_agent.telemetry import Recorder
from agent.obt_agent.validity import is_valid
from agent.real_ollama.models import TinyModel
from agent.real_ollama.process import OllamaNotStarted
from agent.real_ollama.serve import OllamaNotBuilt, RealOllama
from agent.real_ollama.tools import DEFAULT_VERSION

BUDGET_S = 600.0


@contextmanager
def real_ollama(
    models: Sequence[TinyModel], version: str = DEFAULT_VERSION, environment: dict[str, str] | None = None
) -> Iterator[RealOllama]:
    """A real Ollama with these models. Raises CannotRun where it is not built or does not start."""
    try:
        server = RealOllama(models, version=version, environment=environment).__enter__()
    except (OllamaNotBuilt, OllamaNotStarted) as error:
        raise CannotRun(str(error)) from error
    try:
        yield server
    finally:
        server.close()


def run(
    url: str, model: str, cells: Sequence[CellSpec], budget: Literal["quick", "standard", "full"] = "quick"
) -> ResultBody:
    """Measure these cells of a model, telemetry on. Raises CannotRun when the Ollama does not have it."""
    client = OllamaClient(url)
    digest = next((one.digest for one in client.tags() if one.name == full_name(model)), None)
    if digest is None:
        raise CannotRun(f"The Ollama at {url} has no model {model}.")
    offer = JobOffer("job", 1, "lease", "session", model, digest, "standard", budget, BUDGET_S, list(cells))
    with tempfile.TemporaryDirectory(prefix="obt-bench-") as folder:
        spool = Spool(Path(folder), reserve_bytes=0)
        spool.take(offer)
        machine = choose(Path(folder))
        probes = [*machine.probes, OllamaProbe(lambda: find_server(url))]
        recorder = Recorder(probes, of_this_machine=True, missing=machine.missing)
        state = OllamaState(url, reachable=True, local=True)
        begun = time.perf_counter()
        try:
            return run_job(
                offer, client, recorder, spool.store(offer), ignore, Cancel(), collect(machine.gpus()), state, begun
            )
        finally:
            spool.close()


def ignore(kind: str, **fields: Any) -> None:
    """What the job reports while it runs: nobody watches."""


def counted(result: ResultBody, cell: str) -> list[Sample]:
    """The samples of a cell that count."""
    return [sample for sample in run_of(result, cell).samples if is_valid(sample)]


def run_of(result: ResultBody, cell: str) -> CellRun:
    """A cell as it was run. Raises LookupError."""
    return next(run for run in result.cells if run.spec.name == cell)
