"""Records the examples of the API's description: every call, asked in a small world."""

import json
from typing import Any

from agents import verbs
from benchmarks.api import examples
from benchmarks.exports import FORMATS
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api
from obt_site.access import Role

JSON = "application/json"
LONGEST_LIST = 2
LONGEST_FILE = 900  # characters
LABELS = {"labels": ["lab", "24 GB"]}


def record() -> None:
    """Ask every call, and write down what was sent and answered."""
    api = Api(Role.ADMIN)
    forge = verbs.set_labels(world.machine("forge"), LABELS["labels"])
    first, second = world.result(forge, world.MODELS[0], 124.0), world.result(forge, world.MODELS[1], 58.0)
    target = {"client": str(forge.id), "model": world.MODELS[0]}
    session = {"targets": [target], "budget": "quick", "cells": ["pp512", "tg128"], "name": "nightly"}
    found: dict[str, dict[str, Any]] = {
        "change_client": {"body": LABELS, JSON: api.patch(f"clients/{forge.id}", LABELS).json()},
        "start_session": {"body": session, JSON: api.post("sessions", session).json()},
    }
    started, one = found["start_session"][JSON]["id"], found["start_session"][JSON]["jobs"][0]["id"]
    posts = {
        "pause_session": f"sessions/{started}/pause",
        "resume_session": f"sessions/{started}/resume",
        "cancel_job": f"jobs/{one}/cancel",
        "retry_job": f"jobs/{one}/retry",
        "cancel_session": f"sessions/{started}/cancel",
        "retry_session": f"sessions/{started}/retry",
    }
    tokens = {
        "create_token": ("tokens", {"name": "dashboard", "role": "viewer", "days": 30}),
        "create_enrolment_token": ("enrolment-tokens", {"name": "atlas", "labels": ["lab"]}),
    }
    for name, (path, body) in tokens.items():
        found[name] = {"body": body, JSON: {**api.post(path, body).json(), "token": "shown only once"}}
    for name, path in posts.items():
        found[name] = {JSON: api.post(path).json()}
    gets = {
        "list_clients": "clients",
        "get_client": f"clients/{forge.id}",
        "list_models": "models",
        "list_sessions": "sessions",
        "get_session": f"sessions/{started}",
        "get_job": f"jobs/{first.job}",
        "list_results": "results",
        "get_result": f"results/{first.id}",
        "get_samples": f"results/{first.id}/samples",
        "get_telemetry": f"results/{first.id}/telemetry",
        "compare_results": f"compare?base=result%3D{first.id}&with=result%3D{second.id}",
        "list_events": "events",
        "list_audit": "audit",
        "list_tokens": "tokens",
        "list_enrolment_tokens": "enrolment-tokens",
    }
    for name, path in gets.items():
        found[name] = {JSON: api.get(path).json()}
    found["revoke_client"] = {JSON: api.post(f"clients/{forge.id}/revoke").json()}
    found["export_results"] = exported(api)
    text = json.dumps(shortened(found), indent=1, ensure_ascii=False)
    examples.FILE.write_text(text + "\n", encoding="utf-8")


def exported(api: Api) -> dict[str, Any]:
    """The beginning of each kind of file; of two with one media type the first."""
    files: dict[str, Any] = {}
    for name, each in FORMATS.items():
        content = b"".join(api.get("results/export", format=name).streaming_content).decode()
        value = json.loads(content) if each.media_type == JSON else content[:LONGEST_FILE]
        files.setdefault(each.media_type, value)
    return files


def shortened(value: Any) -> Any:
    """The same with fewer items: an example is read by people."""
    if isinstance(value, dict):
        return {name: shortened(each) for name, each in value.items()}
    return [shortened(each) for each in value[:LONGEST_LIST]] if isinstance(value, list) else value
