"""What a running agent reports, folded into the job and its live tail.

`job.progress` is {cell, index, of, warmup, done, total, remaining_s, elapsed_s, metric, value, unit, estimated,
reading}: the newest of each. `JobLive` keeps the tail that a page opened late needs.
"""

from collections.abc import Sequence
from typing import Any

from agent.obt_agent import contract, wire
from agents.documents import Client
from benchmarks import leases, lifecycle, live, sessions
from benchmarks.documents import Job, JobLive
from benchmarks.lifecycle import Actor, State
from obt_site.clock import now

LIVE_POINTS = 120
LIVE_SAMPLES = 1000
LIVE_NOTES = 50
STEP_FIELDS = ("cell", "index", "of", "warmup", "done", "total", "remaining_s")
RATE_FIELDS = ("metric", "value", "unit", "estimated")


def apply(client: Client, job_id: str, request: contract.ProgressRequest) -> contract.ProgressResponse:
    """Take in the events that are new; the same events again change nothing. Raises StaleLease or NotFound.

    Events are numbered from 1 within an attempt, so what was stored but whose answer got lost is skipped.
    """
    answer: contract.ProgressResponse | None = None

    def change(job: Job) -> Job:
        nonlocal answer
        leases.check(job, request.attempt, request.lease)
        job = _arrive(job, request.events)
        fresh = [event for event in request.events if event.seq > job.progress_seq]
        if fresh:
            job = _fold(job, fresh)
        answer = contract.ProgressResponse(acknowledged=job.progress_seq, cancel=job.state == State.CANCELLING)
        return job

    leases.job_of(client, job_id)
    before = Job.objects(id=job_id).only("state").first()
    done = lifecycle.retrying(before.id, change)
    if done is not None and done.state != before.state:
        sessions.recompute(done.session)
    elif done is not None:
        live.session_changed(done.session)
    assert answer is not None
    return answer


def _arrive(job: Job, events: Sequence[contract.Event]) -> Job:
    """An offer's first report acknowledges it; a lost job's report brings it back."""
    if job.state in (State.OFFERED, State.LOST):
        return lifecycle.move(job, State.RUNNING, Actor.AGENT, last_seen_at=now())
    return job


def _fold(job: Job, events: Sequence[contract.Event]) -> Job:
    progress: dict[str, Any] = dict(job.progress or {})
    for event in events:
        progress.update(_step(event))
    changes = {"progress": progress, "progress_seq": events[-1].seq, "last_seen_at": now()}
    updated = lifecycle.update(
        job, changes, state=job.state, attempt=job.attempt, lease=job.lease, progress_seq=job.progress_seq
    )
    _keep_tail(job, events)
    if any(event.kind == "released" for event in events) and updated.state == State.RUNNING:
        return lifecycle.move(updated, State.QUEUED, Actor.AGENT)
    return updated


def _step(event: contract.Event) -> dict[str, Any]:
    """The parts of `job.progress` this event says something about."""
    plain = wire.encode(event)
    step: dict[str, Any] = {"elapsed_s": event.elapsed_s, "at": now()}
    step |= {name: plain[name] for name in STEP_FIELDS if plain[name] is not None}
    if event.kind == "cell":
        step |= {"metric": None, "value": None, "unit": None, "estimated": False, "index": 0}
    if event.value is not None:
        step |= {name: plain[name] for name in RATE_FIELDS}
    if event.reading is not None:
        step["reading"] = plain["reading"]
    if event.text:
        step["text"] = event.text
    return step


def _keep_tail(job: Job, events: Sequence[contract.Event]) -> None:
    """Only the agent that holds the lease writes here, one request at a time, so read and write is enough."""
    tail = JobLive.objects(id=job.id).first()
    if tail is None or tail.attempt != job.attempt:
        tail = JobLive(id=job.id, attempt=job.attempt)
    known = {(s["cell"], s["index"], s["warmup"], s["at"]) for s in tail.samples}
    for event in events:
        if event.kind == "live":
            tail.points.append(_point(event))
        elif event.kind == "sample":
            entry = _sample(event)
            if (entry["cell"], entry["index"], entry["warmup"], entry["at"]) not in known:
                tail.samples.append(entry)
        elif event.kind == "note" and event.text:
            tail.notes.append({"at": event.elapsed_s, "text": event.text})
    tail.points = tail.points[-LIVE_POINTS:]
    tail.samples = tail.samples[-LIVE_SAMPLES:]
    tail.notes = tail.notes[-LIVE_NOTES:]
    tail.updated_at = now()
    tail.save()


def _sample(event: contract.Event) -> dict[str, Any]:
    plain = wire.encode(event)
    names = ("cell", "index", "of", "warmup", "valid", "metric", "value", "unit", "flags", "text")
    return {"at": event.elapsed_s, "received_at": now(), **{name: plain[name] for name in names}}


def _point(event: contract.Event) -> dict[str, Any]:
    """One second of a running job: rate, and the machine's reading in short. None where nothing was read."""
    reading = event.reading or contract.HostReading()
    gpu = reading.gpus[0] if reading.gpus else contract.GpuReading(index=0)
    return {
        "at": event.elapsed_s,
        "value": event.value,
        "unit": event.unit,
        "cpu_percent": reading.cpu_percent,
        "memory_used_bytes": reading.memory_used_bytes,
        "gpu_percent": gpu.utilisation_percent,
        "gpu_memory_used_bytes": gpu.memory_used_bytes,
        "gpu_power_w": gpu.power_w,
        "gpu_temperature_c": gpu.temperature_c,
    }
