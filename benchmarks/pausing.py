"""Pausing and resuming a session: its queued jobs are held back, what a machine already has ends normally."""

from bson import ObjectId

from benchmarks import audited, live, sessions
from benchmarks.documents import Session
from benchmarks.lifecycle import State
from benchmarks.sessions import RESUMED
from obt_site.clock import now
from obt_site.errors import Conflict


def pause(session: Session, by: str) -> Session:
    """Hold back the session's queued jobs. Again changes nothing; a Conflict when none of them waits any more."""
    if session.finished_at is not None:
        raise Conflict(f"Session #{session.number} is over, so there is nothing to pause.")
    if session.paused:
        return session
    if not session.counts.get("queued"):
        raise Conflict("None of its jobs waits any more; what runs ends by itself.")
    sessions.recompute(session.id, paused=True, paused_at=now(), paused_by=by)
    audited.session_paused(session, True)
    return sessions.find(str(session.id))


def resume(session: Session) -> Session:
    """Let its queued jobs go on, and wake their machines. One that is not paused stays as it is."""
    if session.paused:
        sessions.recompute(session.id, **RESUMED)
        audited.session_paused(session, False)
        for client_id in {job.client for job in sessions.jobs_of(session) if job.state == State.QUEUED}:
            live.wake(client_id)
    return sessions.find(str(session.id))


def paused_ids() -> set[ObjectId]:
    """The sessions whose queued jobs nobody gets."""
    return {found["_id"] for found in Session._get_collection().find({"paused": True}, {"_id": 1})}
