"""GET sessions, GET sessions/{id}, POST sessions/{id}/cancel and /retry."""

from dataclasses import replace

import pytest

from agent.obt_agent import contract
from benchmarks import sessions
from benchmarks.api import sessions as session_routes
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api, problem, walk
from obt_site.access import Role

pytestmark = pytest.mark.django_db
MODEL = world.MODELS[0]


@pytest.fixture
def forge(database):
    return world.machine("forge")


@pytest.fixture
def api(database):
    return Api(Role.OPERATOR)


def fail(client, offer):
    error = contract.JobError("out_of_memory", "The model does not fit.")
    world.deliver(client, offer, replace(world.body(offer), outcome="failed", error=error, cells=[]))


def test_it_lists_sessions_newest_first_with_their_jobs(api, forge):
    first = world.session(forge, MODEL)
    second = world.session(forge, *world.MODELS[:2])

    body = api.get("sessions").json()

    assert [item["id"] for item in body["items"]] == [str(second.id), str(first.id)]
    assert [len(item["jobs"]) for item in body["items"]] == [2, 1]
    assert body["next"] is None


def test_a_session_in_the_list_is_the_same_as_by_itself(api, forge):
    world.session(forge, *world.MODELS)

    (item,) = api.get("sessions").json()["items"]

    assert api.get(f"sessions/{item['id']}").json() == item


def test_pages_survive_sessions_that_start_in_between(api, forge):
    numbers = [world.session(forge, MODEL).number for _ in range(5)]
    page = api.get("sessions", limit=2).json()

    world.session(forge, MODEL)
    middle = api.get("sessions", limit=2, cursor=page["next"]).json()
    last = api.get("sessions", limit=2, cursor=middle["next"]).json()

    assert [item["number"] for part in (page, middle, last) for item in part["items"]] == numbers[::-1]
    assert last["next"] is None


def test_a_page_ends_early_when_its_sessions_have_very_many_jobs(api, forge, monkeypatch):
    monkeypatch.setattr(session_routes, "JOBS_PER_PAGE", 4)
    for _ in range(3):
        world.session(forge, *world.MODELS)

    page = api.get("sessions").json()

    assert len(page["items"]) == 1
    assert [item["number"] for item in walk(api, "sessions")] == [3, 2, 1]


def test_a_finished_session_says_when_and_what_came_of_each_job(api, forge):
    result = world.result(forge, MODEL)

    found = api.get(f"sessions/{result.session}").json()

    assert (found["state"], found["counts"]["succeeded"]) == ("succeeded", 1)
    assert found["finished_at"] > found["created_at"]
    assert found["jobs"][0]["result"] == result.id


@pytest.mark.parametrize("path", ["sessions/ffffffffffffffffffffffff", "sessions/new", "sessions/%00"])
def test_a_session_that_is_not_there_is_not_found(api, database, path):
    problem(api.get(path), 404)


def test_cancel_ends_what_waits_and_tells_what_runs(api, forge):
    world.session(forge, *world.MODELS[:2])
    (offer,) = world.sync(forge).jobs
    world.acknowledge(forge, offer)

    found = api.post(f"sessions/{offer.session}/cancel").json()

    assert [job["state"] for job in found["jobs"]] == ["cancelling", "cancelled"]
    (cancellation,) = world.sync(forge, [world.hold(offer)], slots=0).cancel
    assert (cancellation.job, cancellation.reason) == (offer.job, "cancelled")


def test_cancel_again_changes_nothing(api, forge):
    session = world.session(forge, MODEL)
    first = api.post(f"sessions/{session.id}/cancel").json()

    again = api.post(f"sessions/{session.id}/cancel")

    assert again.status_code == 200
    assert again.json() == first
    assert first["state"] == "cancelled"


def test_retry_queues_what_failed_and_leaves_what_succeeded(api, forge):
    world.session(forge, *world.MODELS[:2])
    (bad,) = world.sync(forge).jobs
    world.acknowledge(forge, bad)
    fail(forge, bad)
    (good,) = world.sync(forge).jobs
    world.acknowledge(forge, good)
    world.deliver(forge, good)

    found = api.post(f"sessions/{bad.session}/retry").json()

    assert [job["state"] for job in found["jobs"]] == ["queued", "succeeded"]
    (again,) = world.sync(forge).jobs
    assert (again.job, again.attempt) == (bad.job, 2)


def test_retry_without_anything_to_retry_is_a_conflict(api, forge):
    session = world.session(forge, MODEL)

    problem(api.post(f"sessions/{session.id}/retry"), 409)

    assert sessions.find(str(session.id)).state == "queued"


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_changing_is_for_operators(forge, verb):
    session = world.session(forge, MODEL)

    problem(Api(Role.VIEWER).post(f"sessions/{session.id}/{verb}"), 403)

    assert sessions.find(str(session.id)).state == "queued"


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_changing_a_session_that_is_not_there_is_not_found(api, database, verb):
    problem(api.post(f"sessions/ffffffffffffffffffffffff/{verb}"), 404)


@pytest.mark.parametrize(
    "cursor", ["WzBd", "Wy0xXQ", "WzkyMjMzNzIwMzY4NTQ3NzU4MDhd", "WzEuMF0", "W3RydWVd", "WyIxIl0", "e30"]
)
def test_it_refuses_a_cursor_that_is_none(api, database, cursor):
    problem(api.get("sessions", cursor=cursor), 422, "cursor")
