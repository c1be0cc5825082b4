"""What time alone brings about: offers and leases that run out, retries that fall due, machines that fall silent.

Runs in every server process, but only the one that holds the sweep lease does anything. After a stretch in which
nobody swept (the server was down) expiry is frozen, so that agents can report before anything is given up.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from asgiref.sync import sync_to_async
from bson import ObjectId
from django.conf import settings
from pymongo.errors import DuplicateKeyError, PyMongoError

from agents import events, presence
from agents.documents import Client
from benchmarks import idempotency, lifecycle, live, pausing, sessions
from benchmarks.documents import Job, Session
from benchmarks.lifecycle import Actor, Overtaken, State
from obt_site import mongo
from obt_site.clock import now

log = logging.getLogger(__name__)
PROCESS = secrets.token_hex(8)
LEASE_ID = "sweeper"

NOT_ACKNOWLEDGED = "The machine was offered this job {n} times and never acknowledged it. Look at its agent's log."
AGENT_LOST = "The machine has not been heard of for 24 hours while it was running this job."
CLIENT_OFFLINE = "The machine has been offline for 24 hours, so the job was never started."


@dataclass(frozen=True)
class Lease:
    """This process's right to sweep. `frozen_until`: until then nothing expires."""

    frozen_until: datetime | None

    def frozen(self, moment: datetime) -> bool:
        return self.frozen_until is not None and moment < self.frozen_until


async def run() -> None:
    """Sweep for ever; a database that is away is waited for. A process that starts mends first."""
    mended = False
    while True:
        try:
            if not mended:
                await sync_to_async(mend, thread_sensitive=False)()
                mended = True
            await sync_to_async(sweep, thread_sensitive=False)()
        except PyMongoError as error:
            log.warning("sweeping waits for the database: %s", type(error).__name__)
        except Exception:
            log.exception("a sweep failed and will be tried again")
        await asyncio.sleep(settings.SWEEP_EVERY_S)


def sweep() -> bool:
    """One round, if this process may; False when another process holds the lease."""
    lease = take_lease(now())
    if lease is None:
        return False
    touched: set[ObjectId] = set()
    if not lease.frozen(now()):
        touched |= expire_offers() | lose_silent() | fail_lost() | fail_unreachable()
    touched |= force_cancels() | requeue_due()
    for session in touched:
        sessions.recompute(session)
    presence.refresh_all(lease.frozen(now()))
    events.trim()
    idempotency.trim()
    return True


def take_lease(moment: datetime, process: str = PROCESS) -> Lease | None:
    """Take or renew the one sweep lease; None when another process holds it."""
    leases = mongo.database()["leases"]
    known = leases.find_one({"_id": LEASE_ID})
    if known is None:
        return _first_lease(moment, process)
    if known["process"] != process and known["until"] > moment:
        return None
    frozen_until = known.get("frozen_until")
    if moment - known["swept_at"] > settings.FREEZE_AFTER_GAP:
        frozen_until = moment + settings.FREEZE_FOR
    changed = leases.update_one(
        {"_id": LEASE_ID, "process": known["process"], "swept_at": known["swept_at"]},
        {"$set": _lease(moment, process, frozen_until)},
    )
    return Lease(frozen_until) if changed.matched_count else None


def _first_lease(moment: datetime, process: str) -> Lease | None:
    try:
        mongo.database()["leases"].insert_one({"_id": LEASE_ID, **_lease(moment, process, None)})
    except DuplicateKeyError:
        return None
    return Lease(None)


def _lease(moment: datetime, process: str, frozen_until: datetime | None) -> dict[str, object]:
    until = moment + settings.SWEEP_LEASE
    return {"process": process, "until": until, "swept_at": moment, "frozen_until": frozen_until}


def _each(state: State, due: Callable[[Job, datetime], bool], act: Callable[[Job], object]) -> set[ObjectId]:
    """Do `act` to every job in `state` that is `due`; returns the sessions touched. Being overtaken is ordinary."""
    moment, touched = now(), set()
    for job in Job.objects(state=state.value):
        if due(job, moment):
            try:
                act(job)
            except Overtaken:
                continue
            touched.add(job.session)
    return touched


def expire_offers() -> set[ObjectId]:
    """offered → queued after 60 s without acknowledgement; after the third delivery → failed."""

    def act(job: Job) -> None:
        if job.deliveries >= settings.OFFER_DELIVERIES:
            error = {"kind": "not_acknowledged", "message": NOT_ACKNOWLEDGED.format(n=job.deliveries)}
            lifecycle.move(job, State.FAILED, Actor.SWEEPER, error=error)
        else:
            lifecycle.move(job, State.QUEUED, Actor.SWEEPER)

    lifetime = settings.OFFER_LIFETIME.total_seconds()
    return _each(State.OFFERED, lambda job, moment: lifecycle.age_s(job, moment) > lifetime, act)


def lose_silent() -> set[ObjectId]:
    """running → lost when no sync and no progress came for 5 min."""

    def silent(job: Job, moment: datetime) -> bool:
        seen = max(job.last_seen_at or job.state_since, job.state_since)
        return bool(moment - seen > settings.LOST_AFTER)

    return _each(State.RUNNING, silent, lambda job: lifecycle.move(job, State.LOST, Actor.SWEEPER))


def fail_lost() -> set[ObjectId]:
    """lost → failed after 24 h."""
    error = {"kind": "agent_lost", "message": AGENT_LOST}
    limit = settings.LOST_FAILS_AFTER.total_seconds()
    return _each(
        State.LOST,
        lambda job, moment: lifecycle.age_s(job, moment) > limit,
        lambda job: lifecycle.move(job, State.FAILED, Actor.SWEEPER, error=error),
    )


def fail_unreachable() -> set[ObjectId]:
    """queued → failed when its machine has been offline for 24 h, so that the session can finish.

    Jobs of a paused session wait for a person, not for their machine.
    """
    moment = now()
    gone = {
        client.id
        for client in Client.objects(state=presence.Presence.OFFLINE.value)
        if moment - max(client.last_seen_at or client.created_at, client.state_since)
        > settings.QUEUED_FAILS_AFTER_OFFLINE
    }
    if not gone:
        return set()
    error = {"kind": "client_offline", "message": CLIENT_OFFLINE}
    held = pausing.paused_ids()
    return _each(
        State.QUEUED,
        lambda job, moment: (
            job.client in gone
            and job.session not in held
            and lifecycle.age_s(job, moment) > settings.QUEUED_FAILS_AFTER_OFFLINE.total_seconds()
        ),
        lambda job: lifecycle.move(job, State.FAILED, Actor.SWEEPER, error=error),
    )


def force_cancels() -> set[ObjectId]:
    """cancelling → cancelled after 120 s without the agent's word."""
    limit = settings.CANCEL_FORCED_AFTER.total_seconds()
    return _each(
        State.CANCELLING,
        lambda job, moment: lifecycle.age_s(job, moment) > limit,
        lambda job: lifecycle.move(job, State.CANCELLED, Actor.SWEEPER),
    )


def requeue_due() -> set[ObjectId]:
    """failed → queued when the automatic retry falls due."""
    moment, touched = now(), set()
    for job in Job.objects(state=State.FAILED.value, not_before__lte=moment):
        try:
            lifecycle.move(job, State.QUEUED, Actor.SWEEPER)
        except Overtaken:
            continue
        touched.add(job.session)
        live.wake(job.client)
    return touched


def mend() -> None:
    """At start-up: bring every unfinished session's state in line with its jobs."""
    for session in Session.objects(state__in=["queued", "running"]).only("id"):
        sessions.recompute(session.id)
