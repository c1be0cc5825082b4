"""What happened to the made-up fleet: the sentences that a real one would have left in the log, all marked."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from bson import ObjectId

from agents.documents import Client, Event
from benchmarks import numbers, sessions
from benchmarks.demo import machines
from benchmarks.demo.clients import AWAY_FOR, OFFLINE_FOR
from benchmarks.demo.history import PEOPLE
from benchmarks.demo.machines import OLLAMA, Machine
from benchmarks.documents import Job, Session

OFFLINE_TOLD_AFTER = timedelta(minutes=2)
PAUSED_FOR = timedelta(days=1, hours=5)
SIMULATED = {"simulated": True}


@dataclass(frozen=True)
class Told:
    """One event to come, before it has a number."""

    at: datetime
    kind: str
    words: str
    client: Client | None = None
    session: ObjectId | None = None
    job: ObjectId | None = None
    result: str | None = None


def of_machine(machine: Machine, client: Client, begin: datetime, now: datetime) -> Iterator[Told]:
    """It joined, its Ollama and driver were updated, and it fell silent where it did."""
    name, span = machine.name, now - begin
    days = span / timedelta(days=1)

    def told(at: datetime, kind: str, words: str) -> Told:
        return Told(at, kind, words, client)

    yield told(begin, "machine_registered", f"{name} was added by {PEOPLE[0]}")
    for (before, *_), (after, share, *_) in pairwise(OLLAMA):
        at = begin + span * share + timedelta(days=machine.lag_days)
        if at < now and share + machine.lag_days / days <= 1:
            yield told(at, "ollama_version", f"{name}: Ollama {before} → {after}")
    if machine.driver_from is not None:
        share, new = machine.driver_from
        old = machines.gear_at(machine, 0.0).gpus[0].driver_version
        yield told(begin + span * share, "hardware_changed", f"{name}: GPU driver version {old} → {new}")
    if machine.state == "offline":
        yield told(now - OFFLINE_FOR + OFFLINE_TOLD_AFTER, "machine_offline", f"{name}: its agent stopped reporting")
    if machine.state == "away":
        why = (client.ollama or {}).get("message") or "Ollama does not answer"
        yield told(now - AWAY_FOR, "ollama_away", f"{name}: {why}")
    if machine.paused:
        yield told(now - PAUSED_FOR, "machine_paused", f"{name} is paused: it gets no new job")


def of_session(
    session: Session, jobs: Sequence[Job], results: Iterable[Mapping[str, Any]], clients: Mapping[Any, Client]
) -> Iterator[Told]:
    """It was started, what failed or was not valid, and how it ended where it has."""
    title = f"#{session.number} {session.name}"
    yield Told(session.created_at, "session_started", f"{title} was started by {session.created_by}", None, session.id)
    for job in jobs:
        if job.state in ("failed", "timed_out"):
            end = "failed" if job.state == "failed" else "ran out of time"
            why = str((job.error or {}).get("message") or "").rstrip(".")
            words = f"{job.model} on {job.client_name} {end}{': ' if why else ''}{why}"
            yield Told(job.finished_at, "job_failed", words, clients[job.client], session.id, job.id, job.result)
    for one in results:
        if one["outcome"] == "succeeded" and not one["valid"]:
            words = f"{one['model']} on {one['client_name']}: not every cell has its number"
            owner = clients[one["client"]]
            yield Told(one["created_at"], "result_invalid", words, owner, session.id, one["job"], one["id"])
    kind = sessions.END_KINDS.get(session.state)
    if kind is not None and session.finished_at is not None:
        parts = ", ".join(f"{count} {word}" for word, count in session.counts.items() if count)
        yield Told(session.finished_at, kind, f"{title} has ended: {parts or 'no job'}", None, session.id)


def documents(told: Iterable[Told], new_id: Callable[[datetime], ObjectId]) -> list[Event]:
    """All of it in order of time, numbered as one."""
    ordered = sorted(told, key=lambda one: one.at)
    first = numbers.reserve("events", len(ordered)) if ordered else 0
    return [
        Event(
            id=new_id(one.at),
            number=first + i,
            at=one.at,
            kind=one.kind,
            words=one.words,
            client=one.client.id if one.client else None,
            client_name=one.client.name if one.client else None,
            session=one.session,
            job=one.job,
            result=one.result,
            data=SIMULATED,
        )
        for i, one in enumerate(ordered)
    ]
