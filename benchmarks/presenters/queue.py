"""The job queue: what each machine does now and what waits for it, in the order in which it will be done.

Times are expectations: by earlier results where there are any, else by the budget, which is the longest a job may take.
A machine that is away or paused has an order and no times.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bson import ObjectId

from agents import presence
from agents.documents import Client
from benchmarks import suites
from benchmarks.documents import Job, Session
from benchmarks.lifecycle import WITH_AGENT, State
from benchmarks.presenters.machines import plural
from benchmarks.presenters.stored import Stored
from obt_site.clock import now

OPEN = [State.QUEUED.value, *(state.value for state in WITH_AGENT)]
FIELDS = ("session", "client", "client_name", "model", "state", "position", "created_at", "started_at", "expected_s")
SHOWN_PER_MACHINE = 12
SHOWN_OF_ONE = 500


@dataclass(frozen=True)
class Line:
    """One job. `starts_at` and `ends_at` are None where nothing can be said; `at_most`: the end is the budget's."""

    job_id: str
    model: str
    session_id: str
    session_number: int | None
    session_name: str
    state: str
    starts_at: datetime | None
    ends_at: datetime | None
    at_most: bool

    @property
    def runs(self) -> bool:
        return self.state not in (State.QUEUED, State.OFFERED, "paused")


@dataclass(frozen=True)
class Machine:
    """A machine with its jobs; `stands_because` says why none of them moves, None when they do."""

    id: str
    name: str
    state: str
    stands_because: str | None
    stands_since: datetime | None
    lines: Sequence[Line]
    jobs: int
    running: int
    free_at: datetime | None
    at_most: bool

    @property
    def hidden(self) -> int:
        return self.jobs - len(self.lines)


@dataclass(frozen=True)
class Queue:
    machines: Sequence[Machine]
    running: int
    waiting: int

    @property
    def facts(self) -> str:
        """`3 jobs run and 41 wait on 4 machines`"""
        if not self.machines:
            return "Nothing runs and nothing waits."
        runs = f"{plural(self.running, 'job')} {'runs' if self.running == 1 else 'run'}"
        waits = f"{self.waiting} {'waits' if self.waiting == 1 else 'wait'}"
        return f"{runs} and {waits} on {plural(len(self.machines), 'machine')}."


def queue(only: str | None = None) -> Queue:
    """All machines with open jobs, or `only` one by its id; three questions to the database."""
    fields = dict.fromkeys((*FIELDS, "progress.remaining_s", "progress.at"), 1)
    by_client: dict[ObjectId, list[Stored]] = defaultdict(list)
    for job in Job._get_collection().find({"state": {"$in": OPEN}}, fields):
        if only is None or str(job["client"]) == only:
            by_client[job["client"]].append(job)
    clients = {client.id: client for client in Client.objects(id__in=list(by_client))}
    wanted = list({job["session"] for jobs in by_client.values() for job in jobs})
    about = {"number": 1, "name": 1, "budget": 1, "paused": 1}
    sessions = {one["_id"]: one for one in Session._get_collection().find({"_id": {"$in": wanted}}, about)}
    shown = SHOWN_PER_MACHINE if only is None else SHOWN_OF_ONE
    machines = [_machine(clients.get(one), jobs, sessions, shown) for one, jobs in by_client.items()]
    machines.sort(key=lambda machine: (machine.name.casefold(), machine.id))
    running = sum(machine.running for machine in machines)
    return Queue(machines, running, sum(machine.jobs for machine in machines) - running)


def _machine(client: Client | None, jobs: list[Stored], sessions: Mapping[ObjectId, Stored], shown: int) -> Machine:
    jobs.sort(key=lambda job: (job["state"] == State.QUEUED, job["created_at"], job["position"]))
    verdict = presence.of(client) if client else None
    stands, since = _stands(client, verdict)
    lines = _lines(jobs, sessions, stands is not None)
    last = [line for line in lines if line.ends_at is not None]
    moving = [line for line in lines if line.state != "paused"]
    return Machine(
        id=str(jobs[0]["client"]),
        name=client.name if client else jobs[0].get("client_name") or "a machine that was removed",
        state="paused" if client and client.paused else verdict.state.value if verdict else "offline",
        stands_because=stands,
        stands_since=since,
        lines=lines[:shown],
        jobs=len(jobs),
        running=sum(line.runs for line in lines),
        free_at=last[-1].ends_at if last and len(last) == len(moving) else None,
        at_most=bool(last) and last[-1].at_most,
    )


def _stands(client: Client | None, verdict: presence.Verdict | None) -> tuple[str | None, datetime | None]:
    if client is None or verdict is None:
        return "The machine was removed.", None
    if client.paused:
        return "The machine is paused: it takes no new job.", None
    return verdict.reason or client.refusal, verdict.since


def _lines(jobs: Sequence[Stored], sessions: Mapping[ObjectId, Stored], stands: bool) -> list[Line]:
    """In order, each with its time after the one before. What a paused session holds back takes no time."""
    moment = now()
    free, at_most = moment, False
    lines = []
    for job in jobs:
        session = sessions.get(job["session"], {})
        is_held = bool(session.get("paused")) and job["state"] == State.QUEUED
        starts: datetime | None = None
        ends: datetime | None = None
        if not stands and not is_held:
            at_most = at_most or (job.get("expected_s") is None and _remaining_s(job, moment) is None)
            starts = job.get("started_at") if job["state"] != State.QUEUED else free
            ends = free = max(free, moment) + timedelta(seconds=_to_go_s(job, session, moment))
        lines.append(
            Line(
                job_id=str(job["_id"]),
                model=job["model"],
                session_id=str(job["session"]),
                session_number=session.get("number"),
                session_name=session.get("name", ""),
                state="paused" if is_held else job["state"],
                starts_at=starts,
                ends_at=ends,
                at_most=at_most,
            )
        )
    return lines


def _to_go_s(job: Stored, session: Stored, moment: datetime) -> float:
    remaining = _remaining_s(job, moment)
    if remaining is not None:
        return remaining
    whole = job.get("expected_s") or suites.BUDGETS_S.get(session.get("budget", ""), 0.0)
    begun = job.get("started_at")
    return float(whole if begun is None else max(whole - (moment - begun).total_seconds(), 0.0))


def _remaining_s(job: Stored, moment: datetime) -> float | None:
    """By the agent's own last word."""
    progress = job.get("progress") or {}
    if progress.get("remaining_s") is None:
        return None
    return float(max(progress["remaining_s"] - (moment - progress.get("at", moment)).total_seconds(), 0.0))
