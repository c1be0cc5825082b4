"""The verbs on sessions and their jobs: start, cancel, retry, and the recomputation of a session's state.

Pages, API and commands call these, and `pausing.py`, and nothing else. Errors are `obt_site.errors` refusals.
"""

from collections import Counter as Tally
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bson import ObjectId

from agent.obt_agent import wire
from agent.obt_agent.contract import CellSpec
from agents import events
from agents.documents import Client
from benchmarks import audited, lifecycle, live, numbers, room, suites
from benchmarks import targets as target_checks
from benchmarks.documents import Job, Session
from benchmarks.lifecycle import Actor, State
from benchmarks.suites import FixedPrompt
from benchmarks.targets import Chosen, Target
from obt_site.clock import now
from obt_site.errors import Conflict, FieldError, Invalid, NotFound
from obt_site.text import lines, one_line

__all__ = [
    "Target", "cancel", "cancel_job", "end_job", "find", "find_job", "jobs_of", "recompute", "retry", "retry_job",
    "start",
]  # fmt: skip

NAME_LENGTH = 120
NOTE_LENGTH = 2000
RESUMED = {"paused": False, "paused_at": None, "paused_by": None}  # also when it is over


def find(session_id: str) -> Session:
    """The session, or NotFound."""
    session: Session | None = Session.objects(id=session_id).first() if ObjectId.is_valid(session_id) else None
    if session is None:
        raise NotFound("There is no such session. It may have been removed.")
    return session


def find_job(job_id: str) -> Job:
    """The job, or NotFound."""
    job: Job | None = Job.objects(id=job_id).first() if ObjectId.is_valid(job_id) else None
    if job is None:
        raise NotFound("There is no such job. It may have been removed.")
    return job


def jobs_of(session: Session) -> list[Job]:
    """The session's jobs in the order they were asked for."""
    return sorted(Job.objects(session=session.id), key=lambda job: job.position)


def start(
    targets: Sequence[Target],
    suite: str,
    budget: str,
    by: str,
    *,
    name: str | None = None,
    note: str | None = None,
    cells: Sequence[str] | None = None,
    sweep: Mapping[str, Sequence[int]] | None = None,
    prompts: Sequence[FixedPrompt] = (),
    slo: Mapping[str, float | None] | None = None,
    options: Mapping[str, float | None] | None = None,
    id: ObjectId | None = None,
) -> Session:
    """Queue one job per target. Raises Invalid with an error per field; nothing is written then.

    `sweep`, `prompts`, `slo` and `options`: see `benchmarks/suites/plans.py`. `id`: what the session gets; when an
    earlier call with it came as far as its jobs, that session is given as it is.
    """
    if id is not None and (known := Session.objects(id=id).first()) is not None:
        if Job.objects(session=id).first() is not None:
            return known  # type: ignore[no-any-return]
        known.delete()
    plan = suites.plan(suite, budget, cells, sweep=sweep, prompts=prompts, slo=slo, options=options)
    chosen = target_checks.check(targets, plan)
    room.check(len(chosen))
    measured = suites.used(plan.cells, [one.model for one in chosen], plan.fields)
    chosen = target_checks.foreseen(chosen, plan, budget)
    title = one_line(name or "") or title_of(chosen)
    if len(title) > NAME_LENGTH or len(note or "") > NOTE_LENGTH:
        message = f"A name has at most {NAME_LENGTH} characters, a note {NOTE_LENGTH}."
        raise Invalid(message, [FieldError("name" if len(title) > NAME_LENGTH else "note", message)])
    session = Session(
        id=id,
        number=numbers.following("sessions"),
        name=title,
        note=lines(note or "") or None,
        suite=suite,
        suite_version=plan.suite_version,
        budget=budget,
        cells=[wire.encode(replace(cell, text=None)) for cell in measured],
        prompts=_texts(measured),
        options=dict(plan.options),
        created_by=by,
        counts={"queued": len(chosen)},
    )
    session.save(force_insert=True)
    Job.objects.insert([_job(session, i, one) for i, one in enumerate(chosen)])
    events.report("session_started", f"#{session.number} {title} was started by {by}", session=session.id)
    audited.started(session, chosen)
    recompute(session.id)
    for client_id in {one.client.id for one in chosen}:
        live.wake(client_id)
    return find(str(session.id))


