"""Cursors: lists that change while they are walked through, and cursors that are none."""

import base64
import json

import pytest

from agents import removal, verbs
from benchmarks.documents import Result, Session
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api, problem

pytestmark = pytest.mark.django_db
LISTS = ["clients", "models", "sessions", "results", "events"]


@pytest.fixture
def api(database):
    return Api()


def encoded(keys):
    return base64.urlsafe_b64encode(json.dumps(keys).encode()).decode().rstrip("=")


NO_CURSORS = [
    "x",
    "%%%",
    "",
    "ü",
    "=" * 40,
    "A" * 1001,
    encoded({}),
    encoded([]),
    encoded([1, 2, 3, 4]),
    encoded([{"$gt": ""}]),
    encoded([True]),
    encoded([None]),
    encoded([10**30]),
    encoded([-1]),
    encoded([0]),
    encoded([1.5]),
    encoded(["\ud800"]),
    "W" * 999,
]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("cursor", NO_CURSORS)
def test_what_is_no_cursor_is_refused_with_a_sentence(api, name, cursor):
    body = problem(api.get(name, cursor=cursor), 422, "cursor")

    assert body["detail"].endswith(".")


def test_a_cursor_of_another_list_is_refused(api):
    for i in range(2):
        world.machine(f"m{i}")
    cursor = api.get("clients", limit=1).json()["next"]

    for name in ("models", "sessions", "results", "events"):
        problem(api.get(name, cursor=cursor), 422, "cursor")


def names(page):
    return [item["name"] for item in page["items"]]


def test_machines_that_come_and_go_between_pages_are_neither_skipped_nor_told_twice(api):
    for name in ("b", "d", "f", "h"):
        world.machine(name)
    first = api.get("clients", limit=2).json()
    assert names(first) == ["b", "d"]

    world.machine("a")  # before the page that was read
    world.machine("g")  # behind it
    removal.remove(verbs.find(first["items"][1]["id"]), "jo")  # the very one the cursor stands at

    second = api.get("clients", limit=2, cursor=first["next"]).json()
    third = api.get("clients", limit=2, cursor=second["next"]).json()
    assert names(second) + names(third) == ["f", "g", "h"]
    assert third["next"] is None


def test_models_that_come_and_go_between_pages_are_neither_skipped_nor_told_twice(api):
    forge = world.machine("forge", models=["b:1", "d:1", "f:1"])
    first = api.get("models", limit=1).json()

    world.machine("atlas", models=["a:1", "c:1"])
    removal.remove(forge, "jo")
    second = api.get("models", limit=5, cursor=first["next"]).json()

    assert (names(first), names(second)) == (["b:1"], ["c:1"])


def test_sessions_that_are_started_between_pages_are_not_on_later_ones(api):
    forge = world.machine("forge")
    old = [str(world.session(forge, world.MODELS[0]).id) for _ in range(4)]
    first = api.get("sessions", limit=2).json()

    world.session(forge, world.MODELS[0])
    Session.objects(id=first["items"][1]["id"]).delete()
    second = api.get("sessions", limit=2, cursor=first["next"]).json()

    told = [item["id"] for page in (first, second) for item in page["items"]]
    assert told == list(reversed(old))


def test_results_that_arrive_between_pages_are_not_on_later_ones(api):
    forge = world.machine("forge")
    old = [world.result(forge).id for _ in range(3)]
    first = api.get("results", limit=1).json()

    world.result(forge)
    Result.objects(id=first["items"][0]["id"]).delete()
    second = api.get("results", limit=5, cursor=first["next"]).json()

    assert [item["id"] for item in second["items"]] == [old[1], old[0]]


def test_events_that_happen_between_pages_are_not_on_later_ones(api):
    for i in range(3):
        world.machine(f"m{i}")
    first = api.get("events", limit=1).json()

    world.machine("m9")
    second = api.get("events", limit=50, cursor=first["next"]).json()

    told = [item["number"] for page in (first, second) for item in page["items"]]
    assert told == list(range(told[0], 0, -1))
