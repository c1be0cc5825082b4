"""Deleting results, jobs, sessions and machines with all that hangs on them. What was deleted is gone.

First a plan, whose counts are shown and asked about; then the deletion, bulky parts first, so that after a crash in its
middle what is left still hangs together and can be deleted again. Events and the audit stay: they stand by themselves.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.documents import Client, ModelInstallation
from benchmarks import lifecycle, live, numbers, sessions
from benchmarks.documents import Job, JobLive, LateResult, Result, SampleBlock, Session, TelemetrySeries
from benchmarks.lifecycle import State
from obt_site import audit
from obt_site.errors import Conflict

AT_ONCE = 100
STATES = [state.value for state in State]
NUMBERS = {"$gte": 0}  # whatever the number: the window that the indexes end in
# In the order of deletion, with what a person calls them.
KINDS: Mapping[Any, str] = {
    SampleBlock: "cells of raw samples",
    TelemetrySeries: "recordings of telemetry",
    LateResult: "late results",
    JobLive: "live tails",
    Result: "results",
    Job: "jobs",
    Session: "sessions",
    ModelInstallation: "models in its list",
    Client: "machines",
}


@dataclass(frozen=True)
class Plan:
    """What goes: ids by kind of document. `touched`: sessions that stay with fewer jobs."""

    about: tuple[str, Any, str]
    ids: Mapping[Any, Sequence[Any]]
    touched: Sequence[Any] = ()
    wakes: Sequence[Any] = field(default=())

    @property
    def counts(self) -> dict[str, int]:
        """How many of each kind go, in words; what there is none of is left out."""
        return {word: len(self.ids[kind]) for kind, word in KINDS.items() if self.ids.get(kind)}


def of_result(result: Result) -> Plan:
    """A result, its samples and telemetry. Its job stays, without it."""
    about = ("result", result.id, f"{result.model} on {result.client_name or 'a machine'}")
    return Plan(about, _of_results([result.to_mongo()]))


def of_job(job: Job) -> Plan:
    """A job with its results. A Conflict while a machine works on it."""
    _refuse_at_work([job])
    about = ("job", job.id, f"{job.model} on {job.client_name or 'a machine'}")
    return Plan(about, _of_jobs([job]), touched=[job.session])


def of_session(session: Session) -> Plan:
    """A session with its jobs and their results. A Conflict while a machine works for it."""
    jobs = sessions.jobs_of(session)
    _refuse_at_work(jobs)
    about = ("session", session.id, f"#{session.number} {session.name}")
    return Plan(about, {**_of_jobs(jobs), Session: [session.id]})


def of_machine(client: Client) -> Plan:
    """A machine with all it measured, and the sessions that nothing is left of. A Conflict while it works."""
    jobs = list(Job.objects(client=client.id, state__in=STATES))
    _refuse_at_work(jobs)
    mine = {job.id for job in jobs}
    touched = {job.session for job in jobs}
    emptied = [each for each in touched if _all_in(each, mine)]
    listed = [one.id for one in ModelInstallation.objects(client=client.id).only("id")]
    ids = {**_of_jobs(jobs, client), Session: emptied, ModelInstallation: listed, Client: [client.id]}
    about = ("machine", client.id, client.name)
    return Plan(about, ids, touched=sorted(touched - set(emptied)), wakes=[client.id])


def carry_out(plan: Plan) -> dict[str, int]:
    """Delete it; how many of each kind went."""
    for kind in KINDS:
        _delete(kind, plan.ids.get(kind, ()))
    if plan.ids.get(Result):
        numbers.renew("results")
    for session in plan.touched:
        sessions.recompute(session)
    _unlink(plan)
    kind, _, name = plan.about
    audit.record(f"{kind}.delete", f"{name} was deleted with what hung on it", about=plan.about, before=plan.counts)
    live.fleet_changed()
    for client in plan.wakes:
        live.wake(client)
    return plan.counts


def _unlink(plan: Plan) -> None:
    """A job that stays no longer names a result that went."""
    gone = set(plan.ids.get(Result, ()))
    for identity in {each.rsplit("-", 1)[0] for each in gone} - {str(each) for each in plan.ids.get(Job, ())}:
        job = Job.objects(id=identity).only("result").first()
        if job is not None and job.result in gone:
            Job._get_collection().update_one({"_id": job.id, "result": job.result}, {"$set": {"result": None}})


def _of_jobs(jobs: Sequence[Job], client: Client | None = None) -> dict[Any, Sequence[Any]]:
    fields = {"cells.cell": 1}
    if client is None:
        found = [one for job in jobs for one in Result._get_collection().find({"job": job.id}, fields)]
    else:  # also what was measured for jobs that are gone
        found = list(Result._get_collection().find({"client": client.id, "number": NUMBERS}, fields))
    late = [one["_id"] for job in jobs for one in LateResult._get_collection().find({"job": job.id}, {"_id": 1})]
    ids = [job.id for job in jobs]
    return {**_of_results(found), LateResult: late, JobLive: _there(JobLive, ids), Job: ids}


def _of_results(found: Iterable[Mapping[str, Any]]) -> dict[Any, Sequence[Any]]:
    found = list(found)
    ids = [one["_id"] for one in found]
    blocks = [f"{one['_id']}:{place}" for one in found for place in range(len(one.get("cells") or ()))]
    return {SampleBlock: _there(SampleBlock, blocks), TelemetrySeries: _there(TelemetrySeries, ids), Result: ids}


def _there(kind: Any, ids: Sequence[Any]) -> list[Any]:
    """Those of the ids that are stored."""
    found: list[Any] = []
    for start in range(0, len(ids), AT_ONCE):
        some = list(ids[start : start + AT_ONCE])
        found += [one["_id"] for one in kind._get_collection().find({"_id": {"$in": some}}, {"_id": 1})]
    return found


def _delete(kind: Any, ids: Sequence[Any]) -> None:
    for start in range(0, len(ids), AT_ONCE):
        kind._get_collection().delete_many({"_id": {"$in": list(ids[start : start + AT_ONCE])}})


def _all_in(session: Any, jobs: set[Any]) -> bool:
    return all(job.id in jobs for job in Job.objects(session=session).only("id"))


def _refuse_at_work(jobs: Iterable[Job]) -> None:
    working = [job for job in jobs if State(job.state) in lifecycle.WITH_AGENT]
    if working:
        raise Conflict(
            f"{len(working)} of its jobs {'is' if len(working) == 1 else 'are'} with a machine now. Cancel first, and "
            "delete when the machine has stopped."
        )
