"""GET events."""

import pytest

from agents import removal
from benchmarks import sessions
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api, problem, walk
from obt_site.clock import now, rfc3339

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(database):
    return Api()


@pytest.fixture
def forge(database):
    return world.machine("forge")


def kinds(items):
    return [item["kind"] for item in items]


def test_it_tells_what_happened_newest_first(api, forge):
    session = world.session(forge)

    newest, *older = api.get("events").json()["items"]

    assert (newest["kind"], newest["session"]) == ("session_started", str(session.id))
    assert "was started by jo" in newest["words"]
    assert "machine_registered" in kinds(older)
    assert [newest["number"], *(item["number"] for item in older)] == sorted(
        [newest["number"], *(item["number"] for item in older)], reverse=True
    )


def test_it_is_filtered_by_machine_kind_and_time(api, forge):
    world.machine("atlas")
    sessions.cancel(world.session(forge))

    assert {item["client_name"] for item in api.get("events", client=str(forge.id)).json()["items"]} == {"forge"}
    assert kinds(api.get("events", kind="session_cancelled").json()["items"]) == ["session_cancelled"]
    assert api.get("events", since=rfc3339(now())).json() == {"items": [], "next": None}


def test_a_removed_machine_is_still_told_of(api, forge):
    removal.remove(forge, "jo")

    assert "machine_removed" in kinds(api.get("events", client=str(forge.id)).json()["items"])


def test_it_is_walked_through_in_pages(api, forge):
    for _ in range(3):
        sessions.cancel(world.session(forge))

    assert walk(api, "events", limit=2) == api.get("events", limit=200).json()["items"]


@pytest.mark.parametrize(("name", "value"), [("kind", "nonsense"), ("client", "x"), ("since", "yesterday")])
def test_a_filter_that_makes_no_sense_is_refused(api, name, value):
    problem(api.get("events", **{name: value}), 422, name)
