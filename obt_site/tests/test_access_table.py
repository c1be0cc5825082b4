"""docs/access.md, held against the running routes: every address × every role × everybody else, really asked."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from agent.obt_agent import contract, wire
from obt_site.tests.access_world import ANY, ROLES, TABLE, WEBSOCKET, World, plain

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ADMINISTRATION, API = "/admin/", "/api/v1/"
PAGES_OF_THE_API = ("/api/v1/docs",)  # a page as others are: tokens do not open it
ROUTES = sorted({route for route, method in TABLE if method != WEBSOCKET})


def patterns(parts: object = None, before: str = "/") -> Iterator[str]:
    """Every route of Django's resolver, ninja's and the administration's too."""
    for part in get_resolver().url_patterns if parts is None else parts:  # type: ignore[attr-defined]
        if isinstance(part, URLResolver):
            yield from patterns(part.url_patterns, before + str(part.pattern))
        else:
            assert isinstance(part, URLPattern)
            yield before + plain(str(part.pattern))


def line_of(route: str) -> str:
    """The table's line for a route: one stands for the whole administration."""
    return ADMINISTRATION if route.startswith(ADMINISTRATION) and route not in ROUTES else route


def test_every_route_has_a_line_and_every_line_a_route():
    assert {line_of(route) for route in patterns()} == set(ROUTES)


def test_the_table_says_something_about_each():
    assert len(TABLE) > 90
    assert {word for cells in TABLE.values() for word in cells.values()} == {"yes", "sign-in", "401", "403", "404"}


# -- asking --------------------------------------------------------------------------------------------------------


def ask(browser: Client, method: str, route: str, path: str) -> str:
    """How the server answers, in the table's words."""
    if route.startswith(API):
        return word_for(browser.generic(method, path, body_of(route), "application/json"), browser)
    return word_for(browser.generic(method, path, b"", "application/x-www-form-urlencoded"), browser)


def body_of(route: str) -> bytes:
    if route.endswith("/register"):
        return bytes(wire.dumps(contract.RegisterRequest("no such token", "x", "0.1.0", contract.PROTOCOL)))
    return b"{}"


def word_for(answer, browser: Client) -> str:
    for _ in range(5):  # the administration sends within itself until somebody may see something
        if answer.status_code == 302 and answer.url.startswith(ADMINISTRATION):
            answer = browser.get(answer.url)
    assert answer.status_code < 500, answer.content[:500]
    if answer.status_code == 302 and answer.url.startswith("/sign-in"):
        return "sign-in"
    return str(answer.status_code) if answer.status_code in (401, 403, 404, 405) else "yes"


def addresses(route: str) -> list[str]:
    """What stands behind a line: the route itself, or all that is below the administration."""
    if route != ADMINISTRATION:
        return [route]
    below = {one for one in patterns() if line_of(one) == route}
    return sorted(below - {"/admin/autocomplete/"})  # 403 to whoever does not ask as one of its forms does


@pytest.mark.django_db
@pytest.mark.parametrize("route", ROUTES)
def test_the_server_answers_everybody_as_the_table_says(database, route, settings):
    small = World()
    wrong = []
    for method in METHODS:
        expected = TABLE.get((route, method)) or TABLE.get((route, ANY))
        if expected is None:
            continue
        for column in ("Signed out", "Agent", "Public read", *ROLES):
            settings.PUBLIC_READ = column == "Public read"
            for address in addresses(route):
                askers = [small.browser(column)]
                if column in ROLES and route.startswith(API) and route not in PAGES_OF_THE_API:
                    askers.append(small.script(column))
                for asker in askers:
                    got = ask(asker, method, route, small.path(address, column))
                    if route == ADMINISTRATION and expected[column] == "yes" and got in ("404", "405"):
                        got = "yes"  # nothing was refused for who asked
                    if got == "404" and (method, expected[column]) == ("DELETE", "yes") and asker is not askers[0]:
                        got = "yes"  # the same person's cookie removed it just now
                    if got != expected[column]:
                        wrong.append(f"{method} {address} as {column}: {got}, not {expected[column]}")
    assert wrong == []


@pytest.mark.django_db
@pytest.mark.parametrize("route", [route for route in ROUTES if route != ADMINISTRATION and (route, ANY) not in TABLE])
def test_a_method_without_a_line_is_taken_from_nobody(database, route):
    small = World()

    for method in METHODS:
        if (route, method) not in TABLE:
            assert ask(small.browser("Admin"), method, route, small.path(route)) == "405", method
            assert ask(small.browser("Signed out"), method, route, small.path(route)) == "405", method


@pytest.mark.django_db
def test_a_token_opens_no_page(database):
    small = World()

    assert word_for(small.script("Admin").get("/fleet"), small.script("Admin")) == "sign-in"


@pytest.mark.django_db
def test_a_form_without_its_csrf_token_is_refused_whoever_sends_it(database):
    small = World()
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(small.people["Admin"])

    for route, method in TABLE:
        if method == "POST" and not route.startswith(API) and route != ADMINISTRATION:
            assert browser.post(small.path(route)).status_code == 403, route
