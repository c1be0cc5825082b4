"""Agents' paths take agents' credentials alone, people's paths people's: every route with every wrong key."""

import json
from typing import Any

import pytest
from django.test import Client as Browser
from django.test import override_settings

from agent.obt_agent import contract, wire
from agents import enrolment, verbs
from agents.documents import Client, EnrolmentToken
from benchmarks.api import api
from benchmarks.tests import world
from obt_site import urls
from obt_site.access import Role
from obt_site.tests.people import signed_in
from obt_site.tokens import create_token

pytestmark = pytest.mark.django_db
PREFIX = "/api/v1/agent/"
NOBODY = "6b02d6a12eea9e1e74c2adf2"


@pytest.fixture
def forge(database):
    return world.register("forge")


def bodies(offer: contract.JobOffer | None) -> dict[str, tuple[str, Any]]:
    """Of each agent route but registration: its method and a body that fits."""
    job, attempt, lease = (offer.job, offer.attempt, offer.lease) if offer else (NOBODY, 1, "0" * 32)
    return {
        "sync": ("POST", world.sync_request()),
        "credential": ("POST", contract.CredentialRequest("boot-1")),
        f"jobs/{job}/progress": ("POST", contract.ProgressRequest(attempt, lease, [contract.Event(2, "live", 1.0)])),
        f"jobs/{job}/result": ("PUT", contract.ResultBody(attempt, lease, "succeeded", 1.0)),
    }


def send(browser: Browser, method: str, path: str, body: Any, key: str | None) -> Any:
    headers = {"Authorization": key} if key is not None else {}
    return browser.generic(method, PREFIX + path, wire.dumps(body), "application/json", headers=headers)


def wrong_keys(credential: str) -> dict[str, str | None]:
    """What is not this server's credential of an agent."""
    with override_settings(SECRET_KEY="the key of another server"):
        _, of_another = world.register("elsewhere")
    token, _ = enrolment.create_token()
    used = EnrolmentToken.objects(client__ne=None).first().id
    changed = credential[:-1] + ("A" if credential[-1] != "A" else "B")
    stored = Client.objects(name="forge").get()
    return {
        "nothing": None,
        "an empty header": "",
        "no scheme": credential,
        "another scheme": f"Basic {credential}",
        "a user API token": f"Bearer {create_token('script', Role.ADMIN)}",
        "an enrolment token": f"Bearer {token}",
        "a used enrolment token's id": f"Bearer {used}",
        "another server's credential": f"Bearer {of_another}",
        "another secret": f"Bearer {changed}",
        "only the id": f"Bearer {credential.rsplit('_', 1)[0]}_",
        "the stored hash": f"Bearer obta_{stored.credential_id}_{stored.credential_hash}",
    }


def snapshot() -> str:
    return str(Client.objects.order_by("name").to_json())


def test_every_agent_route_is_in_these_tests():
    known = {"register", *(path.replace(NOBODY, "<str:job_id>") for path in bodies(None))}

    assert {f"api/v1/agent/{path}" for path in known} == {str(route.pattern) for route in urls.agent_urls}


def test_no_agent_route_takes_anything_but_an_agents_credential(forge):
    _, credential = forge
    keys = wrong_keys(credential)
    browsers = {"nobody": Browser(), "an administrator": signed_in(Role.ADMIN)}
    before = snapshot()

    answers = {
        (path, name, who): send(browser, method, path, body, key).status_code
        for path, (method, body) in bodies(None).items()
        for name, key in keys.items()
        for who, browser in browsers.items()
    }

    assert {case: status for case, status in answers.items() if status != 401} == {}
    assert snapshot() == before


def test_with_the_credential_the_same_calls_are_answered(forge):
    _, credential = forge

    for path, (method, body) in bodies(None).items():
        assert send(Browser(), method, path, body, f"Bearer {credential}").status_code in (200, 201, 404), path


