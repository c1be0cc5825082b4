"""The queue as a machine's sync sees it: what it holds is held against what is stored, then it gets work.

One sync of a client calls `exchange`. Nothing here waits or renders.
"""

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from agent.obt_agent import contract, wire
from agents.documents import Client, ModelInstallation
from benchmarks import lifecycle, pausing, retry, sessions, suites
from benchmarks.documents import Job, Session
from benchmarks.lifecycle import Actor, Overtaken, State
from obt_site.clock import now

AGENT_RESTARTED = {
    "kind": "agent_restarted",
    "message": "The agent came back without this job: it was restarted and its record of the job was gone.",
}


@dataclass
class Work:
    """What a sync answer carries besides times."""

    jobs: list[contract.JobOffer] = field(default_factory=list)
    cancel: list[contract.Cancellation] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.jobs or self.cancel)


def exchange(client: Client, holding: Sequence[contract.Holding], slots: int, arrived_at: datetime) -> Work:
    """Bring stored jobs in line with what the agent holds, and give it what it should start or stop.

    `arrived_at` is when the sync came: a job acknowledged after that cannot have been in its list.
    """
    may_start = slots > 0 and not client.paused
    states = _states(client, lifecycle.WITH_AGENT | {State.QUEUED} if may_start else lifecycle.WITH_AGENT)
    active = {str(job.id): job for job in with_agent(client)} if states - {State.QUEUED} else {}
    work = Work()
    for held in holding:
        job = active.pop(held.job, None)
        _held(job, held, work)
    for job in active.values():
        _not_held(job, arrived_at, work)
    if may_start and not work.jobs and State.QUEUED in states:
        offer = offer_next(client)
        if offer:
            work.jobs.append(offer)
    return work


def _states(client: Client, wanted: Collection[State]) -> set[str]:
    """In which of these states the client has jobs: the one question that an idle machine's sync asks of the jobs."""
    asked = {"client": client.id, "state": {"$in": [state.value for state in wanted]}}
    return {job["state"] for job in Job._get_collection().find(asked, {"state": 1})}


def with_agent(client: Client) -> list[Job]:
    """The client's jobs that are offered, running, being cancelled or lost."""
    states = [state.value for state in lifecycle.WITH_AGENT]
    return list(Job.objects(client=client.id, state__in=states))


def _held(job: Job | None, held: contract.Holding, work: Work) -> None:
    if job is None or (job.attempt, job.lease) != (held.attempt, held.lease):
        work.cancel.append(contract.Cancellation(held.job, held.attempt, held.lease, "stale"))
    elif job.state == State.CANCELLING:
        work.cancel.append(contract.Cancellation(held.job, held.attempt, held.lease, "cancelled"))
    elif job.state == State.LOST:
        _try(job, State.RUNNING, Actor.AGENT, last_seen_at=now())
    elif job.state == State.RUNNING:
        Job.objects(id=job.id, lease=job.lease).update_one(set__last_seen_at=now())


def _not_held(job: Job, arrived_at: datetime, work: Work) -> None:
    """An offer that was not taken in is repeated; a job that was running and is not known any more is given up."""
    if job.state == State.OFFERED:
        work.jobs.append(_offer(job))
    elif job.started_at and job.started_at < arrived_at:
        if job.state == State.CANCELLING:
            _try(job, State.CANCELLED, Actor.SERVER)
        else:
            fail(job, Actor.SERVER, AGENT_RESTARTED)


def _try(job: Job, target: State, by: Actor, **values: object) -> None:
    try:
        lifecycle.move(job, target, by, **values)
    except Overtaken:
        return
    sessions.recompute(job.session)


def fail(job: Job, by: Actor, error: dict[str, str]) -> None:
    """End an attempt as failed, with its retry when the policy has one left; nothing when someone was faster."""
    _try(job, State.FAILED, by, error=error, **retry.after(job, error["kind"]))


def offer_next(client: Client) -> contract.JobOffer | None:
    """Claim the client's next queued job, oldest session first; None when there is none. Paused sessions wait.

    Reads candidates by an indexed equality filter, then claims one by id and state, and goes on when another process
    was faster.
    """
    waiting = (
        Job.objects(client=client.id, state=State.QUEUED.value).only("created_at", "position", "session").as_pymongo()
    )
    held = pausing.paused_ids() if waiting else set()
    for found in sorted(waiting, key=lambda job: (job["created_at"], job["position"])):
        if found["session"] in held:
            continue
        job = Job.objects(id=found["_id"], state=State.QUEUED.value).first()
        try:
            claimed = lifecycle.move(job, State.OFFERED, Actor.SERVER) if job else None
        except Overtaken:
            continue
        if claimed is None:
            continue
        sessions.recompute(claimed.session)
        return _offer(claimed)
    return None


def _offer(job: Job) -> contract.JobOffer:
    session = Session.objects(id=job.session).first()
    cells = cells_of(session)
    model = ModelInstallation.objects(client=job.client, name=job.model).first()
    return contract.JobOffer(
        job=str(job.id),
        attempt=job.attempt,
        lease=job.lease,
        session=str(job.session),
        model=job.model,
        digest=job.digest,
        suite=session.suite,
        budget=session.budget,
        budget_s=suites.BUDGETS_S[session.budget],
        cells=suites.cells_for(cells, model) if model else cells,
        options=contract.PinnedOptions(**session.options),
        suite_version=session.suite_version,
    )


def cells_of(session: Session) -> list[contract.CellSpec]:
    """The session's cells as the wire carries them, fixed prompts with their text."""
    texts = {prompt["cell"]: prompt["text"] for prompt in session.prompts}
    cells = [wire.decode(contract.CellSpec, cell) for cell in session.cells]
    return [dataclasses.replace(cell, text=texts.get(suites.base_of(cell.name))) for cell in cells]
