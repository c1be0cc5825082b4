"""POST sessions."""

import pytest

from agent.obt_agent import contract
from benchmarks import sessions, suites
from benchmarks.documents import Job, Session
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api, problem
from obt_site.access import Role

pytestmark = pytest.mark.django_db
MODEL = world.MODELS[0]


@pytest.fixture
def forge(database):
    return world.machine("forge")


@pytest.fixture
def operator(database):
    return Api(Role.OPERATOR, "nightly")


def wanted(client, *models, **more):
    return {"targets": [{"client": str(client.id), "model": model} for model in models or (MODEL,)], **more}


def nothing_was_written():
    return Session.objects.count() == 0 and Job.objects.count() == 0


def test_it_queues_one_job_per_target_and_says_where_the_session_is(operator, forge):
    response = operator.post("sessions", wanted(forge, *world.MODELS[:2], name="Friday", note="one\ntwo"))

    assert response.status_code == 201
    body = response.json()
    assert response["Location"] == f"/api/v1/sessions/{body['id']}"
    assert operator.get(f"sessions/{body['id']}").json() == body
    assert (body["name"], body["note"], body["state"], body["suite"]) == ("Friday", "one\ntwo", "queued", "standard")
    assert body["counts"] == {"queued": 2, "running": 0, "succeeded": 0, "failed": 0, "cancelled": 0}
    assert [(job["model"], job["state"], job["attempt"]) for job in body["jobs"]] == [
        (world.MODELS[0], "queued", 0),
        (world.MODELS[1], "queued", 0),
    ]


def test_the_session_remembers_whose_token_started_it(operator, forge):
    body = operator.post("sessions", wanted(forge)).json()

    assert body["created_by"] == "nightly"


def test_its_machine_gets_exactly_the_cells_that_were_asked_for(operator, forge):
    body = operator.post("sessions", wanted(forge, cells=["tg64", "pp128"], budget="quick")).json()

    (offer,) = world.sync(forge).jobs
    assert body["cells"] == ["tg64", "pp128"]
    assert [(cell.name, cell.output_tokens) for cell in offer.cells] == [("tg64", 64), ("pp128", 1)]
    assert offer.budget_s == suites.BUDGETS_S["quick"]


def test_without_a_budget_it_is_the_standard_one(operator, forge):
    assert operator.post("sessions", wanted(forge)).json()["budget"] == "standard"


def test_a_viewer_may_not(forge):
    problem(Api(Role.VIEWER).post("sessions", wanted(forge)), 403)

    assert nothing_was_written()


BAD_BODIES = [
    ({}, "targets"),
    ([], ""),
    ("text", ""),
    ({"targets": []}, "targets"),
    ({"targets": {}}, "targets"),
    ({"targets": "all"}, "targets"),
    ({"targets": ["forge"]}, "targets.0"),
    ({"targets": [{}]}, "targets.0.client"),
    ({"targets": [{"client": {"$ne": ""}, "model": MODEL}]}, "targets.0.client"),
    ({"targets": [{"client": 7, "model": MODEL}]}, "targets.0.client"),
    ({"targets": [{"client": "x" * 65, "model": MODEL}]}, "targets.0.client"),
    ({"targets": [{"client": "f" * 24, "model": {"$gt": ""}}]}, "targets.0.model"),
    ({"targets": [{"client": "f" * 24, "model": "x" * 301}]}, "targets.0.model"),
    ({"targets": [{"client": "f" * 24, "model": "a\0b"}]}, "targets.0.model"),
    ({"targets": [{"client": "f" * 24, "model": "a", "digest": "d"}]}, "targets.0.digest"),
    ({"targets": [{"client": "f" * 24, "model": MODEL}]}, "targets.0.client"),
]


@pytest.mark.parametrize(("body", "field"), BAD_BODIES)
def test_it_refuses_targets_that_are_none_and_names_the_field(operator, forge, body, field):
    problem(operator.post("sessions", body), 422, field)

    assert nothing_was_written()


