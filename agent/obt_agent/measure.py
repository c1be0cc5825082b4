"""The engine: takes one offered job and one Ollama, and makes a result of them.

`run_job` never raises for anything Ollama does: every end is a result, with all that was measured until then. It raises
`Released` only when the agent is to shut down and stopped it between two samples.

Order of a job: look at the model (still there? the same? local? able?), then per context length a short request that
loads it; the first time also how its tokeniser counts and how fast it is, from which follows what the budget has time
for. Then the cells, those of one context length together; the result has them in the order they ran.
"""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Sequence
from typing import Optional

from . import __version__
from .cancel import Cancel, Released
from .cells import as_run, in_order, only_embeds, why_not
from .cells_bench import Bench, Recorder, bare_digest
from .contract import (
    CellRun,
    CellSpec,
    Hardware,
    InstalledModel,
    JobOffer,
    OllamaState,
    ResultBody,
    RunEnvironment,
    ServerSettings,
)
from .engines import engine_of
from .measure_cell import CellRunner, Store
from .measure_idle import measure_idle
from .measure_memory import make_room, say_goodbye
from .measure_outcome import JobFailed, Stopped, failed_by
from .measure_pace import Pace
from .measure_plan import obligatory, shed, slow_variant, why_slow
from .measure_prepare import prepare
from .measure_progress import Progress, Report
from .ollama import OllamaClient, OllamaError, full_name, is_simulated
from .rounds import rounds_of
from .server_settings import read_server_settings
from .validity import is_valid

__all__ = ["JobFailed", "Released", "run_job"]

# Beyond its budget a job finishes what is obligatory; beyond this it is ended.
HARD_LIMIT_TIMES_BUDGET = 1.5
NOT_REACHED = "The job ended before this cell."


def run_job(
    offer: JobOffer,
    ollama: OllamaClient,
    recorder: Recorder,
    store: Store,
    report: Report,
    cancel: Cancel,
    hardware: Hardware,
    state: OllamaState,
    t0: float,
) -> ResultBody:
    """Measure the offered cells. `t0`: time.perf_counter() at the job's beginning. Raises only Released."""
    pace = Pace()
    progress = Progress(report, recorder, pace)
    deadline = t0 + offer.budget_s * HARD_LIMIT_TIMES_BUDGET
    bench = Bench(offer, ollama, recorder, progress, cancel, t0, deadline, pace)
    return Job(bench, store, hardware, state).run()


