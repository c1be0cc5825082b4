"""GET audit: who changed what, for administrators, page by page."""

from datetime import timedelta

import pytest

from agents import verbs
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api, problem, walk
from obt_site import actor, audit
from obt_site.access import Role
from obt_site.clock import now, rfc3339

pytestmark = pytest.mark.django_db
JO = actor.Actor(actor.PERSON, "jo", "1", "192.0.2.1")


@pytest.fixture
def api(database):
    return Api(Role.ADMIN)


def words(api, **query):
    return [item["words"] for item in walk(api, "audit", **query)]


def test_an_entry_says_who_what_and_what_differs(api):
    forge = world.machine("forge")
    with actor.acting(JO):
        verbs.rename(forge, "anvil")

    (found,) = api.get("audit", action="machine.rename").json()["items"]

    assert found["actor"] == {"kind": "person", "name": "jo", "id": "1", "address": "192.0.2.1"}
    assert found["about"] == {"kind": "machine", "id": str(forge.id), "name": "anvil"}
    assert (found["before"], found["after"]) == ({"name": "forge"}, {"name": "anvil"})
    assert found["undoes"] is None


def test_pages_hold_every_entry_once_while_others_are_written(api):
    for i in range(7):
        audit.record("data.try", f"change {i}", by=JO)

    first = api.get("audit", limit=3, action="data.try").json()
    audit.record("data.try", "later", by=JO)
    second = api.get("audit", limit=3, action="data.try", cursor=first["next"]).json()
    last = api.get("audit", limit=3, action="data.try", cursor=second["next"]).json()
    rest = [*second["items"], *last["items"]]

    assert [item["words"] for item in first["items"]] == ["change 6", "change 5", "change 4"]
    assert [item["words"] for item in rest] == ["change 3", "change 2", "change 1", "change 0"]
    assert last["next"] is None


@pytest.mark.parametrize(
    "query", [{"actor": "jo"}, {"actor_kind": "person"}, {"action": "data.mine"}, {"kind": "result"}, {"about": "r-1"},
              {"text": "MINE"}],
)  # fmt: skip
def test_it_narrows(api, query):
    audit.record("data.mine", "mine", about=("result", "r-1", "a result"), by=JO)
    audit.record("data.other", "other", by=actor.Actor(actor.COMMAND, "root: manage.py demo"))

    assert words(api, **query) == ["mine"]


def test_it_narrows_by_time(api):
    audit.record("data.try", "now", by=JO)
    later = rfc3339(now() + timedelta(minutes=1))

    assert words(api, action="data.try", until=later) == ["now"]
    assert words(api, action="data.try", since=later) == []


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_it_is_for_administrators(database, role):
    problem(Api(role).get("audit"), 403)


@pytest.mark.parametrize(
    ("name", "value"), [("actor_kind", "robot"), ("since", "ever"), ("cursor", "x"), ("what", "x")]
)
def test_what_makes_no_sense_is_refused(api, name, value):
    problem(api.get("audit", **{name: value}), 422, name)