def test_registration_takes_an_enrolment_token_in_its_body_and_nothing_else(forge):
    _, credential = forge
    script = create_token("script", Role.ADMIN)
    browser = signed_in(Role.ADMIN)

    def status(token: str, key: str | None = None) -> int:
        body = contract.RegisterRequest(token, "box", "0.1.0", contract.PROTOCOL)
        return int(send(browser, "POST", "register", body, key).status_code)

    assert status(credential) == 401
    assert status(script) == 401
    assert status("obte_nobody-made-this", f"Bearer {credential}") == 401
    assert Client.objects.count() == 1


def user_routes() -> list[tuple[str, str]]:
    paths = api.get_openapi_schema(path_prefix="/api/v1/")["paths"].items()
    return [(method.upper(), path) for path, methods in paths for method in methods]


def test_no_route_of_the_user_api_takes_a_key_of_machines(forge):
    """Nor does one fall back to the cookies of an administrator that come with it."""
    _, credential = forge
    token, _ = enrolment.create_token()
    keys = (credential, token, "obtu_00000000_" + credential.split("_", 2)[2])
    browsers = (Browser(), signed_in(Role.ADMIN))
    routes = user_routes()

    answers = {
        (method, path, key[:5], position): browser.generic(
            method, path.replace("{", "").replace("}", ""), headers={"Authorization": f"Bearer {key}"}
        ).status_code
        for method, path in routes
        for key in keys
        for position, browser in enumerate(browsers)
    }

    assert len(routes) > 20
    assert {case: status for case, status in answers.items() if status != 401} == {}


@pytest.mark.parametrize("page", ["/", "/fleet", "/machines/add", "/results", "/settings", "/settings/tokens"])
def test_no_page_takes_a_key_at_all(forge, page):
    keys = (forge[1], enrolment.create_token()[0], create_token("script", Role.ADMIN))

    answers = [Browser().get(page, headers={"Authorization": f"Bearer {key}"}) for key in keys]

    assert [answer.status_code for answer in answers] == [302, 302, 302]
    assert all(answer["Location"].startswith("/sign-in") for answer in answers)


# -- one machine and another -----------------------------------------------------------------------------------------


def test_no_agent_reads_or_writes_anything_of_another(database):
    """Every agent route, called by atlas with all that is forge's: its jobs, leases, attempts, and starts."""
    forge = world.machine("forge")
    done = world.result(forge)
    offer = world.running(verbs.find(str(forge.id)), world.MODELS[1])
    _, credential = world.register("atlas")
    key = f"Bearer {credential}"
    before = _all_of(forge)

    for job in (offer.job, str(done.job)):
        whole = world.body(contract.JobOffer(**{**offer.__dict__, "job": job}))
        calls = {
            f"jobs/{job}/progress": (
                "POST",
                contract.ProgressRequest(offer.attempt, offer.lease, [contract.Event(9, "released", 1.0)]),
            ),
            f"jobs/{job}/result": ("PUT", whole),
        }
        for path, (method, body) in calls.items():
            answer = send(Browser(), method, path, body, key)
            assert answer.status_code == 404
            assert answer.json()["detail"] == "This machine has no such job."
    holding = [world.hold(offer), contract.Holding(str(done.job), 1, offer.lease)]
    told = send(Browser(), "POST", "sync", world.sync_request(holding=holding, slots=1), key).json()
    renewed = send(Browser(), "POST", "credential", contract.CredentialRequest("boot-1"), key).json()["credential"]
    send(Browser(), "POST", "sync", world.sync_request(), f"Bearer {renewed}")

    assert told["jobs"] == []
    assert {each["reason"] for each in told["cancel"]} == {"stale"}  # "not yours": nothing of the job is in it
    assert "forge" not in json.dumps(told).replace(offer.lease, "")
    assert _all_of(forge) == before


def _all_of(client: Client) -> dict[str, str]:
    """Everything that is stored of a machine, in all collections, as it is."""
    from obt_site import mongo

    found = {}
    for name in mongo.database().list_collection_names():
        documents = mongo.database()[name].find()
        mine = [each for each in documents if client.id in (each.get("_id"), each.get("client"))]
        found[name] = repr(sorted(mine, key=repr))
    return found
