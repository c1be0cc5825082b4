"""Rate limits as a caller meets them: a real server with small limits, by HTTP."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from django.test import Client as Browser
from django.test import RequestFactory

from agents.tests.agent_calls import Machine
from benchmarks.tests import world
from conftest import emptied
from obt_site import limits, rates
from obt_site.access import Role
from obt_site.rate_table import BY_ADDRESS, BY_CALLER, Rate
from obt_site.tests.people import signed_in, words
from obt_site.tests.server import RunningServer
from obt_site.tokens import create_token

LONG = 9999  # seconds: no test lives to see a new window, but for the rare one that begins in its last moments
SMALL = f"agent_sync=3/{LONG},agent_progress=2/{LONG},api_read=4/{LONG},address.register=30/{LONG}"


@pytest.fixture(scope="module")
def server(database_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    uri = emptied(urlsplit(database_uri)._replace(path="/limited").geturl())
    folder: Path = tmp_path_factory.mktemp("limited")
    with RunningServer(uri, folder, OBT_RATE_LIMITS=SMALL) as running:
        yield running


@pytest.fixture
def forge(server: RunningServer) -> Machine:
    return Machine(server, "forge")


def test_every_answer_says_how_many_calls_are_left(forge):
    answers = [forge.sync(world.sync_request()) for _ in range(3)]

    assert [each.headers["RateLimit-Remaining"] for each in answers] == ["2", "1", "0"]
    assert answers[0].headers["RateLimit-Limit"] == "3"
    assert 0 < int(answers[0].headers["RateLimit-Reset"]) <= LONG


def test_one_call_too_many_is_a_429_that_says_how_long_to_wait(forge):
    for _ in range(3):
        forge.sync(world.sync_request())

    answer = forge.sync(world.sync_request())

    assert answer.status_code == 429
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:obt:error:too_many"
    assert 0 < int(answer.headers["Retry-After"]) <= LONG
    assert answer.headers["Retry-After"] == answer.headers["RateLimit-Reset"]
    assert "more than 3 calls" in answer.json()["detail"]


def test_one_machine_that_calls_too_often_is_no_other_machine_s_trouble(server, forge):
    for _ in range(5):
        forge.sync(world.sync_request())

    assert Machine(server, "anvil").sync(world.sync_request()).status_code == 200


def test_nobody_uses_up_a_machine_s_calls_by_naming_its_credential(server, forge):
    identity = forge.credential.split("_")[1]
    stranger = Machine(server, "stranger")
    stranger.credential = f"obta_{identity}_wrong"
    for _ in range(5):
        assert stranger.sync(world.sync_request()).status_code == 401

    assert forge.sync(world.sync_request()).status_code == 200


def test_a_token_has_its_calls_for_itself(server):
    def read(token: str) -> requests.Response:
        return requests.get(f"{server.url}/api/v1/clients", headers={"Authorization": f"Bearer {token}"}, timeout=30)

    one, two = (create_token(name, Role.VIEWER) for name in ("one", "two"))

    assert [read(one).status_code for _ in range(5)] == [200] * 4 + [429]
    assert read(two).headers["RateLimit-Remaining"] == "3"


def test_health_answers_are_not_counted(server):
    answer = requests.get(f"{server.url}/health/live", timeout=30)

    assert "RateLimit-Limit" not in answer.headers


def test_enrolment_is_limited_by_address(server):
    body = {"token": "obte_unknown-token", "hostname": "x", "agent_version": "0.1.0", "protocol": 1}
    statuses = [
        requests.post(f"{server.url}/api/v1/agent/register", json=body, timeout=30).status_code for _ in range(31)
    ]

    assert statuses[-1] == 429
    assert set(statuses) <= {401, 429}


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("get", "/fleet", "page_read"),
        ("post", "/sign-in", "page_write"),
        ("get", "/results.csv", "export"),
        ("get", "/results/x/samples.csv", "export"),
        ("get", "/api/v1/results", "api_read"),
        ("head", "/api/v1/results", "api_read"),
        ("post", "/api/v1/sessions", "api_write"),
        ("post", "/api/v1/agent/register", "register"),
        ("post", "/api/v1/agent/sync", "agent_sync"),
        ("post", "/api/v1/agent/jobs/x/progress", "agent_progress"),
        ("put", "/api/v1/agent/jobs/x/result", "agent_result"),
        ("get", "/static/css/base.css", ""),
        ("get", "/health/ready", ""),
    ],
)
def test_every_call_is_of_a_class(method, path, kind):
    found = limits.kind_of(getattr(RequestFactory(), method)(path))

    assert found == kind
    assert not kind or kind in BY_ADDRESS


def test_every_class_of_callers_has_a_limit_by_address_that_a_thousand_machines_do_not_reach():
    assert set(BY_CALLER) < set(BY_ADDRESS)
    assert BY_ADDRESS["agent_sync"].calls >= 1000 * 60  # six a minute each, ten times over
    assert BY_ADDRESS["agent_progress"].calls >= 1000 * 120


@pytest.fixture
def one_page(settings, monkeypatch) -> None:
    """Whoever reads a second page within a window is refused."""
    settings.RATES = {"page_read": Rate(1, LONG)}
    monkeypatch.setattr(rates, "_limiter", rates.Limiter())


@pytest.mark.django_db
@pytest.mark.usefixtures("database", "one_page")
def test_a_person_is_told_by_a_page():
    browser = signed_in()
    assert browser.get("/about").status_code == 200

    page = browser.get("/about")

    assert page.status_code == 429
    assert page.headers["Retry-After"]
    assert "more than 1 calls of this kind" in words(page)


@pytest.mark.django_db
@pytest.mark.usefixtures("database", "one_page")
def test_another_person_is_not():
    assert signed_in(name="jo").get("/about").status_code == 200
    assert signed_in(name="al").get("/about").status_code == 200


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
def test_a_stranger_is_counted_by_address(settings, monkeypatch):
    settings.RATES_BY_ADDRESS = {"page_read": Rate(2, LONG)}
    monkeypatch.setattr(rates, "_limiter", rates.Limiter())
    browser = Browser()

    statuses = [browser.get("/sign-in").status_code for _ in range(3)]

    assert statuses == [200, 200, 429]
