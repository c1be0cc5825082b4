"""What one made-up job delivers: the same body that an agent would send."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from agent.obt_agent import cells as agent_cells
from agent.obt_agent import engines
from agent.obt_agent.contract import (
    CellRun,
    CellSpec,
    InstalledModel,
    JobError,
    OllamaState,
    PinnedOptions,
    ResultBody,
    RunEnvironment,
)
from agent.obt_agent.measure_plan import why_shed
from benchmarks.demo import machines, recording, samples, speeds
from benchmarks.demo.machines import Machine
from benchmarks.demo.models import Model
from benchmarks.demo.recording import IDLE_S

URL = "http://127.0.0.1:11434"
AGENT_VERSION, OLD_AGENT_VERSION = "0.1.0", "0.0.9"
ALWAYS_RUN = 2  # cells, whatever the budget
HOT_MACHINES = {"lark": 0.1, "wisp": 0.14, "tower": 0.05}
HOT_USUALLY = 0.015

ERRORS: dict[str, str] = {
    "out_of_memory": "Ollama could not load {model}: it needs more memory than was free.",
    "load_failed": "Ollama could not load {model}: error loading model: unable to allocate the compute buffer.",
    "ollama_died": "The answer broke off: Ollama closed the connection in the middle of it.",
    "ollama_stalled": "Ollama sent nothing for 120 s in the middle of an answer.",
}
LATE = "The job did not end within its budget of {budget:.0f} s."


@dataclass(frozen=True)
class Work:
    """One job: what is measured where and when. `share`: of the demo's time, 0 to 1. `full`: with all telemetry."""

    machine: Machine
    model: Model
    installed: InstalledModel
    cells: Sequence[CellSpec]
    budget_s: float
    share: float
    days: float
    outcome: str  # succeeded, failed (at once), broken (in the middle), timed_out, cancelled
    full: bool


def ollama(version: str, reachable: bool = True) -> OllamaState:
    """The state of a made-up Ollama: it says that it is simulated."""
    if reachable:
        return OllamaState(URL, True, version, simulated=True, local=True)
    return OllamaState(
        URL, False, version, True, True, "refused", f"Nothing answers at {URL}: Ollama is not running there."
    )


def body(work: Work, chance: random.Random) -> ResultBody:
    """The delivery, deterministic by `chance`."""
    version, decode, prefill = machines.release_at(work.machine, work.share, work.days)
    gear = machines.gear_at(work.machine, work.share)
    if gear != work.machine.gear:
        decode, prefill = decode * 1.012, prefill * 1.05  # what the newer driver does
    if work.outcome == "failed":
        return _failed(work, chance)
    speed = speeds.speed(work.machine, work.model, decode, prefill, chance)
    size = work.installed.size_bytes or 0
    bench = samples.Bench(speed, size, work.machine.spread, chance, version, at_s=IDLE_S)
    runs = _ended(_runs(work, bench), work.outcome)
    told = recording.telemetry(work.machine, gear, speed, runs, size, not work.full, chance)
    kind = {"broken": "ollama_died", "timed_out": "budget_exceeded"}.get(work.outcome)
    sentence = ERRORS.get(kind or "", LATE).format(model=work.model.name, budget=work.budget_s)
    return ResultBody(
        attempt=1,
        lease="demo",
        outcome="failed" if work.outcome == "broken" else work.outcome,  # type: ignore[arg-type]
        duration_s=round(bench.at_s + chance.uniform(1, 4), 3),
        cells=runs,
        environment=RunEnvironment(
            ollama=ollama(version),
            model=work.installed,
            hardware=gear,
            options=PinnedOptions(),
            agent_version=AGENT_VERSION,
            python_version="3.12.3",
            engine=engines.engine_of(version, work.installed.format).value,
            power_source="mains",
        ),
        telemetry=told,
        error=JobError(kind, sentence) if kind else None,
    )


def _failed(work: Work, chance: random.Random) -> ResultBody:
    """It ended before anything was measured."""
    kind = chance.choice(["out_of_memory", "load_failed"])
    error = JobError(kind, ERRORS[kind].format(model=work.model.name))
    return ResultBody(1, "demo", "failed", round(chance.uniform(3, 40), 3), error=error)


def _runs(work: Work, bench: samples.Bench) -> list[CellRun]:
    """Every cell as the budget and the model allow."""
    hot_in = None
    if bench.chance.random() < HOT_MACHINES.get(work.machine.name, HOT_USUALLY) and work.machine.gear.gpus:
        hot_in = bench.chance.choice(work.cells).name
    found = []
    for i, asked in enumerate(work.cells):
        spec = agent_cells.as_run(asked, work.installed)
        unfit = agent_cells.why_not(spec, work.installed)
        needed_s, left_s = estimate(spec, bench), work.budget_s - bench.at_s
        if unfit is not None:
            found.append(CellRun(spec, skipped=unfit))
        elif needed_s > left_s and i >= ALWAYS_RUN:
            found.append(CellRun(spec, skipped=why_shed(needed_s, left_s)))
        else:
            found.append(samples.cell_run(spec, bench, bench.chance.randint(1, 4) if spec.name == hot_in else 0))
    return found


def estimate(spec: CellSpec, bench: samples.Bench) -> float:
    """Seconds that the cell will take, roughly."""
    prompt = (spec.depth + spec.prompt_tokens) * spec.batch
    load_s = bench.speed.load_s if spec.kind == "load" else 0.02
    one = prompt * spec.concurrency / bench.speed.prefill + spec.output_tokens / bench.speed.decode + load_s
    return one * (spec.warmups + spec.repetitions) * max(1.0, spec.concurrency / 2)


def _ended(runs: list[CellRun], outcome: str) -> list[CellRun]:
    """What is left of them when it did not come to its end."""
    if outcome == "succeeded" or len(runs) < 2:
        return runs
    kept = max(1, len(runs) // 2)
    words = {"cancelled": "not reached: the job was cancelled", "timed_out": "not reached: the time was over"}
    why = words.get(outcome, "not reached: the job failed before")
    return [*runs[:kept], *(CellRun(run.spec, skipped=why) for run in runs[kept:])]
