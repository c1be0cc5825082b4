"""CORS: closed unless OBT_CORS_ORIGINS lists an origin, then the user API only, and by token only."""

import pytest
from django.test import Client

from obt_site.access import Role, create_token
from obt_site.tests.people import signed_in

pytestmark = pytest.mark.django_db

DASH = "https://dash.example"
CALL = "/api/v1/results"
PREFLIGHT = {"Origin": DASH, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


@pytest.fixture
def open_to_dash(database, settings):
    settings.CORS_ORIGINS = (DASH,)


def allowed(answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("Access-Control-")}


def bearer() -> str:
    return f"Bearer {create_token('dashboard', Role.VIEWER)}"


def test_without_a_list_no_answer_lets_another_page_read_it(database):
    preflight = Client().options(CALL, headers=PREFLIGHT)
    call = Client().get(CALL, headers={"Origin": DASH, "Authorization": bearer()})

    assert call.status_code == 200
    assert allowed(preflight) == allowed(call) == {}
    assert "Origin" not in call.headers.get("Vary", "")


def test_a_listed_origin_may_ask_first_and_then_call_with_a_token(open_to_dash):
    preflight = Client().options(CALL, headers=PREFLIGHT)
    call = Client().get(CALL, headers={"Origin": DASH, "Authorization": bearer()})

    assert preflight.status_code == 204
    assert allowed(preflight)["Access-Control-Allow-Origin"] == DASH
    assert "Authorization" in allowed(preflight)["Access-Control-Allow-Headers"]
    assert call.status_code == 200
    assert allowed(call)["Access-Control-Allow-Origin"] == DASH
    assert "X-Request-ID" in allowed(call)["Access-Control-Expose-Headers"]


def test_every_answer_of_the_api_varies_by_origin_so_that_no_cache_mixes_them(open_to_dash):
    for headers in ({}, {"Origin": DASH}, {"Origin": "https://evil.example"}):
        assert "Origin" in Client().get(CALL, headers=headers).headers["Vary"]


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://dash.example", "https://dash.example:444", "null", "https://dash.example.evil"],
)
def test_an_origin_that_is_not_listed_gets_nothing(open_to_dash, origin):
    headers = {**PREFLIGHT, "Origin": origin}

    assert allowed(Client().options(CALL, headers=headers)) == {}
    assert allowed(Client().get(CALL, headers={"Origin": origin, "Authorization": bearer()})) == {}


def test_a_cookie_from_a_listed_page_does_not_count_and_is_never_asked_for(open_to_dash):
    browser = signed_in(Role.ADMIN)

    assert browser.get(CALL).status_code == 200
    by_page = browser.get(CALL, headers={"Origin": DASH})

    assert by_page.status_code == 401
    assert "Access-Control-Allow-Credentials" not in by_page.headers


@pytest.mark.parametrize(
    "path", ["/api/v1/agent/sync", "/sign-in", "/fleet", "/health/live", "/results.csv", "/static/x"]
)
def test_agents_pages_and_everything_else_stay_closed(open_to_dash, path):
    assert allowed(Client().options(path, headers=PREFLIGHT)) == {}
    assert allowed(Client().get(path, headers={"Origin": DASH})) == {}


def test_our_own_pages_go_on_by_cookie_even_when_someone_listed_them(open_to_dash, settings):
    settings.CORS_ORIGINS = ("http://testserver",)

    own = {"Origin": "http://testserver", "Host": "testserver"}

    assert signed_in(Role.VIEWER).get(CALL, headers=own).status_code == 200
