"""What the audit keeps of changes to sessions, jobs and results: the words, and what differs."""

from collections.abc import Mapping, Sequence
from typing import Any

from bson import ObjectId

from benchmarks.documents import Job, Result, Session
from benchmarks.targets import Chosen
from obt_site import audit

NAMED = 20  # machines or models of a session by name
About = tuple[str, Any, str]


def about_session(session: Session) -> tuple[str, ObjectId, str]:
    """How the audit names a session."""
    return ("session", session.id, f"#{session.number} {session.name}")


def about_result(result: Result) -> About:
    """How the audit names a result."""
    return ("result", result.id, f"{result.model} on {result.client_name or 'a machine'}")


def started(session: Session, chosen: Sequence[Chosen]) -> None:
    """A session and what was asked for with it."""
    asked = {
        "name": session.name,
        "jobs": len(chosen),
        "machines": sorted({one.client.name for one in chosen})[:NAMED],
        "models": sorted({one.model.name for one in chosen})[:NAMED],
        "suite": session.suite,
        "budget": session.budget,
    }
    words = f"#{session.number} {session.name} was started"
    audit.record("session.start", words, about=about_session(session), after=asked)


def session_changed(action: str, words: str, before: Session, after: Session) -> Session:
    """A change of a session's jobs, by how many there were and are in each state; returns the session as it is."""
    said = f"#{before.number} {before.name} {words}"
    counts = (dict(before.counts), dict(after.counts))
    audit.record(action, said, about=about_session(before), before=counts[0], after=counts[1])
    return after


def session_paused(session: Session, paused: bool) -> None:
    """A session that is held back, or goes on."""
    words = f"#{session.number} {session.name} {'was paused' if paused else 'goes on'}"
    action = "session.pause" if paused else "session.resume"
    audit.record(action, words, about=about_session(session), before={"paused": not paused}, after={"paused": paused})


def job_changed(action: str, words: str, before: Job, after: Job) -> Job:
    """A change of one job; returns the job as it is."""
    said = f"{before.model} on {before.client_name or 'a machine'} {words}"
    states = ({"state": before.state}, {"state": after.state})
    audit.record(action, said, about=("job", before.id, before.model), before=states[0], after=states[1])
    return after


def result_changed(
    action: str, words: str, result: Result, before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    """A change of one result."""
    said = f"{result.model} on {result.client_name or 'a machine'} {words}"
    audit.record(action, said, about=about_result(result), before=before, after=after)
