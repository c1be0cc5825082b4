"""Nasties thrown at every call of the user API: named refusals, nothing stored, no 5xx."""

import copy
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpResponse

from benchmarks.api import api as mounted
from benchmarks.tests import world
from benchmarks.tests.api_calls import BASE, Api
from obt_site import mongo
from obt_site.access import Role
from obt_site.logs import JsonFormatter, TextFormatter
from obt_site.tests import nasties

pytestmark = pytest.mark.django_db
SCHEMA = mounted.get_openapi_schema(path_prefix=BASE)
CALLS = [
    (method.upper(), path.removeprefix(BASE), operation)
    for path, methods in SCHEMA["paths"].items()
    for method, operation in methods.items()
]
WITH_BODY = [(method, path) for method, path, operation in CALLS if "requestBody" in operation]
READ_ONLY = [path for method, path, _ in CALLS if method == "GET" and "{" not in path]
WITH_ID = [(method, path) for method, path, _ in CALLS if "{" in path]
STORED = ("clients", "model_installations", "sessions", "jobs", "results", "api_tokens", "enrolment_tokens")


@pytest.fixture
def forge(database):
    return world.machine("forge")


@pytest.fixture
def api(database):
    return Api(Role.ADMIN)


def stored() -> dict[str, list[Any]]:
    """Everything that a call could have changed."""
    without = {"last_used_at": 0}  # of the token that asks
    return {name: list(mongo.database()[name].find({}, without).sort("_id")) for name in STORED}


def restore(before: dict[str, list[Any]]) -> None:
    for name, documents in before.items():
        mongo.database()[name].delete_many({})
        if documents:
            mongo.database()[name].insert_many(documents)


def refused(response: HttpResponse, before: dict[str, list[Any]], what: object) -> None:
    """A 4xx in the one shape, with a sentence, and nothing stored."""
    said = (what, response.status_code, response.content[:300])
    assert 400 <= response.status_code < 500, said
    assert response["Content-Type"] == "application/problem+json", said
    problem = response.json()
    assert problem["status"] == response.status_code, said
    assert problem["detail"].strip(), said
    assert problem["request_id"] == response["X-Request-ID"], said
    assert len(response.content) < 20_000, said
    assert stored() == before, said


def path_of(path: str, forge: Any) -> str:
    return path.replace("{client_id}", str(forge.id))


def good(path: str, forge: Any) -> dict[str, Any]:
    """A body that is taken."""
    if path == "clients/{client_id}":
        return {"name": "forge-2", "labels": ["lab"], "paused": True}
    if path == "enrolment-tokens":
        return {"name": "atlas", "labels": ["lab"], "for_client": None}
    if path == "tokens":
        return {"name": "dashboard", "role": "viewer", "days": 30}
    assert path == "sessions", f"give a good body for {path} here"
    return {
        "targets": [{"client": str(forge.id), "model": world.MODELS[0]}],
        "suite": "standard",
        "budget": "quick",
        "cells": ["tg128"],
        "sweep": {"num_ctx": [4096], "num_gpu": [0], "num_thread": [1], "num_batch": [64]},
        "prompts": [{"name": "p", "text": "Say something.", "output_tokens": 16}],
        "slo": {"ttft_ms": 100.0, "itl_ms": 10.0, "e2e_ms": 1000.0},
        "options": {"temperature": 0.5, "seed": 1, "num_gpu": 1, "num_thread": 1, "num_batch": 64},
        "name": "n",
        "note": "n",
    }


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The way to every value in a body, and the value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield (*way, key), each
        yield from places(each, (*way, key))


