"""The job lifecycle: every state, every transition, and the one function that makes them.

The table below is the whole of it; `move` refuses what is not in it. Each move is one conditional update (this job,
in this state, of this attempt, under this lease), so of two that race one wins and the other gets `Overtaken`, which
callers treat as an ordinary branch. Terminal states are immutable but for the one way back: failed → queued.
Pausing a session is no state here: its queued jobs stay queued and are passed over (`benchmarks/queue.py`).
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from bson import ObjectId

from agents import events
from benchmarks.documents import Job
from obt_site.clock import now

LEASE_BYTES = 16


class State(StrEnum):
    """Where a job is."""

    QUEUED = "queued"  # waits for its machine
    OFFERED = "offered"  # given to the agent in a sync answer, not yet acknowledged
    RUNNING = "running"
    CANCELLING = "cancelling"  # a person cancelled it; the agent has not confirmed yet
    LOST = "lost"  # was running; its agent has been silent for too long
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"


TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.TIMED_OUT, State.CANCELLED})
WITH_AGENT = frozenset({State.OFFERED, State.RUNNING, State.CANCELLING, State.LOST})


class Actor(StrEnum):
    """Who makes a transition."""

    SERVER = "server"  # in answer to a sync
    SWEEPER = "sweeper"
    AGENT = "agent"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Transition:
    source: State
    target: State
    by: frozenset[Actor]
    rule: str


def _row(source: State, target: State, by: str, rule: str) -> Transition:
    return Transition(source, target, frozenset(Actor(name) for name in by.split()), rule)


TABLE: tuple[Transition, ...] = (
    _row(State.QUEUED, State.OFFERED, "server", "attempt + 1, a fresh lease"),
    _row(State.QUEUED, State.CANCELLED, "operator", "nothing was started"),
    _row(State.QUEUED, State.FAILED, "sweeper", "its machine has been offline for 24 h"),
    _row(State.OFFERED, State.RUNNING, "agent", "names job, attempt, lease"),
    _row(State.OFFERED, State.QUEUED, "sweeper agent", "no acknowledgement in 60 s, or the agent gave it back"),
    _row(State.OFFERED, State.FAILED, "sweeper", "the third delivery was not acknowledged"),
    _row(State.OFFERED, State.CANCELLED, "operator", "its acknowledgement will get 409"),
    _row(State.RUNNING, State.LOST, "sweeper", "no sync for 5 min"),
    _row(State.RUNNING, State.SUCCEEDED, "agent", "current attempt only"),
    _row(State.RUNNING, State.FAILED, "agent server", "current attempt only; or its agent came back without it"),
    _row(State.RUNNING, State.TIMED_OUT, "agent", "current attempt only"),
    _row(State.RUNNING, State.CANCELLING, "operator", "delivered at the next sync or progress"),
    _row(State.RUNNING, State.CANCELLED, "agent", "the agent's own machine refused to go on"),
    _row(State.RUNNING, State.QUEUED, "agent", "released: the agent was stopped in good order"),
    _row(State.CANCELLING, State.CANCELLED, "agent server sweeper", "confirmed, or forced after 120 s"),
    _row(State.LOST, State.RUNNING, "agent", "the same lease reattaches; completed samples are kept"),
    _row(State.LOST, State.FAILED, "sweeper server", "24 h; or its agent came back without it"),
    _row(State.LOST, State.CANCELLED, "operator", "nobody is there to confirm"),
    _row(State.FAILED, State.QUEUED, "operator sweeper", "retry: a new attempt"),
    _row(State.TIMED_OUT, State.QUEUED, "operator", "retry: a new attempt"),
    _row(State.CANCELLED, State.QUEUED, "operator", "retry: a new attempt"),
)
_RULES = {(row.source, row.target): row for row in TABLE}


class IllegalTransition(Exception):
    """The table has no such row for this actor: a defect in the caller, or a state that moved on."""


class Overtaken(Exception):
    """Someone else changed the job first; nothing was written."""


def allowed(source: State, target: State, by: Actor) -> bool:
    """Whether the table has this row for this actor."""
    row = _RULES.get((source, target))
    return row is not None and by in row.by


def move(job: Job, target: State, by: Actor, **values: Any) -> Job:
    """Make one transition from the state `job` was read in, and return the job as it is now.

    `values` are set with it. Raises IllegalTransition when the table has no such row, Overtaken when the job is no
    longer in that state, attempt and lease.
    """
    source = State(job.state)
    if not allowed(source, target, by):
        raise IllegalTransition(f"{source} → {target} by {by} is not a transition of job {job.id}")
    changes = {"state": target.value, "state_since": now(), **_implied(job, source, target), **values}
    moved = update(job, changes, state=source.value, attempt=job.attempt, lease=job.lease)
    if target in (State.FAILED, State.TIMED_OUT):
        _report_failure(moved, target)
    return moved


def _report_failure(job: Job, target: State) -> None:
    error = job.error or {}
    end = "ran out of time" if target is State.TIMED_OUT else "failed"
    words = f"{job.model} on {job.client_name or 'a machine'} {end}{': ' if error else ''}{error.get('message') or ''}"
    again = "; it is tried again by itself" if job.not_before else ""
    events.report(
        "job_failed", f"{words.rstrip('.')}{again}", client_id=job.client, client_name=job.client_name,
        session=job.session, job=job.id, result=job.result, model=job.model, error=error.get("kind"),
    )  # fmt: skip


def _implied(job: Job, source: State, target: State) -> dict[str, Any]:
    """What a transition always brings with it, whoever makes it."""
    if target is State.OFFERED:
        fresh = {"attempt": job.attempt + 1, "lease": secrets.token_hex(LEASE_BYTES), "deliveries": job.deliveries + 1}
        return {**fresh, "progress": None, "progress_seq": 0, "result": None, "error": None, "not_before": None}
    if target is State.RUNNING and source is State.OFFERED:
        return {"started_at": now(), "last_seen_at": now(), "deliveries": 0}
    if target is State.QUEUED:
        return {"lease": None, "started_at": None, "finished_at": None, "not_before": None}
    if target in TERMINAL:
        return {"finished_at": now()}
    return {}


def update(job: Job, changes: dict[str, Any], **expected: Any) -> Job:
    """Conditional update of one job by its id and the `expected` fields; raises Overtaken when they no longer hold.

    Returns the job as it was read, with the changes: exactly what this write made it. (update_one, since the embedded
    database scans the whole collection for a find_one_and_update.)
    """
    done = Job._get_collection().update_one({"_id": job.id, **expected}, {"$set": changes})
    if not done.matched_count:
        raise Overtaken(f"job {job.id} is no longer {expected}")
    return Job._from_son({**job.to_mongo(), **changes})  # type: ignore[no-any-return]


def retrying(job_id: ObjectId, change: Callable[[Job], Job | None], tries: int = 5) -> Job | None:
    """Read the job, try `change`, and read again when someone else got there first. None when it is gone."""
    for _ in range(tries):
        job = Job.objects(id=job_id).first()
        if job is None:
            return None
        try:
            return change(job) or job
        except Overtaken:
            continue
    raise Overtaken(f"job {job_id} kept changing")


def age_s(job: Job, moment: datetime) -> float:
    """Seconds the job has been in its state."""
    return float((moment - job.state_since).total_seconds())
