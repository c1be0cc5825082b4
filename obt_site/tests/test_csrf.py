"""Every route that a browser can write to asks for the CSRF token; a new one that does not fails here."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

from benchmarks.api import api
from obt_site.access import Role
from obt_site.tests.people import person

pytestmark = pytest.mark.django_db

WRITES = ("post", "put", "patch", "delete")
STANDS_FOR = {"int": "1", "str": "0" * 24, "path": "x", "slug": "x", "uuid": "00000000-0000-0000-0000-000000000000"}
AGENT_PATHS = {
    "/api/v1/agent/register",
    "/api/v1/agent/credential",
    "/api/v1/agent/sync",
    f"/api/v1/agent/jobs/{STANDS_FOR['str']}/progress",
    f"/api/v1/agent/jobs/{STANDS_FOR['str']}/result",
}


def routes(resolver: URLResolver, before: str = "/") -> Iterator[tuple[str, URLPattern]]:
    """Every address, its parameters filled in, with its pattern."""
    for each in resolver.url_patterns:
        if not isinstance(each.pattern, RoutePattern):
            continue  # the admin's own catch-all, which only says 404
        address = before + filled(each.pattern)
        if isinstance(each, URLResolver):
            yield from routes(each, address)
        else:
            yield address, each


def filled(pattern: RoutePattern) -> str:
    text = str(pattern)
    for name, converter in pattern.converters.items():
        kind = type(converter).__name__.removesuffix("Converter").lower().replace("string", "str")
        text = text.replace(f"<{kind}:{name}>", STANDS_FOR[kind]).replace(f"<{name}>", STANDS_FOR["str"])
    assert "<" not in text, text
    return text


def is_exempt(pattern: URLPattern) -> bool:
    return bool(getattr(pattern.callback, "csrf_exempt", False))


def admin() -> Client:
    browser = Client(enforce_csrf_checks=True, raise_request_exception=False)
    browser.force_login(person("root", Role.ADMIN))
    return browser


def pages() -> list[str]:
    return [address for address, _ in routes(get_resolver()) if not address.startswith("/api/")]


def test_only_agents_who_have_no_browser_and_the_api_which_checks_itself_are_exempt():
    exempt = {address for address, pattern in routes(get_resolver()) if is_exempt(pattern)}

    assert {address for address in exempt if not address.startswith("/api/v1/")} == set()
    assert {address for address in exempt if "/agent/" in address} == AGENT_PATHS


def test_no_page_takes_a_write_of_a_signed_in_admin_without_the_token(database):
    browser, found = admin(), pages()

    let_through = [
        (method, address, status)
        for address in found
        for method in WRITES
        if (status := getattr(browser, method)(address).status_code) != 403
    ]

    assert len(found) > 40
    assert let_through == []


def test_no_call_of_the_api_takes_a_write_by_cookie_without_the_token(database):
    browser = admin()
    calls = [
        (method, path.replace("{", "").replace("}", ""))
        for path, methods in api.get_openapi_schema()["paths"].items()
        for method in methods
        if method in WRITES
    ]

    answers = {
        (method, path): getattr(browser, method)(path, "{}", content_type="application/json").status_code
        for method, path in calls
    }

    assert len(calls) > 5
    assert set(answers.values()) == {403}, answers


def test_a_write_with_the_token_of_another_site_s_page_is_refused_by_its_origin(database):
    browser = admin()
    browser.get("/settings")
    name = next(name for name in browser.cookies if name.startswith("obt_csrf"))
    token = browser.cookies[name].value

    foreign = browser.post("/sign-out", {"csrfmiddlewaretoken": token}, headers={"Origin": "https://evil.example"})
    own = browser.post("/sign-out", {"csrfmiddlewaretoken": token}, headers={"Origin": "http://testserver"})

    assert foreign.status_code == 403
    assert own.status_code == 302
