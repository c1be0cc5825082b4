"""Who may write to a job: the agent that holds its current attempt and lease. Everyone else gets 409."""

from bson import ObjectId

from agents.documents import Client
from benchmarks.documents import Job
from benchmarks.lifecycle import WITH_AGENT
from obt_site.errors import Conflict, NotFound


class StaleLease(Conflict):
    """The write names an attempt or lease that is no longer current: nothing of it counts."""

    kind = "stale_lease"


def job_of(client: Client, job_id: str) -> Job:
    """This client's job, or NotFound: another client's jobs do not exist for it."""
    job: Job | None = Job.objects(id=job_id, client=client.id).first() if ObjectId.is_valid(job_id) else None
    if job is None:
        raise NotFound("This machine has no such job.")
    return job


def current(job: Job, attempt: int, lease: str) -> bool:
    """Whether this attempt and lease are the job's current ones and it is still with the agent."""
    return (job.attempt, job.lease) == (attempt, lease) and job.state in {state.value for state in WITH_AGENT}


def check(job: Job, attempt: int, lease: str) -> None:
    """Raises StaleLease with a sentence when the write is not current."""
    if not current(job, attempt, lease):
        raise StaleLease(f"Attempt {attempt} of this job is no longer current; the job is {job.state}. Drop it.")
