"""The one error shape: every way a call can go wrong answers the same problem+json under /api/."""

import json

import pytest
from django.test import Client, RequestFactory
from django.test.utils import override_settings

from benchmarks.documents import Result
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api, problem
from obt_site import errors, mongo
from obt_site.access import Role

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(database):
    return Api(Role.ADMIN)


def kind_of(response, status):
    return problem(response, status)["type"]


def test_a_body_that_is_not_json_is_malformed(admin):
    assert kind_of(admin.post("sessions", b"{"), 400) == "urn:obt:error:malformed"


def test_a_stranger_is_told_how_to_come_in(database):
    response = Client().get("/api/v1/clients")

    assert kind_of(response, 401) == "urn:obt:error:unauthenticated"
    assert response["WWW-Authenticate"] == "Bearer"


def test_a_role_that_is_too_low_is_forbidden(database):
    assert kind_of(Api(Role.VIEWER).post("sessions", {}), 403) == "urn:obt:error:forbidden"


@pytest.mark.parametrize(
    "path", ["sessions/ffffffffffffffffffffffff", "nothing", "", "clients/", "results/a/b/c", "%00"]
)
def test_what_is_not_there_is_not_found(admin, path):
    assert kind_of(admin.get(path), 404) == "urn:obt:error:not_found"


def test_a_method_an_address_does_not_take_is_named_with_those_it_takes(admin):
    response = admin.send("delete", "sessions")

    assert kind_of(response, 405) == "urn:obt:error:method_not_allowed"
    assert set(response["Allow"].split(", ")) == {"GET", "POST"}


def test_a_state_that_does_not_allow_it_is_a_conflict(admin):
    session = world.session(world.machine("forge"), world.MODELS[0])

    assert kind_of(admin.post(f"sessions/{session.id}/retry"), 409) == "urn:obt:error:conflict"


def test_a_body_over_the_cap_is_too_large(admin):
    assert kind_of(admin.post("sessions", b"[" * 70_000), 413) == "urn:obt:error:too_large"


def test_a_body_that_is_not_declared_as_json_is_the_wrong_media_type(admin):
    assert kind_of(admin.send("post", "sessions", {}, "text/plain"), 415) == "urn:obt:error:wrong_media_type"


def test_a_value_that_cannot_be_is_invalid_and_names_its_field(admin):
    body = problem(admin.post("sessions", {"targets": 1}), 422, "targets")

    assert body["type"] == "urn:obt:error:invalid"
    assert body["errors"] == [{"field": "targets", "message": "must be a list"}]


def test_a_defect_of_ours_says_nothing_about_the_inside(admin):
    broken = {"number": 1, "outcome": "succeeded", "cells": [{"cell": "tg128"}]}
    Result._get_collection().insert_one({"_id": "broken", **broken})

    response = admin.get("results/broken")

    body = problem(response, 500)
    assert body["type"] == "urn:obt:error:internal"
    assert "Traceback" not in response.content.decode()
    assert "tg128" not in json.dumps(body)


def test_a_database_that_is_away_says_when_to_try_again(admin):
    mongo.connect(mongo.NOWHERE)

    response = admin.get("clients")

    assert kind_of(response, 503) == "urn:obt:error:unavailable"
    assert response["Retry-After"] == "5"


def test_agents_get_the_same_shape(database):
    client = Client(raise_request_exception=False)
    path = "/api/v1/agent/register"

    problem(client.get(path), 405)
    problem(client.post(path, b"{", "application/json"), 400)
    problem(client.post(path, b"{}", "text/plain"), 415)
    problem(client.post("/api/v1/agent/sync", b"{}", "application/json"), 401)
    problem(client.post("/api/v1/agent/nothing", b"{}", "application/json"), 404)
    problem(client.post(path, b"x" * 300_000, "application/json"), 413)


def test_a_host_that_is_not_ours_is_malformed(database):
    with override_settings(ALLOWED_HOSTS=["obt.test"], DEBUG=False):
        problem(Client(raise_request_exception=False).get("/api/v1/clients", headers={"Host": "evil.test"}), 400)


def refusals():
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.Refusal)]


@pytest.mark.parametrize("kind", refusals())
def test_every_refusal_has_its_status_and_shape(kind):
    request = RequestFactory().get("/api/v1/x")

    response = errors.respond(request, kind("Because.", [errors.FieldError("a.b", "is wrong")], 7))

    body = json.loads(response.content)
    assert response.status_code == body["status"] == kind.status
    assert (body["type"], body["detail"]) == (f"urn:obt:error:{kind.kind}", "Because.")
    assert body["errors"] == [{"field": "a.b", "message": "is wrong"}]
    assert response["Retry-After"] == "7"


def test_pages_get_a_page_and_not_json(database):
    response = Client().get("/nothing/here")

    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")