def _texts(cells: Sequence[CellSpec]) -> list[dict[str, str]]:
    """Each fixed prompt once, however many cells a sweep makes of it."""
    texts = {suites.base_of(cell.name): cell.text for cell in cells if cell.text is not None}
    return [{"cell": name, "text": text} for name, text in texts.items()]


def _job(session: Session, position: int, one: Chosen) -> Job:
    return Job(
        session=session.id,
        client=one.client.id,
        client_name=one.client.name,
        model=one.model.name,
        digest=one.model.digest,
        position=position,
        expected_s=one.expected_s,
        expected_from=one.expected_from,
    )


def title_of(chosen: Sequence[Chosen]) -> str:
    """`llama3.2:3b on forge`, `4 models on 2 machines`."""
    models = list(dict.fromkeys(one.model.name for one in chosen))
    machines = list(dict.fromkeys(one.client.name for one in chosen))
    what = models[0] if len(models) == 1 else f"{len(models)} models"
    where = machines[0] if len(machines) == 1 else f"{len(machines)} machines"
    return f"{what} on {where}"[:NAME_LENGTH]


# -- cancel and retry ------------------------------------------------------------------------------------------------


def cancel_job(job: Job) -> Job:
    """Cancel a job that has not ended; one that has is a Conflict that says how it ended."""
    return audited.job_changed("job.cancel", "was cancelled", job, end_job(job))


def end_job(job: Job) -> Job:
    """The same as a part of another change, which is what gets written down."""
    return _one(job, _cancel)


def cancel(session: Session) -> Session:
    """Cancel every job of the session that has not ended."""
    done = _all(session, [job for job in jobs_of(session) if unfinished(job)], _cancel)
    return audited.session_changed("session.cancel", "was cancelled", session, done)


def retry_job(job: Job) -> Job:
    """Queue an ended job again as a new attempt. Succeeded and unfinished ones are a Conflict."""
    room.check_waiting(1)
    return audited.job_changed("job.retry", "was queued again", job, _one(job, _retry))


def retry(session: Session) -> Session:
    """Queue every failed, timed-out or cancelled job of the session again."""
    ended = [job for job in jobs_of(session) if State(job.state) in lifecycle.TERMINAL - {State.SUCCEEDED}]
    if not ended:
        raise Conflict("No job of this session has failed or was cancelled.")
    room.check_waiting(len(ended))
    done = _all(session, ended, _retry)
    return audited.session_changed("session.retry", "was queued again, as far as it had failed", session, done)


def _cancel(job: Job) -> Job | None:
    state = State(job.state)
    if state is State.CANCELLING:
        return None
    if state is State.FAILED and job.not_before:  # between automatic retries: no more of them
        return lifecycle.update(job, {"not_before": None}, state=state.value, attempt=job.attempt)
    if state in lifecycle.TERMINAL:
        raise Conflict(f"This job has already ended: {state.replace('_', ' ')}.")
    target = State.CANCELLING if state is State.RUNNING else State.CANCELLED
    return lifecycle.move(job, target, Actor.OPERATOR)


def _retry(job: Job) -> Job:
    if State(job.state) not in lifecycle.TERMINAL - {State.SUCCEEDED}:
        raise Conflict(f"Only a failed or cancelled job can be retried; this one is {job.state}.")
    if Client.objects(id=job.client).only("id").first() is None:
        raise Conflict(f"The machine {job.client_name or 'of this job'} was removed; nobody could run it.")
    return lifecycle.move(job, State.QUEUED, Actor.OPERATOR, retries=0, deliveries=0)


def _one(job: Job, change: Callable[[Job], Job | None]) -> Job:
    done = lifecycle.retrying(job.id, change)
    if done is None:
        raise NotFound("There is no such job. It may have been removed.")
    recompute(done.session)
    live.wake(done.client)
    return done


