"""The lanes of a session: each machine's jobs on one time axis, and what its running job does this second."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any

from bson import ObjectId

from agents import presence
from agents.documents import Client
from benchmarks import suites
from benchmarks.documents import Session
from benchmarks.lifecycle import State
from benchmarks.presenters import stored
from benchmarks.presenters.current import Current, current
from benchmarks.presenters.machines import plural
from benchmarks.presenters.stored import Stored
from obt_site.charts import LaneBlock

RUNNING = (State.RUNNING.value, State.CANCELLING.value, State.LOST.value)
SHORTEST_AXIS_S = 60.0
BLOCK_STATES = {
    "queued": "queued",
    "offered": "queued",
    "running": "running",
    "cancelling": "running",
    "lost": "lost",
    "succeeded": "done",
    "failed": "failed",
    "timed_out": "failed",
    "cancelled": "cancelled",
}


@dataclass(frozen=True)
class Axis:
    """Epoch seconds; `now_s` is None once the session is over."""

    start_s: float
    end_s: float
    now_s: float | None


@dataclass(frozen=True)
class Lane:
    """One machine in a session."""

    client_id: str
    name: str
    hardware: str | None
    state: str
    word: str
    finished_at: datetime | None
    blocks: Sequence[LaneBlock]
    axis: Axis
    current: Current | None
    done: int
    delivered: int
    jobs: int
    failures: Sequence[str]
    retry_at: datetime | None
    waiting_because: str | None
    waiting_since: datetime | None

    @property
    def counts(self) -> str:
        return f"{self.done} of {plural(self.jobs, 'job')} ended"


@dataclass(frozen=True)
class Built:
    lanes: Sequence[Lane]
    axis: Axis
    ends_at: datetime | None


def build(
    session: Session,
    jobs: Sequence[Stored],
    clients: Mapping[ObjectId, Client],
    contents: Mapping[str, Any],
    tails: Mapping[ObjectId, Stored],
    moment: datetime,
) -> Built:
    """All lanes, on one axis from the session's start to its expected end."""
    by_client: dict[ObjectId, list[Stored]] = defaultdict(list)
    for job in jobs:
        by_client[job["client"]].append(job)
    planned = {client: _planned(session, mine, moment) for client, mine in by_client.items()}
    start = session.started_at or session.created_at
    ends = [end for blocks in planned.values() for _, _, end in blocks]
    is_over = session.finished_at is not None
    end = max([start + timedelta(seconds=SHORTEST_AXIS_S), *ends] + ([] if is_over else [moment]))
    axis = Axis(start.timestamp(), end.timestamp(), None if is_over else moment.timestamp())
    lanes = []
    for client_id, mine in by_client.items():
        client = clients.get(client_id)
        content = contents.get(client.hardware_config or "") if client else None
        lanes.append(_lane(client, content, mine, planned[client_id], axis, tails, moment, session.paused))
    open_ends = [end for blocks in planned.values() for job, _, end in blocks if _open(job)]
    return Built(lanes, axis, None if session.paused else max(open_ends, default=None))


def _open(job: Stored) -> bool:
    return job["state"] in (State.QUEUED, State.OFFERED, *RUNNING) or _retrying(job)


def _retrying(job: Stored) -> bool:
    return bool(job["state"] == State.FAILED and job.get("not_before") is not None)


def share_done(job: Stored) -> float:
    """How much of a running job is done, 0 to 1."""
    progress = job.get("progress") or {}
    done, total = progress.get("done"), progress.get("total")
    return min(done / total, 1.0) if done and total else 0.0


Planned = tuple[Stored, datetime, datetime]


def _planned(session: Session, jobs: Sequence[Stored], moment: datetime) -> list[Planned]:
    """Each job with its real or expected beginning and end; jobs of one machine run one after another."""
    took = [_took(job) for job in jobs if job["state"] == State.SUCCEEDED]
    known = [each for each in took if each is not None]
    usual_s = fmean(known) if known else suites.BUDGETS_S.get(session.budget, 0.0)
    placed = [(job, *_real(job, usual_s, moment)) for job in jobs if _begun(job)]
    free = max([moment, *(end for job, _, end in placed if _open(job))])
    for job in jobs:
        if _open(job) and not _begun(job):
            at = max(free, job.get("not_before") or free)
            free = at + timedelta(seconds=job.get("expected_s") or usual_s)
            placed.append((job, at, free))
    return placed


