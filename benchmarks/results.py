"""Storing what a job delivered: once, whole, and never for a stale lease.

Order of writes: the bulky parts under ids derived from job and attempt, then the result, then the job's state. A crash
in between leaves a job that is still running and an agent that sends the same body again, which finds and finishes
what is there.
"""

import hashlib
import zlib
from typing import Any

from bson import Binary, ObjectId
from mongoengine.errors import NotUniqueError

from agent.obt_agent import contract, wire
from agents import events, hardware
from agents.documents import Client, HardwareConfig
from benchmarks import conditions, derive, leases, lifecycle, numbers, retry, sessions, telemetry
from benchmarks.documents import Job, LateResult, Result, SampleBlock, Session, TelemetrySeries
from benchmarks.lifecycle import Actor, Overtaken, State
from obt_site.errors import Conflict, NotFound


def find(result_id: str) -> Result:
    """The result, or NotFound."""
    result: Result | None = Result.objects(id=result_id).first()
    if result is None:
        raise NotFound("There is no such result. It may have been removed.")
    return result


def samples_of(result: Result) -> list[SampleBlock]:
    """The raw samples, cell by cell in the order they were run."""
    return sorted(SampleBlock.objects(result=result.id), key=lambda block: block.position)


def telemetry_of(result: Result, *, whole: bool = False) -> dict[str, Any]:
    """The recording as plain data: what is drawn, or all of it as the agent sent it. Raises NotFound without one."""
    series = TelemetrySeries.objects(id=result.id).first()
    if series is None:
        raise NotFound("This result has no telemetry: the job ended before anything was recorded.")
    if whole and series.raw is not None:
        return dict(wire.loads(zlib.decompress(series.raw)))
    return dict(series.content)


def environment_of(result: Result) -> contract.RunEnvironment | None:
    """What the result was measured on, as the agent sent it; None when it failed before that was known."""
    if not result.environment:
        return None
    config = HardwareConfig.objects(id=result.hardware_config).first()
    gear = config.content if config else {"cpu": {}, "os": {"system": "other"}}
    return wire.decode(contract.RunEnvironment, {**result.environment, "hardware": gear})


def store(client: Client, job_id: str, body: contract.ResultBody, raw: bytes) -> tuple[Result, bool]:
    """Keep a result and end its job. Returns it and whether it is new.

    The same body again gives the same result; another body for the same attempt, or a stale lease, is a Conflict
    (and the body is kept as a late result).
    """
    job = leases.job_of(client, job_id)
    body_hash = hashlib.sha256(raw).hexdigest()
    result_id = f"{job.id}-{body.attempt}"
    known = Result.objects(id=result_id).first()
    if known is not None and known.body_hash != body_hash:
        _keep_late(client, job, body, raw, body_hash, "another result for this attempt is already stored")
        raise Conflict("Another result for this attempt is already stored; this one is kept as late.")
    if known is not None:
        _finish(job, body, known)
        return known, False
    if not leases.current(job, body.attempt, body.lease):
        _keep_late(client, job, body, raw, body_hash, f"the job was {job.state}, attempt {job.attempt}")
        leases.check(job, body.attempt, body.lease)
    result = _write(client, job, body, body_hash, result_id)
    _finish(job, body, result)
    if body.outcome == "succeeded" and not result.valid:
        words = f"{job.model} on {client.name}: not every cell has its number"
        events.report(
            "result_invalid", words, client=client, session=job.session, job=job.id, result=result.id, model=job.model
        )
    return result, True


def _write(client: Client, job: Job, body: contract.ResultBody, body_hash: str, result_id: str) -> Result:
    session = Session.objects(id=job.session).first()
    for block in blocks(result_id, body):
        block.save()
    if body.telemetry is not None:
        recording(result_id, body.telemetry).save()
    if body.environment is not None:
        hardware.keep(body.environment.hardware)
    result = Result(**summary(client, job, session, body, body_hash), number=numbers.following("results"))
    try:
        result.save(force_insert=True)
    except NotUniqueError:  # the same body in two requests at a time
        return find(result_id)
    return result


