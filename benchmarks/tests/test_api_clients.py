"""GET clients and GET clients/{id}."""

from datetime import timedelta

import pytest

from agents.documents import Client
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api, problem, walk
from obt_site.clock import now

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(database):
    return Api()


def test_it_lists_machines_by_name(api):
    for name in ("forge", "atlas", "mill"):
        world.register(name)

    body = api.get("clients").json()

    assert [item["name"] for item in body["items"]] == ["atlas", "forge", "mill"]
    assert body["next"] is None


def test_it_tells_what_a_machine_is(api):
    forge = world.machine("forge")

    found = api.get(f"clients/{forge.id}").json()

    assert (found["id"], found["name"], found["hostname"]) == (str(forge.id), "forge", "forge")
    assert (found["state"], found["reason"]) == ("online", None)
    assert found["agent_version"] == "0.1.0"
    assert found["ollama"] == {
        "url": "http://127.0.0.1:11434",
        "version": "0.24.0",
        "reachable": True,
        "simulated": False,
        "message": None,
    }
    assert found["hardware"]["cpu"]["model"] == "AMD Ryzen 9 7950X"
    assert found["hardware"]["gpus"][0]["memory_total_bytes"] == 24 * world.GIB
    assert (found["labels"], found["paused"]) == ([], False)
    assert found["last_seen_at"].endswith("Z")


def test_a_machine_that_never_reported_has_nulls_and_a_reason(api):
    silent, _ = world.register("silent")

    found = api.get(f"clients/{silent.id}").json()

    assert (found["state"], found["ollama"], found["hardware"], found["last_seen_at"]) == ("offline", None, None, None)
    assert "not reported" in found["reason"]


def test_the_state_is_worked_out_now_and_not_as_it_was_stored(api):
    forge = world.machine("forge")
    Client.objects(id=forge.id).update_one(set__last_seen_at=now() - timedelta(hours=1))

    found = api.get(f"clients/{forge.id}").json()

    assert Client.objects(id=forge.id).first().state == "online"
    assert found["state"] == "offline"


def test_credentials_are_not_told(api):
    world.machine("forge")

    text = api.get("clients").content.decode()

    assert "credential" not in text


def test_pages_follow_each_other_without_gap_or_repetition(api):
    names = [f"m{i:02}" for i in range(7)]
    for name in names:
        world.register(name)

    assert [item["name"] for item in walk(api, "clients", limit=3)] == names


def test_the_last_page_that_is_full_says_that_nothing_follows(api):
    for name in ("a", "b"):
        world.register(name)

    assert api.get("clients", limit=2).json()["next"] is None


@pytest.mark.parametrize("limit", ["0", "-1", "201", "x", "1.5", "99999999999999999999"])
def test_it_refuses_a_limit_that_is_none(api, limit):
    problem(api.get("clients", limit=limit), 422, "limit")


@pytest.mark.parametrize("cursor", ["", "x", "W10", "WzFd", "é", "W10\0", "A" * 2000, "WyJcdWQ4MDAiXQ"])
def test_it_refuses_a_cursor_that_is_none(api, cursor):
    problem(api.get("clients", cursor=cursor), 422, "cursor")


def test_it_refuses_a_parameter_it_does_not_have(api):
    body = problem(api.get("clients", **{"name[$ne]": ""}), 422, "name[$ne]")

    assert "cursor, label, limit, search, state" in body["errors"][0]["message"]


def test_it_refuses_a_parameter_given_twice(api):
    problem(api.client.get("/api/v1/clients?limit=1&limit=2", headers=api.headers), 422, "limit")


@pytest.mark.parametrize("wrong", ["ffffffffffffffffffffffff", "x", "%00", "a" * 3000])
def test_a_machine_that_is_not_there_is_not_found(api, wrong):
    problem(api.get(f"clients/{wrong}"), 404)


def test_a_call_without_parameters_takes_none(api):
    forge, _ = world.register("forge")

    problem(api.get(f"clients/{forge.id}", verbose="1"), 422, "verbose")