def _begun(job: Stored) -> bool:
    return job.get("started_at") is not None and not _retrying(job)


def _took(job: Stored) -> float | None:
    begun, ended = job.get("started_at"), job.get("finished_at")
    return (ended - begun).total_seconds() if begun and ended else None


def _real(job: Stored, usual_s: float, moment: datetime) -> tuple[datetime, datetime]:
    begun = job["started_at"]
    if job.get("finished_at"):
        return begun, job["finished_at"]
    progress = job.get("progress") or {}
    remaining = progress.get("remaining_s")
    if remaining is None:
        remaining = max((job.get("expected_s") or usual_s) - (moment - begun).total_seconds(), 0.0)
    return begun, max((progress.get("at") or moment) + timedelta(seconds=remaining), moment)


def _lane(
    client: Client | None,
    content: Stored | None,
    jobs: Sequence[Stored],
    planned: Sequence[Planned],
    axis: Axis,
    tails: Mapping[ObjectId, Stored],
    moment: datetime,
    paused: bool,
) -> Lane:
    running = next((job for job in jobs if job["state"] in RUNNING), None)
    ended = [job for job in jobs if not _open(job)]
    is_over = len(ended) == len(jobs)
    state, word = (
        ("paused", "") if paused and not is_over and running is None else _state(client, jobs, running, is_over)
    )
    retries = [job["not_before"] for job in jobs if _retrying(job)]
    verdict = presence.of(client) if client else None
    return Lane(
        client_id=str(jobs[0]["client"]),
        name=client.name if client else jobs[0].get("client_name") or "a machine that was removed",
        hardware=stored.hardware_line(content),
        state=state,
        word=word,
        finished_at=max((job["finished_at"] for job in ended if job.get("finished_at")), default=None)
        if is_over
        else None,
        blocks=[_block(job, begun, end) for job, begun, end in planned],
        axis=axis,
        current=current(running, tails, content, moment) if running is not None else None,
        done=len(ended),
        delivered=sum(job["state"] == State.SUCCEEDED for job in jobs),
        jobs=len(jobs),
        failures=[_failure(job) for job in jobs if job["state"] in (State.FAILED, State.TIMED_OUT)],
        retry_at=min(retries, default=None),
        waiting_because=None if is_over or running is not None else _waiting_because(paused, verdict, client),
        waiting_since=None if paused or verdict is None or not verdict.reason else verdict.since,
    )


def _waiting_because(paused: bool, verdict: presence.Verdict | None, client: Client | None) -> str | None:
    if paused:
        return "The session is paused: nothing starts before it is resumed."
    return verdict.reason or client.refusal if verdict and client else None


def _state(client: Client | None, jobs: Sequence[Stored], running: Stored | None, is_over: bool) -> tuple[str, str]:
    """Look and word of a lane."""
    if is_over:
        bad = any(job["state"] in (State.FAILED, State.TIMED_OUT) for job in jobs)
        if all(job["state"] == State.CANCELLED for job in jobs):
            return "cancelled", ""
        return ("failed", "Ended with failures") if bad else ("finished", "")
    if running is not None:
        return ("benchmarking", "") if running["state"] == State.RUNNING else (str(running["state"]), "")
    if client is not None and presence.of(client).state.value != "online":
        return presence.of(client).state.value, ""
    if client is not None and client.paused:
        return "paused", ""
    return "queued", "Waiting"


def _failure(job: Stored) -> str:
    message = (job.get("error") or {}).get("message") or "No reason was recorded."
    return f"{job['model']}: {message}"


def _block(job: Stored, begun: datetime, end: datetime) -> LaneBlock:
    state: Any = "queued" if _retrying(job) else BLOCK_STATES[job["state"]]
    return LaneBlock(
        label=job["model"],
        start_s=begun.timestamp(),
        end_s=end.timestamp(),
        state=state,
        done_share=share_done(job) if state == "running" else None,
        note=(job.get("error") or {}).get("message", ""),
    )
