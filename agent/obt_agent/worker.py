"""Running the jobs in the spool, one after the other, and turning whatever happens into a result."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from typing import Callable, NamedTuple, Optional, Protocol

from . import cancel as reasons
from . import wire
from .backoff import Backoff
from .cancel import Cancel, Released
from .contract import Hardware, JobOffer, OllamaState, ResultBody
from .inventory import Inventory
from .link import Link
from .machine import HostReading
from .ollama import OllamaClient
from .owner import Owner
from .probes.ollama import OllamaProbe
from .processes import find_server
from .progress import Reporter
from .results import CellRun, JobError
from .spool import ACCEPTED, FINISHED, RUNNING, Held, JobStore, Spool
from .telemetry import Recorder
from .watch import OllamaWatch

RELEASE_AGAIN_S = 2.0  # at most, between tries to give a job back

log = logging.getLogger(__name__)


class Engine(Protocol):
    """Measures one job (measure.run_job). Raises Released when `cancel.finishing` stopped it between two samples."""

    def __call__(
        self,
        offer: JobOffer,
        ollama: OllamaClient,
        recorder: Recorder,
        store: JobStore,
        report: Callable[..., None],
        cancel: Cancel,
        hardware: Hardware,
        state: OllamaState,
        t0: float,
    ) -> ResultBody: ...


class Running(NamedTuple):
    offer: JobOffer
    cancel: Cancel
    recorder: Recorder
    t0: float


class Worker:
    """One thread. `on_result` is called when there may be a result to deliver, `on_idle` when it has nothing to do."""

    def __init__(
        self,
        spool: Spool,
        link: Link,
        engine: Engine,
        inventory: Inventory,
        watch: OllamaWatch,
        owner: Owner,
        on_result: Callable[[], None],
        on_idle: Callable[[], None],
    ) -> None:
        self._spool, self._link, self._engine = spool, link, engine
        self._inventory, self._watch, self._owner = inventory, watch, owner
        self._on_result, self._on_idle = on_result, on_idle
        self._lock = threading.Lock()
        self._running: Optional[Running] = None
        self._early: dict[tuple[str, int], str] = {}  # cancellations of jobs that have not begun
        self._left: set[tuple[str, int]] = set()  # stay in the spool for the next start
        self._wake, self._idle = threading.Event(), threading.Event()
        self._idle.set()  # from the beginning, so that the first sync says what this machine can take
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)

    # -- for the other threads -----------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There is a job in the spool."""
        self._idle.clear()
        self._wake.set()

    def is_idle(self) -> bool:
        return self._idle.is_set() and not self._spool.jobs(ACCEPTED, RUNNING)

    def is_measuring(self) -> bool:
        return self._running is not None

    def reading(self) -> Optional[HostReading]:
        """The recorder's latest reading while a job runs; None otherwise."""
        running = self._running
        latest = running.recorder.latest() if running else None
        return latest if latest and latest.memory_used_bytes is not None else None

    def cancel(self, job: str, attempt: int, reason: str) -> bool:
        """Stop a job that runs or waits. False when it is neither, or was told before."""
        if self._spool.state_of(job, attempt) in (None, FINISHED):
            return False
        with self._lock:
            running = self._running
            if running is None or (running.offer.job, running.offer.attempt) != (job, attempt):
                news = (job, attempt) not in self._early
                self._early[(job, attempt)] = reason
                return news
        news = not running.cancel.is_set()
        running.cancel.set(reason)
        return news

    def finish_soon(self) -> None:
        """Finish the current sample, release the job, take no other."""
        self._stop_with(lambda running: running.cancel.finish_soon())

    def give_back(self, why: str) -> None:
        """Finish the current sample and give the job back to the queue; others may follow later."""
        with self._lock:
            running = self._running
        if running is not None and not running.cancel.finishing:
            log.info("Job %s is given back: %s", running.offer.job, why)
            running.cancel.finish_soon()

    def abort(self) -> None:
        """Leave the job as it is, now."""
        self._stop_with(lambda running: running.cancel.set(reasons.ABORT))

    def _stop_with(self, stop: Callable[[Running], None]) -> None:
        with self._lock:
            self._stopping = True
            running = self._running
        if running is not None:
            stop(running)
        self._wake.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread's end, which only comes after `finish_soon` or `abort`. True when it ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # -- the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            held = self._next()
            if held is None:
                if not self._idle.is_set():
                    self._idle.set()
                    self._on_idle()
                self._wake.wait()
                continue
            self._idle.clear()
            try:
                self._run_job(held)
            except Exception:
                log.exception("Job %s ended with a fault of the agent.", held.offer.job)
                self._fail(held, "agent_error", "The agent failed to run the job; its log has the details.")
            self._on_result()
        self._idle.set()

    def _next(self) -> Optional[Held]:
        jobs = self._spool.jobs(ACCEPTED, RUNNING)
        return next((held for held in jobs if (held.offer.job, held.offer.attempt) not in self._left), None)

    def _run_job(self, held: Held) -> None:
        offer, t0 = held.offer, time.perf_counter() - held.elapsed_s
        refused = self._owner.refuses(offer.model, self._watch.url)
        waits = self._owner.waits()
        if refused is not None and waits is None:
            log.warning("Job %s is refused: %s", offer.job, refused)
            self._fail(held, "policy", refused)
            return
        state, machine = self._watch.state, self._inventory.machine
        own = OllamaProbe(lambda: find_server(self._watch.url))
        recorder = Recorder([*machine.probes, own], of_this_machine=state.local, missing=machine.missing)
        running = Running(offer, Cancel(), recorder, t0)
        reporter = Reporter(offer, self._spool, self._link, running.cancel, t0, recorder.latest)
        self._begin(running)
        try:
            if waits is not None:
                raise Released
            if held.state == ACCEPTED and not reporter.acknowledge():
                self._not_begun(running)
                return
            self._spool.set_running(offer.job, offer.attempt)
            log.info("Job %s begins: %s, suite %s (attempt %d).", offer.job, offer.model, offer.suite, offer.attempt)
            recorder.start(t0)
            reporter.start()
            self._settle(running, self._measure(running, reporter, state))
        except Released:
            self._release(running, reporter)
        finally:
            reporter.close()
            recorder.stop()
            with self._lock:
                self._running = None

    def _fail(self, held: Held, kind: str, message: str) -> None:
        """End a job without measuring: say why, rather than hold it for ever."""
        offer, error = held.offer, JobError(kind, message[:2000])
        result = without_engine(offer, self._spool.store(offer), "failed", held.elapsed_s, error)
        self._spool.finish(offer.job, offer.attempt, wire.dumps(result))

    def _begin(self, running: Running) -> None:
        with self._lock:
            self._running = running
            early = self._early.pop((running.offer.job, running.offer.attempt), None)
            if self._stopping:
                running.cancel.finish_soon()
        if early is not None:
            running.cancel.set(early)

    def _measure(self, running: Running, reporter: Reporter, state: OllamaState) -> ResultBody:
        offer = running.offer
        store = self._spool.store(offer)
        try:
            result = self._engine(
                offer=offer,
                ollama=OllamaClient(self._watch.url),
                recorder=running.recorder,
                store=store,
                report=reporter.report,
                cancel=running.cancel,
                hardware=self._inventory.hardware,
                state=state,
                t0=running.t0,
            )
        except Released:
            raise
        except Exception as error:
            log.exception("The measuring of job %s failed.", offer.job)
            message = f"The agent itself failed ({type(error).__name__}: {error}); its log has the details."
            result = without_engine(
                offer, store, "failed", reporter.elapsed_s(), JobError("agent_error", message[:2000])
            )
        if result.telemetry is None:
            result = dataclasses.replace(result, telemetry=running.recorder.stop())
        return result

    def _not_begun(self, running: Running) -> None:
        """The server did not acknowledge the start: cancelled, taken back, or the agent is stopping."""
        offer, reason = running.offer, running.cancel.reason
        if reason in (reasons.CANCELLED, reasons.STALE):
            store = self._spool.store(offer)
            self._settle(running, without_engine(offer, store, "cancelled", time.perf_counter() - running.t0, None))
        else:
            self._left.add((offer.job, offer.attempt))

    def _settle(self, running: Running, result: ResultBody) -> None:
        offer, reason = running.offer, running.cancel.reason
        if reason == reasons.ABORT:
            self._left.add((offer.job, offer.attempt))
        elif reason == reasons.STALE:
            log.warning("Job %s is no longer this agent's and was dropped.", offer.job)
            self._spool.forget(offer.job, offer.attempt)
        else:
            log.info("Job %s ended: %s.", offer.job, result.error.message if result.error else result.outcome)
            if not self._spool.finish(offer.job, offer.attempt, wire.dumps(result)):
                log.error("The result of job %s is in memory only: the disk is full. Make room for it.", offer.job)
                self._left.add((offer.job, offer.attempt))

    def _release(self, running: Running, reporter: Reporter) -> None:
        """Give the job back; while the agent goes on, until the server knows."""
        offer, backoff = running.offer, Backoff(highest_s=RELEASE_AGAIN_S)
        while not reporter.release():
            if self._stopping:
                self._left.add((offer.job, offer.attempt))
                return
            if running.cancel.wait(backoff.next_s()):
                break
        log.info("Job %s was given back to the queue.", offer.job)
        self._spool.forget(offer.job, offer.attempt)


def without_engine(
    offer: JobOffer, store: JobStore, outcome: str, duration_s: float, error: Optional[JobError]
) -> ResultBody:
    """A result of the samples that were kept, for when the engine could not make one."""
    samples = store.samples()
    cells = [CellRun(spec, [sample for sample in samples if sample.cell == spec.name]) for spec in offer.cells]
    return ResultBody(
        attempt=offer.attempt,
        lease=offer.lease,
        outcome=outcome,  # type: ignore[arg-type]
        duration_s=max(0.0, duration_s),
        cells=[cell for cell in cells if cell.samples],
        error=error,
    )
