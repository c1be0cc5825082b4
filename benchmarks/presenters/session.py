"""A session's page, while it runs and after: progress, one lane per machine, events, and the report.

Page, re-fetch and push all start from `session_view`, which reads what is stored now and remembers nothing.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bson import ObjectId

from agent.obt_agent import contract, wire
from agents.documents import Client
from benchmarks import suites
from benchmarks.documents import Job, Result, Session
from benchmarks.lifecycle import State
from benchmarks.presenters import current, events, figures, lanes, stored
from benchmarks.presenters.cells import in_words
from benchmarks.presenters.machines import plural
from benchmarks.presenters.report import JobLine, Table, lines, tables, unfinished
from benchmarks.presenters.stored import Stored
from obt_site.clock import now

RUNNING = (State.RUNNING.value, State.CANCELLING.value, State.LOST.value)
ROWS_SHOWN = 200
EVENT_JOBS = 12  # tails that are read for events: those of running jobs and of the last that ended


@dataclass(frozen=True)
class Progress:
    """The session in numbers. Shares are of 1; times are server times."""

    done: float
    running: float
    failed: float
    jobs_done: int
    jobs: int
    samples: int
    left_out: int
    started_at: datetime | None
    ends_at: datetime | None
    waits_for: str  # in words; empty where it goes on by itself
    elapsed_s: float | None
    remaining_s: float | None
    expected_s: float | None

    @property
    def plan(self) -> str:
        """What was expected, and how far reality is from it; empty where nothing could be foreseen."""
        if not self.expected_s:
            return ""
        words = f"expected {figures.whole_seconds(self.expected_s)}"
        if self.elapsed_s is None or (self.remaining_s is None and self.ends_at is None and self.jobs_done < self.jobs):
            return words
        return f"{words}, {figures.off_by(self.expected_s, self.elapsed_s + (self.remaining_s or 0.0))}"

    @property
    def elapsed(self) -> str:
        return figures.whole_seconds(self.elapsed_s)

    @property
    def to_go(self) -> str:
        return figures.whole_seconds(self.remaining_s)

    @property
    def percent(self) -> int:
        """Whole percent done; 100 only when nothing is left."""
        whole = 100 * (self.done + self.failed)
        return int(whole + 1e-9)


@dataclass(frozen=True)
class SessionView:
    """Everything the session page shows."""

    id: str
    number: int
    name: str
    note: str | None
    state: str
    suite: str
    budget: str
    created_by: str | None
    created_at: datetime
    finished_at: datetime | None
    progress: Progress
    axis: lanes.Axis
    lanes: Sequence[lanes.Lane]
    events: Sequence[events.Entry]
    report: Sequence[JobLine]
    tables: Sequence[Table]
    plan: Sequence[tuple[str, str]]
    budget_s: float | None
    models: int
    machines: int
    may_cancel: bool
    may_retry: bool
    simulated: bool
    paused: bool
    paused_by: str | None
    paused_at: datetime | None
    counts: Mapping[str, int]

    @property
    def rows_shown(self) -> str:
        """As the `slice` filter wants it."""
        return f":{ROWS_SHOWN}"

    @property
    def rows_hidden(self) -> int:
        return max(len(self.report) - ROWS_SHOWN, 0)

    @property
    def columns(self) -> list[str]:
        """What the numbers in a job's line are called, with their cell where it is the same in all lines."""
        having = [row.figures for row in self.report if row.figures]
        by_column = list(zip(*having, strict=True))
        cells = [{figure.cell for figure in column if figure.cell} for column in by_column]
        return [
            f"{column[0].word}, {next(iter(named))}" if len(named) == 1 else column[0].word
            for column, named in zip(by_column, cells, strict=True)
        ]

    @property
    def foreseen(self) -> bool:
        return any(row.expected_s is not None for row in self.report)

    @property
    def is_over(self) -> bool:
        return self.state not in ("queued", "running")

    @property
    def shown_state(self) -> str:
        """The state people read: a paused session is paused, whatever of it still runs."""
        return "paused" if self.paused else self.state

    @property
    def may_pause(self) -> bool:
        return not self.is_over and not self.paused and bool(self.counts.get("queued"))

    @property
    def open_jobs(self) -> str:
        """What cancelling would end: `2 jobs that wait and 1 that runs`."""
        waiting, running = self.counts.get("queued", 0), self.counts.get("running", 0)
        parts = [f"{plural(waiting, 'job')} that {'waits' if waiting == 1 else 'wait'}"] if waiting else []
        if running:
            parts.append(f"{running if parts else plural(running, 'job')} that {'runs' if running == 1 else 'run'}")
        return " and ".join(parts)

    @property
    def facts(self) -> str:
        """`Standard suite, quick budget: 8 models on 4 machines`"""
        what = f"{plural(self.models, 'model')} on {plural(self.machines, 'machine')}"
        return f"{self.suite.capitalize()} suite, {self.budget} budget: {what}"

    @property
    def verdict(self) -> str:
        """How it ended, as a sentence."""
        counts = defaultdict(int, {"done": 0})
        for row in self.report:
            counts[row.state] += 1
        done, failed = counts["succeeded"], counts["failed"] + counts["timed_out"]
        parts = [f"{done} of {plural(len(self.report), 'job')} delivered a result"]
        if failed:
            parts.append(f"{failed} failed")
        if counts["cancelled"]:
            parts.append(f"{counts['cancelled']} {'was' if counts['cancelled'] == 1 else 'were'} cancelled")
        return ", ".join(parts) + "."


