"""Jobs over the user API."""

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from agent.obt_agent.contract import HostReading
from benchmarks import lifecycle, sessions
from benchmarks.api.callers import open_to
from benchmarks.api.shapes import Reason, Shape, Time
from benchmarks.documents import Job
from obt_site.access import Role

router = Router(tags=["jobs"])


class ErrorShape(Shape):
    """Why a job did not succeed: a kind programs can tell apart, a sentence for people."""

    kind: str
    message: Reason


class ProgressShape(Shape):
    """The newest that a running job said of itself; null where it has not said it."""

    cell: str | None = None
    index: int | None = Field(None, description="the sample in its cell, from 0")
    of: int | None = Field(None, description="samples planned in the cell")
    warmup: bool | None = None
    done: int | None = Field(None, description="samples done in the whole job")
    total: int | None = None
    remaining_s: float | None = None
    elapsed_s: float | None = None
    metric: str | None = None
    value: float | None = None
    unit: str | None = None
    estimated: bool | None = Field(None, description="counted from stream chunks, not yet by Ollama")
    reading: HostReading | None = None
    text: str | None = None
    at: Time | None = None


class JobShape(Shape):
    """One model on one machine in a session."""

    id: str
    session: str
    client: str
    client_name: str | None
    model: str
    digest: str
    state: str
    state_since: Time | None
    attempt: int
    progress: ProgressShape | None
    error: ErrorShape | None
    result: str | None
    expected_s: float | None = Field(description="by earlier results, when it was asked for; null: nothing was known")
    expected_from: str | None = Field(description="where that is from, in words")
    took_s: float | None = Field(description="by its agent's clock; null until it has ended with a result")
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    retry_at: Time | None = Field(description="when a failed job is tried again by itself")


def shape(job: Job) -> JobShape:
    """The job as the API tells it."""
    progress = {name: value for name, value in (job.progress or {}).items() if name in ProgressShape.model_fields}
    return JobShape(
        id=str(job.id),
        session=str(job.session),
        client=str(job.client),
        client_name=job.client_name,
        model=job.model,
        digest=job.digest,
        state=job.state,
        state_since=job.state_since,
        attempt=job.attempt,
        progress=ProgressShape(**progress) if job.progress else None,
        error=ErrorShape(**job.error) if job.error else None,
        result=job.result,
        expected_s=job.expected_s,
        expected_from=job.expected_from,
        took_s=job.took_s if job.state in lifecycle.TERMINAL else None,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        retry_at=job.not_before,
    )


@router.get("/jobs/{job_id}", **open_to(Role.VIEWER, JobShape))
def get_job(request: HttpRequest, job_id: str) -> JobShape:
    """One job, with what it does now."""
    return shape(sessions.find_job(job_id))


@router.post("/jobs/{job_id}/cancel", **open_to(Role.OPERATOR, JobShape))
def cancel_job(request: HttpRequest, job_id: str) -> JobShape:
    """Cancel a job that has not ended. One that runs is `cancelling` until its machine has stopped it."""
    return shape(sessions.cancel_job(sessions.find_job(job_id)))


@router.post("/jobs/{job_id}/retry", **open_to(Role.OPERATOR, JobShape))
def retry_job(request: HttpRequest, job_id: str) -> JobShape:
    """Queue a failed, timed-out or cancelled job again, as a new attempt."""
    return shape(sessions.retry_job(sessions.find_job(job_id)))