def summary(
    client: Client, job: Job, session: Session | None, body: contract.ResultBody, body_hash: str
) -> dict[str, Any]:
    """The fields of the result that this body makes, but for its number. Pure."""
    fields: dict[str, Any] = {
        "id": f"{job.id}-{body.attempt}",
        "session": job.session,
        "session_number": session.number if session else None,
        "job": job.id,
        "attempt": body.attempt,
        "body_hash": body_hash,
        "client": client.id,
        "client_name": client.name,
        "model": job.model,
        "digest": job.digest,
        "suite": session.suite if session else None,
        "suite_version": session.suite_version if session else None,
        "outcome": body.outcome,
        "error": wire.encode(body.error),
        "duration_s": body.duration_s,
        "cells": derive.cells(body.cells, body.environment, body.telemetry),
        "placement": derive.placement(body.cells),
        **_environment(client, body.environment),
    }
    fields["valid"] = derive.all_valid(fields["cells"])
    gear = wire.encode(body.environment.hardware) if body.environment else None
    specs = {run.spec.name: wire.encode(run.spec) for run in body.cells if run.samples}
    return {**fields, **conditions.stamp(fields, gear, specs)}


def blocks(result_id: str, body: contract.ResultBody) -> list[SampleBlock]:
    """The raw samples of every cell that has any, as they are kept."""
    return [
        SampleBlock(
            id=f"{result_id}:{position}",
            result=result_id,
            position=position,
            cell=run.spec.name,
            spec=wire.encode(run.spec),
            samples=wire.encode(run.samples),
        )
        for position, run in enumerate(body.cells)
        if run.samples
    ]


def recording(result_id: str, recorded: contract.Telemetry) -> TelemetrySeries:
    """The telemetry as it is kept: what pages and the API read, and beside it the whole where that is longer."""
    small = telemetry.downsample(recorded)
    raw = None if small is recorded else Binary(zlib.compress(wire.dumps(recorded)))
    return TelemetrySeries(id=result_id, content=wire.encode(small), raw=raw)


def _environment(client: Client, environment: contract.RunEnvironment | None) -> dict[str, Any]:
    if environment is None:  # it failed before it could be read; a simulator's failure still is one
        return {"simulated": bool((client.ollama or {}).get("simulated"))}
    plain = wire.encode(environment)
    return {
        "simulated": environment.ollama.simulated,
        "ollama_version": environment.ollama.version,
        "family": environment.model.family,
        "quantization": environment.model.quantization,
        "parameter_size": environment.model.parameter_size,
        "hardware_config": hardware.content_hash(environment.hardware),
        "environment": {name: value for name, value in plain.items() if name != "hardware"},
    }


def _finish(job: Job, body: contract.ResultBody, result: Result) -> None:
    """End the job if this attempt has not ended yet; safe to repeat."""
    outcome = State(body.outcome)

    def end(current: Job) -> Job | None:
        if not leases.current(current, body.attempt, body.lease):
            return None
        if current.state in (State.OFFERED, State.LOST):
            current = lifecycle.move(current, State.RUNNING, Actor.AGENT)
        target = State.CANCELLED if current.state == State.CANCELLING else outcome
        extra: dict[str, Any] = {"result": result.id, "error": wire.encode(body.error), "took_s": body.duration_s}
        if target is State.FAILED and body.error:
            extra |= retry.after(current, body.error.kind)
        return lifecycle.move(current, target, Actor.AGENT, **extra)

    try:
        lifecycle.retrying(job.id, end)
    except Overtaken as error:
        raise Conflict("The job changed at the same moment; send the result again.") from error
    sessions.recompute(job.session)


def _keep_late(client: Client, job: Job, body: contract.ResultBody, raw: bytes, body_hash: str, reason: str) -> None:
    late_id = f"{job.id}-{body.attempt}-{body_hash[:16]}"
    is_new = LateResult.objects(id=late_id).first() is None  # agents send again what was refused
    LateResult(
        id=late_id,
        job=job.id,
        attempt=body.attempt,
        client=ObjectId(client.id),
        reason=reason,
        body=Binary(zlib.compress(raw)),
    ).save()
    if is_new:
        words = f"A result of {job.model} came late from {client.name} and does not count: {reason}"
        events.report("result_late", words, client=client, session=job.session, job=job.id, model=job.model)
