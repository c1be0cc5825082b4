"""GET and POST tokens, DELETE tokens/{id}."""

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.test import Client

from benchmarks.tests.api_calls import BASE, Api, problem
from obt_site.access import Role
from obt_site.tests.people import person, signed_in
from obt_site.tokens import ApiToken, create_token

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("database")]


class Script(Api):
    """Calls with a text that is there already."""

    def __init__(self, text):
        self.client = Client(raise_request_exception=False)
        self.headers = {"Authorization": f"Bearer {text}"}


def script_of(name, role, made_for=None):
    return Script(create_token(f"of {name}", made_for or role, person(name, role)))


def test_a_new_token_is_told_once_and_opens_what_it_says():
    jo = script_of("jo", Role.OPERATOR)

    made = jo.post("tokens", {"name": "dashboard", "role": "viewer", "days": 7})

    assert made.status_code == 201
    body = made.json()
    assert (body["name"], body["role"], body["user"], body["state"]) == ("dashboard", "viewer", "jo", "works")
    assert body["token"].startswith(f"obtu_{body['id']}_")
    new = Script(body["token"])
    assert new.get("clients").status_code == 200
    problem(new.post("sessions", {"targets": []}), 403)
    assert body["token"] not in jo.get("tokens").content.decode()


def test_without_more_it_reads_for_ninety_days():
    body = script_of("jo", Role.OPERATOR).post("tokens", {"name": "dashboard"}).json()
    token = ApiToken.objects.get(id=body["id"])

    assert body["role"] == "viewer"
    assert (token.expires_at - token.created_at).days == 90
    assert script_of("al", Role.VIEWER).post("tokens", {"name": "a", "days": None}).json()["expires_at"] is None


@pytest.mark.parametrize("role", ["operator", "admin"])
def test_a_role_above_the_callers_is_refused(role):
    problem(script_of("jo", Role.VIEWER).post("tokens", {"name": "more", "role": role}), 403)
    problem(script_of("ann", Role.ADMIN, Role.VIEWER).post("tokens", {"name": "more", "role": role}), 403)
    assert ApiToken.objects(name="more").count() == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a", "role": "root"}, "role"),
        ({"name": "a", "days": 0}, "days"),
        ({"name": "a", "days": "7"}, "days"),
        ({"name": "a", "days": 10**9}, "days"),
        ({"name": "a", "user": "ann"}, "user"),
        ({"name": "a", "secret_hash": "x"}, "secret_hash"),
    ],
)
def test_what_makes_no_token_is_said_by_its_field(body, field):
    jo = script_of("jo", Role.OPERATOR)

    problem(jo.post("tokens", body), 422, field)
    assert ApiToken.objects.count() == 1


def test_each_sees_their_own_and_an_administrator_all():
    jo, al, ann = script_of("jo", Role.OPERATOR), script_of("al", Role.VIEWER), script_of("ann", Role.ADMIN)

    assert [item["user"] for item in jo.get("tokens").json()["items"]] == ["jo"]
    assert [item["user"] for item in al.get("tokens").json()["items"]] == ["al"]
    assert {item["user"] for item in ann.get("tokens").json()["items"]} == {"jo", "al", "ann"}
    assert "secret" not in ann.get("tokens").content.decode()


def test_the_list_is_walked_in_pages_that_new_ones_do_not_disturb():
    jo = script_of("jo", Role.VIEWER)
    for number in range(5):
        jo.post("tokens", {"name": f"t{number}"})
    first = jo.get("tokens", limit=2).json()
    jo.post("tokens", {"name": "new"})

    second = jo.get("tokens", limit=2, cursor=first["next"]).json()
    third = jo.get("tokens", limit=2, cursor=second["next"]).json()

    names = [item["name"] for page in (first, second, third) for item in page["items"]]
    assert third["next"] is None
    assert names == ["t4", "t3", "t2", "t1", "t0", "of jo"]
    problem(jo.get("tokens", cursor="x"), 422, "cursor")


def test_an_ended_token_opens_nothing_at_once():
    jo = script_of("jo", Role.VIEWER)
    made = jo.post("tokens", {"name": "a"}).json()

    assert jo.send("delete", f"tokens/{made['id']}").status_code == 204

    problem(Script(made["token"]).get("clients"), 401)
    assert jo.send("delete", f"tokens/{made['id']}").status_code == 204
    assert [item["state"] for item in jo.get("tokens").json()["items"]] == ["revoked", "works"]


def test_another_persons_token_is_not_there_but_for_an_administrator():
    jo, al, ann = script_of("jo", Role.OPERATOR), script_of("al", Role.VIEWER), script_of("ann", Role.ADMIN)
    made = jo.post("tokens", {"name": "a"}).json()

    problem(al.send("delete", f"tokens/{made['id']}"), 404)
    problem(ann.send("delete", "tokens/00000000"), 404)
    assert jo.get("tokens").json()["items"][0]["state"] == "works"
    assert ann.send("delete", f"tokens/{made['id']}").status_code == 204


def test_a_browser_makes_one_with_its_csrf_token_and_not_without():
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(person("jo", Role.VIEWER))

    problem(browser.post(f"{BASE}tokens", {"name": "a"}, "application/json"), 403)
    browser.cookies[settings.CSRF_COOKIE_NAME] = "c" * 32
    made = browser.post(f"{BASE}tokens", {"name": "a"}, "application/json", headers={"X-CSRFToken": "c" * 32})

    assert (made.status_code, made.json()["user"]) == (201, "jo")


def test_a_person_who_is_lowered_or_locked_out_takes_their_tokens_along():
    user = person("jo", Role.OPERATOR)
    script = Script(create_token("script", Role.OPERATOR, user))
    problem(script.post("sessions", {}), 422)

    user.groups.set([Group.objects.get_or_create(name="viewer")[0]])
    problem(script.post("sessions", {}), 403)
    user.is_active = False
    user.save()
    problem(script.get("clients"), 401)


def test_a_stranger_makes_none():
    problem(Api(None).post("tokens", {"name": "a"}), 401)
    problem(signed_in(None).get(f"{BASE}tokens"), 403)
