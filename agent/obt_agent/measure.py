"""The engine: takes one offered job and one Ollama, and makes a result of them.

`run_job` never raises for anything Ollama does: every end is a result, with all that was measured until then. It raises
`Released` only when the agent is to shut down and stopped it between two samples.

Order of a job: look at the model (still there? the same? local? able?), then per setting a request that loads it; the
first time also how its tokeniser counts and how fast it is, from which follows what the budget has time for. Then the
rounds of that setting's cells, interleaved as `measure_schedule` says. The result has the cells in the order planned,
and in each its samples in the order taken; `timing.start_s` says how those of all cells followed each other.
"""

from __future__ import annotations

import dataclasses
import platform
from typing import Optional

from . import __version__
from .cancel import Cancel, Released
from .cells import as_run, in_order, only_embeds, refusal_of, why_not
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
from .measure_plan import slow_variant, why_slow
from .measure_prepare import prepare
from .measure_progress import Progress, Report
from .measure_schedule import Schedule
from .measure_setting import Setting
from .ollama import OllamaClient, OllamaError, full_name, is_simulated
from .power import Power, read_power
from .rounds import rounds_of
from .server_settings import missing_reasons, read_server_settings

__all__ = ["JobFailed", "Released", "run_job"]

# Beyond its budget a job finishes what is obligatory; beyond this it is ended.
HARD_LIMIT_TIMES_BUDGET = 1.5
NOT_THIS_MACHINE = "Ollama runs in a container or on another host: this machine's is not its own."
CANCELLED_SENTENCE = "The job was cancelled."


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
    pace = Pace(offer.options)
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
        self.schedule: Schedule[CellRunner] = Schedule([], self)
        self.model: Optional[InstalledModel] = None
        self.settings = ServerSettings()
        self.power = Power()
        self.was_loaded = True

    def run(self) -> ResultBody:
        """Measure to an end, whichever it is."""
        self.bench.recorder.start(self.bench.t0)
        self.bench.progress.start()
        outcome, error, why = "succeeded", None, None
        try:
            self.measure()
        except Stopped:
            outcome, why = "cancelled", CANCELLED_SENTENCE
        except JobFailed as failed:
            outcome, error, why = failed.outcome, failed.error, failed.error.message
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
            cells=self.all_cells(why),
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
        self.power = power_of(self.state)
        self.plan_cells(self.model)
        self.schedule.run()
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
        """Raise JobFailed for a model that cannot be measured, or another one behind the same name."""
        refused = refusal_of(model)
        if refused is not None:
            raise JobFailed("model_remote" if model.remote else "model_unsuitable", refused)
        if model.digest != bare_digest(self.offer.digest):
            message = (
                f"The model {model.name} has changed since it was chosen: its digest was "
                f"{bare_digest(self.offer.digest)[:12]} and is {model.digest[:12]} now."
            )
            raise JobFailed("model_changed", message)

    def plan_cells(self, model: InstalledModel) -> None:
        """All cells in order, those that this model cannot do skipped. Raises JobFailed when none is left."""
        cells = [self.runner(spec) for spec in in_order(self.offer.cells, self.offer.options)]
        self.schedule = Schedule(cells, self)
        reasons = [why_not(cell.spec, model) for cell in cells]
        for cell, reason in zip(cells, reasons):
            self.bench.progress.already_done(len(rounds_of(cell.samples, cell.spec)))
            if reason is not None:
                cell.skip(reason)
        if not any(cell.open for cell in cells):
            raise JobFailed("model_unsuitable", next(iter(reasons), None) or "The job has no cells.")

    # -- what the schedule asks for ----------------------------------------------------------------------------------

    def left_s(self) -> float:
        """Seconds of the budget that are left; negative beyond it."""
        return self.bench.budget_left_s()

    def load_s(self) -> float:
        """Seconds that another setting costs."""
        return self.bench.pace.load_s

    def enter(self, setting: Setting, before: Optional[Setting]) -> None:
        """Load the model with this setting, and read what its runner's command line shows."""
        prepare(self.bench, setting, before)
        self.settings = read_server_settings(self.bench.ollama.url, self.offer.digest)
        if before is None:
            measure_idle(self.bench.recorder, self.bench.cancel, self.bench.elapsed_s, self.offer.budget_s)

    def stand_in(self, cell: CellRunner) -> Optional[CellRunner]:
        """The short variant of a long cell, for a model that is very slow with the loaded setting."""
        rate = self.bench.pace.decode_rate
        variant = None if cell.samples else slow_variant(cell.spec, rate)
        if variant is None:
            return None
        cell.skip(why_slow(variant, rate))
        made = CellRunner(self.bench, variant, self.store)
        self.bench.progress.already_done(len(rounds_of(made.samples, variant)))
        return made

    def planned(self) -> None:
        """Tell how much is needed now."""
        for cell in self.schedule.cells:
            warmups = 0 if cell.begun or not cell.needed else cell.spec.warmups
            self.bench.progress.plan(cell.spec, cell.needed + warmups)

    # -- its end -----------------------------------------------------------------------------------------------------

    def require_a_number(self) -> None:
        """Raise JobFailed when not one round of the whole job counts."""
        cells = self.schedule.cells
        if not any(cell.valid_rounds() for cell in cells):
            stopped = (cell.so_far().stopped for cell in cells)
            reason = next((one for one in stopped if one), None) or "every cell was skipped"
            raise JobFailed("no_valid_samples", f"Not one sample of this job counts: {reason}")

    def all_cells(self, why: Optional[str]) -> list[CellRun]:
        """Every cell in the order planned. `why`: the job's end, for those that it kept from being done."""
        cells = self.schedule.cells or [self.runner(spec) for spec in in_order(self.offer.cells, self.offer.options)]
        return [cell.so_far(why) for cell in cells]

    def runner(self, spec: CellSpec) -> CellRunner:
        """The cell as this model can do it, with what was kept of it before a restart."""
        return CellRunner(self.bench, as_run(spec, self.model) if self.model else spec, self.store)

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
            engine=self.bench.engine.value,
            suite=self.offer.suite,
            suite_version=self.offer.suite_version,
            power_source=self.power.power_source,
            cpu_governor=self.power.cpu_governor,
            missing={**self.power.missing, **missing_reasons(self.settings)},
        )


def power_of(state: OllamaState) -> Power:
    """How the machine that Ollama runs on is powered and governed; None with the reason where that is not this one."""
    if state.local is False:
        return Power(missing=dict.fromkeys(("power_source", "cpu_governor"), NOT_THIS_MACHINE))
    return read_power()