def replaced(body: Any, way: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(body)
    inside = changed
    for key in way[:-1]:
        inside = inside[key]
    inside[way[-1]] = value
    return changed


def test_there_is_something_to_throw_at():
    assert len(CALLS) > 20
    assert ("POST", "sessions") in WITH_BODY


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_the_good_bodies_are_taken(api, forge, method, path):
    body = good(path, forge)
    if path == "sessions":
        del body["sweep"]["num_gpu"], body["sweep"]["num_thread"], body["sweep"]["num_batch"], body["slo"]

    assert api.send(method, path_of(path, forge), body).status_code < 300


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_a_body_that_is_none_is_refused(api, forge, method, path):
    before = stored()

    for name, body in nasties.BODIES.items():
        refused(api.send(method, path_of(path, forge), body), before, name)


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_a_body_of_another_kind_is_refused(api, forge, method, path):
    before, body = stored(), json.dumps(good(path, forge)).encode()

    for kind in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "",
        "application/json-patch+json",
    ):
        refused(api.send(method, path_of(path, forge), body, kind), before, kind)


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_a_nasty_value_in_any_place_is_refused_or_kept_as_the_text_it_is(api, forge, method, path):
    body, before = good(path, forge), stored()

    for way, old in places(body):
        # A text where a number or a list belongs is one kind of wrong, whatever it says.
        thrown = nasties.VALUES if isinstance(old, str) else {**nasties.ODD_VALUES, "text": "x"}
        for name, value in thrown.items():
            response = api.send(method, path_of(path, forge), replaced(body, way, value))
            if response.status_code >= 300:
                refused(response, before, (way, name))
            else:
                restore(before)


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_fields_that_are_ours_are_assigned_by_nobody(api, forge, method, path):
    body, before = good(path, forge), stored()

    for name in (each for each in nasties.OURS if each not in body):
        response = api.send(method, path_of(path, forge), {**body, name: "admin"})
        refused(response, before, name)
        assert name in [error["field"] for error in response.json()["errors"]]


@pytest.mark.parametrize(("method", "path", "operation"), CALLS, ids=[f"{m} {p}" for m, p, _ in CALLS])
def test_a_query_that_makes_no_sense_is_refused(api, forge, method, path, operation):
    world.session(forge)
    before, at = stored(), path_of(path, forge).replace("{", "").replace("}", "")

    for name, query in nasties.QUERIES.items():
        response = api.client.generic(method, f"{BASE}{at}?{query}", b"", headers=api.headers)
        if response.status_code == 200 and method == "GET":
            assert stored() == before, name  # a time that is far away is one
        else:
            refused(response, before, name)


@pytest.mark.parametrize(("method", "path"), WITH_ID)
def test_what_is_no_id_is_not_found(api, forge, method, path):
    before = stored()
    body = good(path, forge) if (method, path) in WITH_BODY else None

    for name, nasty in nasties.IDS.items():
        address = path.split("{")[0] + nasty + path.split("}")[1]
        refused(api.send(method, address, body), before, name)


@pytest.mark.parametrize("header", ["Authorization", "Idempotency-Key", "If-None-Match", "Accept", "X-Request-ID"])
def test_a_nasty_header_is_refused_or_of_no_effect(forge, header):
    api = Api(Role.ADMIN)
    before = stored()

    for name, text in nasties.TEXTS.items():
        value = f"Bearer {text}" if header == "Authorization" else text
        headers = {**api.headers, header: value.encode("utf-8", "replace").decode("latin-1")}
        response = api.client.get(f"{BASE}clients", headers=headers)
        if header == "Authorization":
            assert response.status_code == 401, name
        assert response.status_code in (200, 401), name
        assert stored() == before
        assert "\n" not in response["X-Request-ID"]


def test_a_method_cannot_be_changed_by_a_header_or_a_parameter(forge):
    api = Api(Role.VIEWER)
    for header in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        answer = api.client.get(f"{BASE}clients/{forge.id}", headers={**api.headers, header: "DELETE"})
        assert answer.status_code == 200
    assert api.get(f"clients/{forge.id}", _method="DELETE").status_code == 422
    assert api.get(f"clients/{forge.id}").status_code == 200


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "\x00"])
def test_a_strange_method_is_refused(api, forge, method):
    response = api.client.generic(method, f"{BASE}clients", headers=api.headers)

    assert response.status_code in (400, 405), response.status_code


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()], ids=["text", "json"])
@pytest.mark.parametrize("text", nasties.TEXTS.values(), ids=nasties.TEXTS)
def test_nothing_that_is_sent_makes_a_second_line_in_the_log(formatter, text):
    record = logging.LogRecord("obt", logging.WARNING, "x.py", 1, "said: %s", (text,), None)

    assert len(formatter.format(record).splitlines()) == 1