class Job:
    """One run of one offer."""

    def __init__(self, bench: Bench, store: Store, hardware: Hardware, state: OllamaState) -> None:
        self.bench = bench
        self.offer = bench.offer
        self.store = store
        self.hardware = hardware
        self.state = state
        self.runs: list[CellRun] = []
        self.planned = [spec.name for spec in in_order(self.offer.cells)]
        self.model: Optional[InstalledModel] = None
        self.settings = ServerSettings()
        self.was_loaded = True

    def run(self) -> ResultBody:
        """Measure to an end, whichever it is."""
        self.bench.recorder.start(self.bench.t0)
        self.bench.progress.start()
        outcome, error = "succeeded", None
        try:
            self.measure()
        except Stopped:
            outcome = "cancelled"
        except JobFailed as failed:
            outcome, error = failed.outcome, failed.error
        finally:
            self.bench.progress.stop()
            telemetry = self.bench.recorder.stop()
        if not self.was_loaded:
            say_goodbye(self.bench)
        return ResultBody(
            attempt=self.offer.attempt,
            lease=self.offer.lease,
            outcome=outcome,  # type: ignore[arg-type]
            duration_s=self.bench.elapsed_s(),
            cells=self.all_cells(),
            environment=self.environment(),
            telemetry=telemetry,
            error=error,
        )

    def measure(self) -> None:
        """All of it. Raises Stopped, JobFailed or Released."""
        self.bench.check()
        self.model = self.look_at_model()
        self.bench.engine = engine_of(self.state.version, self.model.format)
        self.bench.only_embeds = only_embeds(self.model)
        # After a restart of the agent the model is in memory because of this very job.
        self.was_loaded = make_room(self.bench) and not self.store.samples()
        specs = self.able(self.model)
        unfinished = [spec for spec in specs if not CellRunner(self.bench, spec, self.store).complete]
        prepared = unfinished[0].num_ctx if unfinished else None
        if prepared is not None:
            self.prepare(prepared)
            measure_idle(self.bench.recorder, self.bench.cancel, self.bench.elapsed_s, self.offer.budget_s)
        runners = self.fit_budget([CellRunner(self.bench, spec, self.store) for spec in self.fit_speed(specs)])
        always = obligatory([runner.spec for runner in runners])
        for position, runner in enumerate(runners):
            if not runner.complete and runner.spec.num_ctx != prepared:
                self.prepare(runner.spec.num_ctx)
                prepared = runner.spec.num_ctx
            later = [one for one in runners[position + 1 :] if one.spec.name in always]
            runner.reserve_s = sum(one.expected().cut().seconds for one in later)
            self.run_cell(runner, runner.spec.name in always)
        self.require_a_number()

    def look_at_model(self) -> InstalledModel:
        """The model as it is now. Raises JobFailed when it is not what the offer means."""
        try:
            version = self.bench.ollama.version()
            self.state = dataclasses.replace(
                self.state,
                reachable=True,
                version=version,
                simulated=self.state.simulated or is_simulated(version),
                problem=None,
                message=None,
            )
            listed = {full_name(model.name): model for model in self.bench.ollama.tags()}
            found = listed.get(full_name(self.offer.model))
            if found is None:
                raise JobFailed(
                    "model_missing", f"The model {self.offer.model} is no longer installed on this machine."
                )
            model = self.bench.ollama.show(found)
        except OllamaError as error:
            raise failed_by(error) from None
        self.check_model(model)
        return model

    def check_model(self, model: InstalledModel) -> None:
        """Raise JobFailed for a cloud model or another model behind the same name."""
        if model.remote:
            raise JobFailed("model_remote", f"The model {model.name} runs in the cloud, not on this machine.")
        if model.digest != bare_digest(self.offer.digest):
            message = (
                f"The model {model.name} has changed since it was chosen: its digest was "
                f"{bare_digest(self.offer.digest)[:12]} and is {model.digest[:12]} now."
            )
            raise JobFailed("model_changed", message)

    def able(self, model: InstalledModel) -> list[CellSpec]:
        """The cells this model can do, in order; the others are skipped. Raises JobFailed when none is left."""
        specs = []
        for spec in in_order(self.offer.cells):
            reason = why_not(spec, model)
            if reason is None:
                specs.append(as_run(spec, model))
            else:
                self.skip(spec, reason)
        if not specs:
            reason = self.runs[0].skipped if self.runs else None
            raise JobFailed("model_unsuitable", reason or "The job has no cells.")
        return specs

    def fit_speed(self, specs: Sequence[CellSpec]) -> list[CellSpec]:
        """The cells with the short variants of a very slow model in place of its long ones."""
        rate = self.bench.pace.decode_rate
        begun = {sample.cell for sample in self.store.samples()}
        fitting: dict[str, CellSpec] = {}
        for spec in specs:
            variant = None if spec.name in begun else slow_variant(spec, rate)
            if variant is not None:
                self.skip(spec, why_slow(variant, rate))
                self.planned.insert(self.planned.index(spec.name) + 1, variant.name)
            fitting.setdefault((variant or spec).name, variant or spec)
        return list(fitting.values())

    def fit_budget(self, runners: Sequence[CellRunner]) -> list[CellRunner]:
        """The cells there is time for, by prediction; the others are skipped, unless they have samples already."""
        expected = [runner.expected() for runner in runners if not runner.complete]
        shedding = shed(expected, self.bench.budget_left_s(), self.bench.pace.load_s)
        kept = []
        for runner in runners:
            reason = shedding.dropped.get(runner.spec.name)
            if reason is not None and not runner.samples:
                self.skip(runner.spec, reason)
                continue
            runner.cut(shedding.cut)
            kept.append(runner)
            self.bench.progress.already_done(len(rounds_of(runner.samples, runner.spec)))
            self.bench.progress.plan(runner.spec, runner.missing + runner.spec.warmups if runner.missing else 0)
        return kept

    def prepare(self, num_ctx: int) -> None:
        """Load the model with this context length, and read what its runner's command line shows."""
        prepare(self.bench, num_ctx)
        self.settings = read_server_settings(self.bench.ollama.url, self.offer.digest)

    def run_cell(self, runner: CellRunner, obligatory: bool) -> None:
        """One cell into `runs`, whatever comes of it."""
        reason = None if obligatory else runner.fit_budget()
        if reason is not None and not runner.samples:
            self.skip(runner.spec, reason)
            return
        try:
            self.runs.append(runner.so_far(reason) if reason else runner.run())
        except JobFailed as failed:
            self.runs.append(runner.so_far(failed.error.message))
            raise
        except Stopped:
            self.runs.append(runner.so_far("The job was cancelled."))
            raise
        self.bench.progress.plan(runner.spec, 0)

    def skip(self, spec: CellSpec, reason: str) -> None:
        """Note a cell that is not run, and say so at once."""
        self.runs.append(CellRun(spec=spec, skipped=reason))
        self.bench.progress.plan(spec, 0)
        self.bench.progress.note(spec, f"{spec.name}: {reason}")

    def require_a_number(self) -> None:
        """Raise JobFailed when not one sample of the whole job counts."""
        if not any(is_valid(sample) for run in self.runs for sample in run.samples):
            reason = next((run.stopped for run in self.runs if run.stopped), None) or "every cell was skipped"
            raise JobFailed("no_valid_samples", f"Not one sample of this job counts: {reason}")

    def all_cells(self) -> list[CellRun]:
        """The cells in the order they ran, those not run or not reached where their turn would have been."""
        seen = {run.spec.name for run in self.runs}
        missed = [self.not_reached(spec) for spec in self.offer.cells if spec.name not in seen]
        return sorted([*self.runs, *missed], key=lambda run: self.planned.index(run.spec.name))

    def not_reached(self, spec: CellSpec) -> CellRun:
        """A cell without a turn in this run; samples from before a restart are still its own."""
        spec = as_run(spec, self.model) if self.model else spec
        samples = CellRunner(self.bench, spec, self.store).samples
        if samples:
            return CellRun(spec=spec, samples=samples, stopped=NOT_REACHED)
        return CellRun(spec=spec, skipped=NOT_REACHED)

    def environment(self) -> Optional[RunEnvironment]:
        """What the numbers were measured on; None when the model could not even be looked at."""
        if self.model is None:
            return None
        return RunEnvironment(
            ollama=self.state,
            model=self.model,
            hardware=self.hardware,
            options=self.offer.options,
            server=self.settings,
            agent_version=__version__,
            python_version=platform.python_version(),
        )
