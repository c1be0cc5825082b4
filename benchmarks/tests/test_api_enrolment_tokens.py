"""GET and POST enrolment-tokens, DELETE enrolment-tokens/{id}."""

import pytest

from agent.obt_agent import contract
from agents import enrolment, verbs
from agents.documents import EnrolmentToken
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api, problem, walk
from obt_site.access import Role
from obt_site.audit import AuditEntry
from obt_site.errors import Unauthenticated

pytestmark = pytest.mark.django_db
NOBODY = "6b02d6a12eea9e1e74c2adf2"


@pytest.fixture
def api(database):
    return Api(Role.ADMIN, "ops")


def register(text):
    return enrolment.register(contract.RegisterRequest(text, "forge.lan", "0.1.0", contract.PROTOCOL))


def test_a_script_enrols_a_machine_by_name_with_labels(api):
    made = api.post("enrolment-tokens", {"name": "Forge", "labels": ["lab"]})

    assert made.status_code == 201
    body = made.json()
    assert (body["state"], body["created_by"], body["client"]) == ("open", "ops", None)
    client = verbs.find(register(body["token"]).client)
    assert (client.name, list(client.labels)) == ("Forge", ["lab"])
    (listed,) = api.get("enrolment-tokens").json()["items"]
    assert (listed["state"], listed["client"], listed["id"]) == ("used", str(client.id), body["id"])


def test_its_text_is_told_once(api):
    text = api.post("enrolment-tokens", {}).json()["token"]

    everything = api.get("enrolment-tokens").content.decode() + EnrolmentToken.objects.to_json()

    assert text not in everything
    assert text not in AuditEntry.objects.to_json()


def test_one_for_a_machine_enrols_that_machine_again(api):
    forge = world.machine("forge")

    made = api.post("enrolment-tokens", {"for_client": str(forge.id)}).json()

    assert made["for_client"] == str(forge.id)
    assert register(made["token"]).client == str(forge.id)
    problem(api.post("enrolment-tokens", {"for_client": NOBODY}), 404)


def test_one_that_is_ended_enrols_nothing_and_ending_it_again_changes_nothing(api):
    made = api.post("enrolment-tokens", {}).json()

    answers = [api.send("delete", f"enrolment-tokens/{made['id']}").status_code for _ in range(2)]

    assert answers == [204, 204]
    with pytest.raises(Unauthenticated, match="was revoked"):
        register(made["token"])
    entry = AuditEntry.objects(action="enrolment.revoke").get()
    assert (entry.actor_kind, entry.actor_name) == ("token", "ops")


def test_one_that_was_used_cannot_be_ended_and_one_that_is_not_there_is_not_found(api):
    made = api.post("enrolment-tokens", {}).json()
    register(made["token"])

    problem(api.send("delete", f"enrolment-tokens/{made['id']}"), 409)
    problem(api.send("delete", "enrolment-tokens/feed"), 404)
    problem(api.send("delete", f"enrolment-tokens/{made['token']}"), 404)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"labels": ["x" * 61]}, "labels.0"),
        ({"labels": ["x"] * 21}, "labels"),
        ({"for_client": "forge"}, "for_client"),
        ({"for_client": {"$ne": ""}}, "for_client"),
        ({"expires_at": "2099-01-01T00:00:00Z"}, "expires_at"),
    ],
)
def test_what_makes_no_token_is_said_by_its_field(api, body, field):
    problem(api.post("enrolment-tokens", body), 422, field)
    assert EnrolmentToken.objects.count() == 0


def test_the_list_is_walked_in_pages(api):
    for number in range(5):
        api.post("enrolment-tokens", {"name": f"m{number}"})

    assert [item["name"] for item in walk(api, "enrolment-tokens", limit=2)] == ["m4", "m3", "m2", "m1", "m0"]


@pytest.mark.parametrize("role", [None, Role.VIEWER, Role.OPERATOR])
def test_only_administrators_see_make_or_end_one(database, role):
    status = 401 if role is None else 403
    caller = Api(role)

    problem(caller.get("enrolment-tokens"), status)
    problem(caller.post("enrolment-tokens", {}), status)
    problem(caller.send("delete", "enrolment-tokens/feed"), status)
