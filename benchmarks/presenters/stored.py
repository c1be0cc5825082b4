"""Reads that several pages share. They go past MongoEngine to plain dicts: lists read many documents and few fields."""

import re
from collections.abc import Collection, Iterable, Mapping
from types import SimpleNamespace
from typing import Any, cast

from bson import ObjectId

from agents import hardware
from agents.documents import Client, HardwareConfig, ModelInstallation
from benchmarks import suites
from benchmarks.documents import Job, JobLive, Session
from benchmarks.lifecycle import TERMINAL, State

Stored = Mapping[str, Any]

# What every name of hardware carries and nobody says: makers, marks, and the clock that is a number of its own.
MAKERS = re.compile(
    r"NVIDIA |GeForce |AMD |Radeon |Intel\(R\) |Intel |\((?:R|TM)\)"
    r"| \d+-Core Processor| Processor| CPU(?= @)| @ [\d.]+GHz"
)

RESULT_FIELDS = {
    "number": 1, "session": 1, "session_number": 1, "job": 1, "client": 1, "client_name": 1, "model": 1, "digest": 1,
    "quantization": 1, "parameter_size": 1, "suite": 1, "outcome": 1, "error": 1, "simulated": 1, "valid": 1,
    "ollama_version": 1, "hardware_config": 1, "placement": 1, "duration_s": 1, "created_at": 1, "cells": 1,
}  # fmt: skip
OPEN_STATES = [state.value for state in State if state not in TERMINAL]


def machines() -> list[Client]:
    """Every machine, by name."""
    return sorted(Client.objects, key=lambda client: client.name.casefold())


def series_of(clients: Iterable[Client]) -> dict[str, int]:
    """Each machine's colour by its id: by when it joined, so that a new machine changes nobody's colour."""
    joined = sorted(clients, key=lambda client: (client.created_at, str(client.id)))
    return {str(client.id): place for place, client in enumerate(joined, start=1)}


def hardware_of(ids: Iterable[str | None]) -> dict[str, dict[str, Any]]:
    """Hardware contents by config id, in one query."""
    wanted = sorted({each for each in ids if each})
    return {config.id: dict(config.content) for config in HardwareConfig.objects(id__in=wanted)} if wanted else {}


def hardware_line(content: Stored | None) -> str | None:
    """One short line of a machine's hardware (`2 × RTX 3090`); None when it is not known yet."""
    whole = hardware.summary(dict(content)) if content else None
    return None if whole is None else (MAKERS.sub("", whole).strip(" ,") or whole)


def open_jobs() -> list[Stored]:
    """Every job that has not ended, oldest first."""
    found = Job._get_collection().find({"state": {"$in": OPEN_STATES}})
    return sorted(found, key=lambda job: (job["created_at"], job["position"]))


def tails(job_ids: Collection[ObjectId]) -> dict[ObjectId, Stored]:
    """The live tails of these jobs, in one query."""
    if not job_ids:
        return {}
    return {tail["_id"]: tail for tail in JobLive._get_collection().find({"_id": {"$in": list(job_ids)}})}


def sessions_by_id(ids: Collection[ObjectId]) -> dict[ObjectId, Stored]:
    """Numbers and names of these sessions, in one query."""
    if not ids:
        return {}
    fields = {"number": 1, "name": 1, "state": 1}
    return {found["_id"]: found for found in Session._get_collection().find({"_id": {"$in": list(ids)}}, fields)}


def as_model(model: Stored) -> ModelInstallation:
    """A stored installation as far as suites ask for it; thousands are asked about, so no document is made of each."""
    short = SimpleNamespace(
        name=model["name"],
        digest=model["digest"],
        remote=model.get("remote"),
        capabilities=model.get("capabilities") or [],
        context_length=model.get("context_length"),
    )
    return cast(ModelInstallation, short)


def unsuitable(model: Stored) -> str | None:
    """`suites.unsuitable` for a stored installation."""
    return suites.unsuitable(as_model(model))