BAD_EXTRAS = [
    ({"suite": "everything"}, "suite"),
    ({"suite": None}, "suite"),
    ({"suite": {"$ne": ""}}, "suite"),
    ({"budget": "endless"}, "budget"),
    ({"budget": 900}, "budget"),
    ({"cells": "tg128"}, "cells"),
    ({"cells": []}, "cells"),
    ({"cells": ["tg128", "warp9"]}, "cells.1"),
    ({"cells": ["tg9999999"]}, "cells.0"),
    ({"cells": ["tg128"] * 51}, "cells"),
    ({"name": "x" * 121}, "name"),
    ({"name": "a\nb"}, "name"),
    ({"note": "x" * 2001}, "note"),
    ({"note": 1}, "note"),
    ({"state": "succeeded"}, "state"),
    ({"created_by": "root"}, "created_by"),
]


@pytest.mark.parametrize(("extra", "field"), BAD_EXTRAS)
def test_it_refuses_a_value_that_cannot_be_and_names_the_field(operator, forge, extra, field):
    problem(operator.post("sessions", wanted(forge, **extra)), 422, field)

    assert nothing_was_written()


def test_a_model_the_machine_does_not_have_is_named_with_its_target(operator, forge):
    body = problem(operator.post("sessions", wanted(forge, MODEL, "ghost:1b")), 422, "targets.1.model")

    assert "ghost:1b" in body["errors"][0]["message"]
    assert nothing_was_written()


def test_a_model_that_cannot_be_measured_is_refused_with_the_reason(operator, forge):
    cloud = [world.model("big:cloud", remote=True)]
    world.verbs.take_in(forge, world.sync_request(models=cloud, models_hash="cloud"))

    body = problem(operator.post("sessions", wanted(forge, "big:cloud")), 422, "targets.0.model")

    assert "cloud" in body["detail"]


RAW_BODIES = [
    (b"{", 400),
    (b"", 422),
    (b"null", 422),
    (b'{"targets": NaN}', 400),
    (b'{"targets": Infinity}', 400),
    (b'{"targets": [], "targets": []}', 400),
    (b'{"targets": ' + b"[" * 5000 + b"]" * 5000 + b"}", 400),
    (b'{"targets": ' + b"9" * 5000 + b"}", 400),
    (b'{"name": "\xff"}', 400),
    (b"\xef\xbb\xbf{}", 400),
]


@pytest.mark.parametrize(("raw", "status"), RAW_BODIES, ids=range(len(RAW_BODIES)))
def test_it_refuses_a_body_that_is_not_strict_json(operator, forge, raw, status):
    problem(operator.post("sessions", raw), status)

    assert nothing_was_written()


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_it_takes_json_only(operator, forge, content_type):
    problem(operator.send("post", "sessions", wanted(forge), content_type), 415)

    assert nothing_was_written()


def test_json_with_its_charset_is_json(operator, forge):
    response = operator.send("post", "sessions", wanted(forge), "application/json; charset=utf-8")

    assert response.status_code == 201


def test_a_body_over_the_cap_is_too_large(operator, forge):
    problem(operator.post("sessions", wanted(forge, note="x" * 70_000)), 413)

    assert nothing_was_written()


def test_many_problems_are_told_at_once_but_not_without_end(operator, forge):
    body = problem(operator.post("sessions", {"targets": [{"client": 1}] * 40}), 422)

    assert len(body["errors"]) == 20


def test_a_session_for_a_machine_that_is_offline_waits(operator, database):
    silent, _ = world.register("silent")
    world.verbs.take_in(silent, world.sync_request(models=[world.model(MODEL)], models_hash="one"))
    offline = contract.OllamaState("http://127.0.0.1:11434", False, problem="refused", message="refused")
    world.verbs.take_in(silent, world.sync_request(ollama=offline, models_hash="one"))

    body = operator.post("sessions", wanted(silent)).json()

    assert sessions.find(body["id"]).state == "queued"
