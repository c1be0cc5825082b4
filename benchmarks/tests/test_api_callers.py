"""Who gets into the user API: tokens and browser sessions, their roles, and CSRF."""

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.test import Client

from agents import verbs
from benchmarks.api import api
from benchmarks.documents import Session
from benchmarks.tests import world
from benchmarks.tests.api_calls import BASE, Api, problem
from obt_site.access import Role
from obt_site.tokens import ApiToken, create_token

pytestmark = pytest.mark.django_db
CSRF = "c" * 32


def person(role: str | None, username: str = "jo") -> User:
    user = User.objects.create_user(username, password="a long password 8")
    if role:
        user.groups.add(Group.objects.get_or_create(name=role)[0])
    return user


def browser(user: User) -> Client:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(user)
    return client


def routes() -> list[tuple[str, str, str]]:
    """(method, path, role) of every call, from the description of the API itself."""
    schema = api.get_openapi_schema(path_prefix=BASE)
    paths = schema["paths"].items()
    return [(method, path, one["x-role"]) for path, methods in paths for method, one in methods.items()]


def test_there_are_routes_to_test():
    assert len(routes()) > 16


@pytest.mark.parametrize(("method", "path", "role"), routes())
def test_a_stranger_gets_in_nowhere(database, method, path, role):
    response = Client().generic(method.upper(), path.replace("{", "").replace("}", ""))

    problem(response, 401)
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path", "role"), routes())
def test_each_role_reaches_what_is_open_to_it_and_nothing_more(database, method, path, role):
    for held in Role:
        headers = {"Authorization": f"Bearer {create_token(held.word, held)}"}
        response = Client().generic(method.upper(), path.replace("{", "").replace("}", ""), headers=headers)
        assert (response.status_code == 403) == (held < Role[role.upper()])


def test_reading_is_for_viewers_and_changing_is_not():
    """But for one's own tokens, and for who may enrol what and who changed what, which administrators see."""
    for method, path, role in routes():
        if not path.startswith((f"{BASE}tokens", f"{BASE}enrolment-tokens", f"{BASE}audit")):
            assert (method == "get") == (role == "viewer"), f"{method} {path} is open to {role}"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer obtu_",
        "Basic am86eA==",
        "obtu_1_2",
        "Bearer obtu_a_b\0",
        "Bearer é",
    ],
)
def test_a_header_that_is_no_token_is_refused(database, header):
    problem(Client().get(f"{BASE}clients", headers={"Authorization": header}), 401)


def test_a_wrong_secret_a_revoked_and_an_agents_credential_are_refused(database):
    good = create_token("script", Role.ADMIN)
    revoked = create_token("old", Role.ADMIN)
    ApiToken.objects(name="old").update_one(set__revoked_at=world.now())
    _, credential = world.register("forge")

    for text in (f"{good[:-1]}{'A' if good[-1] != 'A' else 'B'}", revoked, credential):
        problem(Client().get(f"{BASE}clients", headers={"Authorization": f"Bearer {text}"}), 401)
    assert Client().get(f"{BASE}clients", headers={"Authorization": f"bearer {good}"}).status_code == 200


def test_a_wrong_token_does_not_fall_back_to_the_browsers_session(database):
    client = browser(person("admin"))

    problem(client.get(f"{BASE}clients", headers={"Authorization": "Bearer obtu_x_y"}), 401)
    assert client.get(f"{BASE}clients").status_code == 200


def test_a_signed_in_person_reads_without_a_token(database):
    assert browser(person("viewer")).get(f"{BASE}sessions").status_code == 200


def test_a_person_without_a_role_gets_in_nowhere(database):
    problem(browser(person(None)).get(f"{BASE}sessions"), 403)


def test_a_person_who_was_locked_out_is_a_stranger(database):
    user = person("admin")
    client = browser(user)
    User.objects.filter(pk=user.pk).update(is_active=False)

    problem(client.get(f"{BASE}sessions"), 401)


def test_a_browser_changes_nothing_without_the_csrf_token(database):
    forge = world.machine("forge")
    client = browser(person("operator"))
    body = {"targets": [{"client": str(forge.id), "model": world.MODELS[0]}]}

    problem(client.post(f"{BASE}sessions", body, "application/json"), 403)
    assert Session.objects.count() == 0

    client.cookies[settings.CSRF_COOKIE_NAME] = CSRF
    problem(client.post(f"{BASE}sessions", body, "application/json", headers={"X-CSRFToken": "d" * 32}), 403)
    assert Session.objects.count() == 0

    response = client.post(f"{BASE}sessions", body, "application/json", headers={"X-CSRFToken": CSRF})
    assert response.status_code == 201
    assert response.json()["created_by"] == "jo"


def test_a_browser_needs_the_role_as_a_token_does(database):
    forge = world.machine("forge")
    client = browser(person("operator"))
    client.cookies[settings.CSRF_COOKIE_NAME] = CSRF

    response = client.patch(
        f"{BASE}clients/{forge.id}", {"paused": True}, "application/json", headers={"X-CSRFToken": CSRF}
    )

    problem(response, 403)
    assert verbs.find(str(forge.id)).paused is False


def test_a_token_needs_no_csrf_token(database):
    forge = world.machine("forge")
    client = Client(enforce_csrf_checks=True)
    headers = {"Authorization": f"Bearer {create_token('script', Role.OPERATOR)}"}
    body = {"targets": [{"client": str(forge.id), "model": world.MODELS[0]}]}

    assert client.post(f"{BASE}sessions", body, "application/json", headers=headers).status_code == 201


def test_user_tokens_do_not_open_the_agents_paths(database):
    token = Api(Role.ADMIN)

    problem(token.post("agent/sync", {}), 401)