def session_view(session: Session) -> SessionView:
    """What is stored of the session now; six queries, however many jobs it has."""
    jobs = sorted(Job._get_collection().find({"session": session.id}), key=lambda job: job["position"])
    clients = {client.id: client for client in Client.objects(id__in=list({job["client"] for job in jobs}))}
    contents = stored.hardware_of(client.hardware_config for client in clients.values())
    tails = stored.tails(_with_events(jobs))
    results = _results(session.id)
    moment = _clock(session, jobs)
    built = lanes.build(session, jobs, clients, contents, tails, moment)
    simulated = any(result.get("simulated") for result in results.values())
    cells = [dict(cell) for cell in session.cells]
    report = lines(jobs, results, moment)
    return SessionView(
        id=str(session.id),
        number=session.number,
        name=session.name,
        note=session.note,
        state=session.state,
        suite=session.suite,
        budget=session.budget,
        created_by=session.created_by,
        created_at=session.created_at,
        finished_at=session.finished_at,
        progress=_progress(session, jobs, results, tails, built, moment),
        axis=built.axis,
        lanes=built.lanes,
        events=events.of(jobs, tails),
        report=report,
        tables=tables(jobs, results, cells),
        plan=_plan(cells),
        budget_s=suites.BUDGETS_S.get(session.budget),
        models=len({job["model"] for job in jobs}),
        machines=len({job["client"] for job in jobs}),
        may_cancel=any(row.may_cancel for row in report),
        may_retry=any(row.may_retry for row in report),
        simulated=simulated,
        paused=session.paused,
        paused_by=session.paused_by,
        paused_at=session.paused_at,
        counts=dict(session.counts),
    )


def _clock(session: Session, jobs: Sequence[Stored]) -> datetime:
    """Now; where a session is held back and nothing of it runs, the moment at which it came to stand."""
    if session.paused_at is None or any(job["state"] in RUNNING for job in jobs):
        return now()
    moments: list[datetime] = [session.paused_at, *(job["finished_at"] for job in jobs if job.get("finished_at"))]
    return max(moments)


def _with_events(jobs: Sequence[Stored]) -> list[ObjectId]:
    """The jobs whose live tails the page reads: all that run, and those that ended last."""
    running = [job["_id"] for job in jobs if job["state"] in RUNNING]
    ended = sorted((job for job in jobs if job.get("finished_at")), key=lambda job: job["finished_at"])
    return [*running, *(job["_id"] for job in ended[-EVENT_JOBS:])]


def _results(session_id: ObjectId) -> dict[str, Stored]:
    found = Result._get_collection().find({"session": session_id}, stored.RESULT_FIELDS)
    return {result["_id"]: result for result in found}


def _progress(
    session: Session,
    jobs: Sequence[Stored],
    results: Mapping[str, Stored],
    tails: Mapping[ObjectId, Stored],
    built: lanes.Built,
    moment: datetime,
) -> Progress:
    ended = [job for job in jobs if not unfinished(job)]
    failed = [job for job in ended if job["state"] in (State.FAILED, State.TIMED_OUT)]
    running = sum(lanes.share_done(job) for job in jobs if job["state"] in RUNNING)
    total = max(len(jobs), 1)
    samples, left = _sample_counts(jobs, results, tails)
    until, ends_at = session.finished_at or moment, None if session.finished_at else built.ends_at
    return Progress(
        done=(len(ended) - len(failed) + running) / total,
        running=(sum(job["state"] in RUNNING for job in jobs) - running) / total,
        failed=len(failed) / total,
        jobs_done=len(ended),
        jobs=len(jobs),
        samples=samples,
        left_out=left,
        started_at=session.started_at,
        ends_at=ends_at,
        waits_for=built.waits_for,
        elapsed_s=(until - session.started_at).total_seconds() if session.started_at else None,
        expected_s=_expected_s(jobs),
        remaining_s=max((ends_at - moment).total_seconds(), 0.0) if ends_at else None,
    )


def _expected_s(jobs: Sequence[Stored]) -> float | None:
    """Seconds that the longest-working machine was expected to need; None when a job could not be foreseen."""
    by_machine: dict[ObjectId, float] = defaultdict(float)
    for job in jobs:
        if job.get("expected_s") is None:
            return None
        by_machine[job["client"]] += job["expected_s"]
    return max(by_machine.values(), default=None)


def _plan(planned: Sequence[Stored]) -> list[tuple[str, str]]:
    """What each job measures, unless the model cannot or the budget is short: the cells and what they do."""
    return [(cell["name"], _in_words(cell)) for cell in planned]


def _in_words(cell: Stored) -> str:
    try:
        return in_words(wire.decode(contract.CellSpec, dict(cell)))
    except wire.WireError:
        return ""


def _sample_counts(
    jobs: Sequence[Stored], results: Mapping[str, Stored], tails: Mapping[ObjectId, Stored]
) -> tuple[int, int]:
    """Measured samples and how many were left out: of results where they are in, else of the live tail."""
    total = left = 0
    for job in jobs:
        result = results.get(job.get("result") or "")
        if result is not None:
            left += figures.left_out(result["cells"])
            total += sum(cell["n"] for cell in result["cells"]) + figures.left_out(result["cells"])
        elif job["state"] in RUNNING:
            measured = [sample for sample in current.samples_of(job, tails) if not sample["warmup"]]
            total += len(measured)
            left += sum(sample.get("valid") is False for sample in measured)
    return total, left
