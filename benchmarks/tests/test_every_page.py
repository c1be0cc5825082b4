"""What holds for every page: no dead end, nothing inline, names that do no harm, a bounded number of questions."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pymongo.monitoring
import pytest

from benchmarks.tests import world
from obt_site import mongo
from obt_site.access import Role
from obt_site.bench.pages import Questions
from obt_site.tests.people import all_tags, links, signed_in, tags

pytestmark = pytest.mark.django_db

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202e{{ 7|add:7 }}"
MOST_QUESTIONS = 16  # to the database, for one page, whatever there is to show
MOST_PAGES = 300
MOST_VIEWS = 25  # of one page under different queries: filters combine without end
FILES = ("/static/", "/api/", "/admin/", "/results.csv")


@pytest.fixture
def forge(database):
    return world.machine("forge")


@pytest.fixture
def busy(forge):
    """A result, a failed result, and a session that runs."""
    world.result(forge, world.MODELS[0])
    offer = world.running(forge, world.MODELS[1])
    world.deliver(forge, offer, world.body(offer, outcome="failed", cells=[]))
    world.running(forge, *world.MODELS)
    return forge


def follow(browser: Any, start: str) -> dict[str, Any]:
    """Every page that links lead to from here, by address."""
    seen: dict[str, Any] = {}
    views: Counter[str] = Counter()
    ahead = [start]
    while ahead and len(seen) < MOST_PAGES:
        address = ahead.pop()
        path = address.partition("#")[0]
        base = path.partition("?")[0]
        if path in seen or not path.startswith("/") or path.startswith(FILES) or views[base] >= MOST_VIEWS:
            continue
        page = browser.get(path)
        if page.status_code == 200 and not page["Content-Type"].startswith("text/html"):
            continue  # a file, no page
        views[base] += 1
        seen[path] = page
        if page.status_code == 200:
            ahead += [base + link if link.startswith("?") else link for link in links(page)]
    return seen


@pytest.mark.parametrize("role", list(Role))
def test_every_link_leads_somewhere_the_reader_may_go(busy, role):
    pages = follow(signed_in(role), "/fleet")

    wrong = {address: page.status_code for address, page in pages.items() if page.status_code not in (200, 302)}
    assert len(pages) > 15
    assert wrong == {}


def test_no_page_has_inline_script_or_style(busy):
    for address, page in follow(signed_in(Role.ADMIN), "/fleet").items():
        if page.status_code != 200:
            continue
        for name, attributes in all_tags(page):
            assert "style" not in attributes, (address, name)
            assert name != "style", address
            assert name != "script" or attributes.get("src"), address
            assert not [key for key in attributes if key.startswith("on")], (address, name)
            assert not attributes.get("href", "").lower().startswith("javascript:"), address


def test_every_form_that_changes_something_carries_its_csrf_token(busy):
    for address, page in follow(signed_in(Role.ADMIN), "/fleet").items():
        if page.status_code == 200:
            posts = [form for form in tags(page, "form") if form.get("method") == "post"]
            assert page.content.count(b"csrfmiddlewaretoken") == len(posts), address


def test_every_page_has_one_title_and_one_first_heading_and_no_id_twice(busy):
    for address, page in follow(signed_in(Role.ADMIN), "/fleet").items():
        if page.status_code != 200:
            continue
        names = Counter(attributes["id"] for _, attributes in all_tags(page) if attributes.get("id"))
        assert len(tags(page, "h1")) == 1, address
        assert len(tags(page, "title")) >= 1, address
        assert [name for name, count in names.items() if count > 1] == [], address


def test_hostile_names_are_shown_and_do_no_harm(database):
    machine = world.machine(HOSTILE[:90].replace("\u202e", ""), models=[HOSTILE])
    result = world.result(machine, HOSTILE)
    world.session(machine, HOSTILE)
    browser = signed_in(Role.ADMIN)

    pages = follow(browser, "/fleet")

    assert f"/results/{result.id}" in pages
    for address, page in pages.items():
        if page.status_code == 200:
            sources = {attributes.get("src", "") for _, attributes in all_tags(page)}
            assert "x" not in sources, address
            assert all(attributes.get("src") for attributes in tags(page, "script")), address
            assert "{{ 14 }}" not in page.content.decode()
            assert not re.search(r"\b14\b\s*}}", page.content.decode()), address


@pytest.fixture
def counting(database_uri: str) -> Iterator[Questions]:
    """A connection whose every command is counted. pymongo has no way to take a listener away, so it is just left."""
    listener = Questions()
    pymongo.monitoring.register(listener)
    mongo.connect(database_uri)
    yield listener
    listener.asked.clear()


def test_a_page_asks_as_often_for_many_things_as_for_few(database, counting):
    browser = signed_in(Role.ADMIN)
    machines = [world.machine("m0")]
    result = world.result(machines[0])
    few = {address: asked(browser, address, counting) for address in addresses(machines[0], result)}

    machines += [world.machine(f"m{i}") for i in range(1, 6)]
    for machine in machines:
        world.running(machine, *world.MODELS)
    many = {address: asked(browser, address, counting) for address in addresses(machines[0], result)}

    assert {address: count for address, count in many.items() if count > MOST_QUESTIONS} == {}
    # One question more is for what there was nothing of before: the sessions of open jobs, their live tails.
    assert {address: (few[address], count) for address, count in many.items() if count > few[address] + 2} == {}


def addresses(machine: Any, result: Any) -> list[str]:
    session = f"/sessions/{result.session}"
    lists = ["/", "/events", "/audit", "/fleet", "/models", "/sessions", "/sessions/new", "/results"]
    lists += ["/queue", "/palette", "/palette?q=m", f"/sessions?machine={machine.id}&q=m", "/settings", "/about"]
    over_time = [f"/history?model={result.model}&client={result.client}", f"/compare?with=result%3D{result.id}"]
    pair = f"/compare?base=client%3D{result.client}&with=model%3D{result.model}"
    one = f"/results/{result.id}"
    return [*lists, *over_time, pair, f"/machines/{machine.id}", session, f"{session}/live", one]


def asked(browser: Any, address: str, counting: Questions) -> int:
    counting.asked.clear()
    assert browser.get(address).status_code == 200
    return counting.asked.total()
