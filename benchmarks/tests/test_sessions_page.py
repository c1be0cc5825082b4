"""/sessions: all of them, newest first."""

import pytest
from django.test import override_settings

from benchmarks import pausing, sessions
from benchmarks.tests import world
from obt_site.access import Role
from obt_site.tests.people import links, signed_in, words

pytestmark = pytest.mark.django_db

ALL = {"#1", "#2", "#3"}


@pytest.fixture
def forge(database):
    return world.machine("forge")


def test_without_one_it_leads_to_choosing_models(database):
    page = signed_in().get("/sessions")

    assert "No session yet" in words(page)
    assert "/models" in links(page)


def test_each_has_its_name_state_and_counts(forge):
    world.result(forge)
    session = world.session(forge)

    page = signed_in().get("/sessions")

    assert f"/sessions/{session.id}" in links(page)
    assert words(page).index("#2") < words(page).index("#1")
    assert "Done 1 of 1" in words(page)
    assert "Queued 0 of 2" in words(page)


@pytest.mark.parametrize(
    ("show", "seen"), [("all", ALL), ("open", {"#3"}), ("done", {"#1"}), ("failed", {"#2"}), ("nonsense", ALL)]
)
def test_they_can_be_narrowed_by_state(forge, show, seen):
    world.result(forge)
    sessions.cancel(world.session(forge))
    world.session(forge)

    page = words(signed_in().get(f"/sessions?show={show}"))

    assert {number for number in ALL if number in page} == seen


def test_a_state_that_none_is_in_leads_back_to_all(forge):
    world.session(forge)

    page = signed_in().get("/sessions?show=failed")

    assert "No session is like that" in words(page)
    assert "/sessions" in links(page)


@override_settings(PAGE_ITEMS=2)
def test_older_ones_are_a_page_away_and_back(forge):
    for _ in range(3):
        world.session(forge)
    browser = signed_in()

    first = browser.get("/sessions")
    older = browser.get(next(link for link in links(first) if "before=" in link))

    assert "#1" not in words(first)
    assert "#1" in words(older)
    assert "#3" not in words(older)
    assert "Newest" in words(older)


@pytest.mark.parametrize("before", ["x", "-1", "9" * 400, "²", "1e3"])
def test_a_place_that_is_none_is_the_first_page(forge, before):
    world.session(forge)

    assert "#1" in words(signed_in().get("/sessions", {"before": before}))


def test_a_viewer_reads_and_is_not_offered_a_new_one(forge):
    world.session(forge)

    page = signed_in(Role.VIEWER).get("/sessions")

    assert "#1" in words(page)
    assert "New session" not in words(page)


def numbers(page):
    return {number for number in ALL if number in words(page)}


def test_they_can_be_narrowed_by_machine_person_and_name_all_at_once(forge):
    atlas = world.machine("atlas")
    world.session(forge, "llama3.2:3b")
    world.session(atlas, "llama3.2:3b")
    world.session(atlas, "qwen3:8b")
    browser = signed_in(name="ann")

    assert numbers(browser.get(f"/sessions?machine={atlas.id}")) == {"#2", "#3"}
    assert numbers(browser.get(f"/sessions?machine={atlas.id}&q=QWEN")) == {"#3"}
    assert numbers(browser.get("/sessions?q=%232")) == {"#2"}
    assert numbers(browser.get("/sessions?by=jo")) == ALL
    assert numbers(browser.get("/sessions?by=ann")) == set()


def test_paused_ones_say_so_and_can_be_asked_for(forge):
    world.session(forge)
    pausing.pause(world.session(forge), "jo")

    page = signed_in().get("/sessions?show=paused")

    assert numbers(page) == {"#2"}
    assert "Paused 0 of 2" in words(page)


def test_what_makes_no_sense_is_said_and_left_out(forge):
    world.session(forge)

    page = signed_in().get("/sessions?show=x&machine=6b02d6a12eea9e1e74c2adf2&before=x&foo=1")

    for sentence in ("“show”: “x” is none of", "is no machine that is there now", "“before”", "“foo”: this page"):
        assert sentence in words(page)
    assert numbers(page) == {"#1"}


@override_settings(PAGE_ITEMS=1)
def test_the_next_page_keeps_the_filters(forge):
    for _ in range(2):
        world.session(forge, "qwen3:8b")
    browser = signed_in()

    older = next(link for link in links(browser.get("/sessions?q=qwen&show=open")) if "before=" in link)

    assert "q=qwen" in older
    assert "show=open" in older
    assert numbers(browser.get(older)) == {"#1"}
