"""PATCH clients/{id}."""

import pytest

from agents import verbs
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api, problem
from obt_site.access import Role

pytestmark = pytest.mark.django_db


@pytest.fixture
def forge(database):
    return world.machine("forge")


@pytest.fixture
def admin(database):
    return Api(Role.ADMIN)


def test_it_renames_labels_and_pauses_in_one_call(admin, forge):
    response = admin.patch(f"clients/{forge.id}", {"name": "anvil", "labels": ["lab", "rtx"], "paused": True})

    assert response.status_code == 200
    stored = verbs.find(str(forge.id))
    assert (stored.name, list(stored.labels), stored.paused) == ("anvil", ["lab", "rtx"], True)
    assert response.json()["name"] == "anvil"


def test_what_is_left_out_stays(admin, forge):
    admin.patch(f"clients/{forge.id}", {"labels": ["lab"], "paused": True})

    admin.patch(f"clients/{forge.id}", {"name": "anvil"})

    stored = verbs.find(str(forge.id))
    assert (list(stored.labels), stored.paused) == (["lab"], True)


def test_a_name_that_is_taken_is_a_conflict_and_nothing_changes(admin, forge):
    world.machine("atlas")

    problem(admin.patch(f"clients/{forge.id}", {"name": "atlas", "paused": True}), 409)

    stored = verbs.find(str(forge.id))
    assert (stored.name, stored.paused) == ("forge", False)


def test_a_paused_machine_gets_no_job_until_it_is_woken(admin, forge):
    admin.patch(f"clients/{forge.id}", {"paused": True})
    world.session(forge, world.MODELS[0])
    assert world.sync(forge).jobs == []

    admin.patch(f"clients/{forge.id}", {"paused": False})

    assert len(world.sync(forge).jobs) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "a" * 101}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"name": "nul\0"}, "name"),
        ({"name": "half \ud800"}, "name"),
        ({"name": 5}, "name"),
        ({"name": {"$ne": ""}}, "name"),
        ({"paused": "true"}, "paused"),
        ({"paused": 1}, "paused"),
        ({"labels": "lab"}, "labels"),
        ({"labels": ["x" * 61]}, "labels.0"),
        ({"labels": [str(i) for i in range(21)]}, "labels"),
        ({"labels": [{"$gt": ""}]}, "labels.0"),
        ({"state": "online"}, "state"),
        ({"credential_hash": "x"}, "credential_hash"),
    ],
)
def test_it_refuses_what_cannot_be_and_names_the_field(admin, forge, body, field):
    problem(admin.patch(f"clients/{forge.id}", body), 422, field)

    stored = verbs.find(str(forge.id))
    assert (stored.name, list(stored.labels), stored.paused) == ("forge", [], False)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_it_is_for_administrators(forge, role):
    body = problem(Api(role).patch(f"clients/{forge.id}", {"paused": True}), 403)

    assert "admin" in body["detail"]
    assert verbs.find(str(forge.id)).paused is False


def test_an_unknown_machine_is_not_found(admin):
    problem(admin.patch("clients/ffffffffffffffffffffffff", {"paused": True}), 404)