def _all(session: Session, jobs: Sequence[Job], change: Callable[[Job], Job | None]) -> Session:
    """Change many jobs, then bring the session in line and wake each machine once."""
    for job in jobs:
        try:
            lifecycle.retrying(job.id, change)
        except Conflict:
            continue  # it moved on while we came to it
    recompute(session.id)
    for client_id in {job.client for job in jobs}:
        live.wake(client_id)
    return find(str(session.id))


# -- state -----------------------------------------------------------------------------------------------------------


def unfinished(job: Job) -> bool:
    """Whether anything is still to come of this job, an automatic retry included."""
    return State(job.state) not in lifecycle.TERMINAL or (job.state == State.FAILED and job.not_before is not None)


def recompute(session_id: ObjectId, **values: Any) -> None:
    """Bring a session's state, counts and times in line with its jobs; safe to call at any time, by anyone.

    `values` are set with it, unless the jobs say otherwise: a session that is over is not paused.
    """
    for _ in range(5):
        session = Session.objects(id=session_id).first()
        if session is None:
            return
        changes = {**values, **_derived(session), "version": session.version + 1}
        done = Session._get_collection().update_one({"_id": session.id, "version": session.version}, {"$set": changes})
        if done.matched_count:
            _report_end(session, changes)
            break
    live.session_changed(session_id)


END_KINDS = {"succeeded": "session_finished", "failed": "session_failed", "cancelled": "session_cancelled"}


def _report_end(before: Session, changes: Mapping[str, Any]) -> None:
    """Whoever made the update that ended the session tells so: one does, whatever races."""
    state = changes["state"]
    if changes["finished_at"] is None or before.finished_at is not None or state not in END_KINDS:
        return
    parts = ", ".join(f"{count} {word}" for word, count in changes["counts"].items() if count)
    words = f"#{before.number} {before.name} has ended: {parts or 'no job'}"
    events.report(END_KINDS[state], words, session=before.id)


def _derived(session: Session) -> dict[str, Any]:
    jobs = list(Job.objects(session=session.id).only("state", "not_before", "started_at", "finished_at"))
    counts = tally(jobs)
    open_jobs = [job for job in jobs if unfinished(job)]
    started = [job.started_at for job in jobs if job.started_at]
    ended = [job.finished_at for job in jobs if job.finished_at]
    return {
        "counts": counts,
        "state": overall(counts),
        "started_at": session.started_at or (min(started) if started else None),
        "finished_at": None if open_jobs else (max(ended) if ended else now()),
        **({} if open_jobs else RESUMED),
    }


def expected_s(jobs: Sequence[Job]) -> float | None:
    """Seconds that the longest-working machine needs for its jobs; None when one of them could not be foreseen."""
    if not jobs or any(job.expected_s is None for job in jobs):
        return None
    by_machine: Tally[ObjectId] = Tally()
    for job in jobs:
        by_machine[job.client] += job.expected_s
    return float(max(by_machine.values()))


def tally(jobs: Sequence[Job]) -> dict[str, int]:
    """How many jobs are queued, running, succeeded, failed, cancelled: five words for people, of nine states."""
    counts = Tally(_word(job) for job in jobs)
    return {word: counts[word] for word in ("queued", "running", "succeeded", "failed", "cancelled")}


def _word(job: Job) -> str:
    state = State(job.state)
    if state is State.FAILED and job.not_before is not None:
        return "queued"
    if state in (State.OFFERED, State.QUEUED):
        return "queued"
    if state in lifecycle.WITH_AGENT:
        return "running"
    return "failed" if state is State.TIMED_OUT else state.value


def overall(counts: dict[str, int]) -> str:
    """The session's state: queued, running, then succeeded, failed (any job did) or cancelled."""
    if not any(counts.values()):
        return "cancelled"  # the server stopped between the session and its jobs: nothing was queued
    if counts["running"] or (counts["queued"] and (counts["succeeded"] or counts["failed"] or counts["cancelled"])):
        return "running"
    if counts["queued"]:
        return "queued"
    if counts["failed"]:
        return "failed"
    return "cancelled" if counts["cancelled"] else "succeeded"
