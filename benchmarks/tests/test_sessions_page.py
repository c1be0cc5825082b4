"""/sessions: all of them, newest first."""

import pytest
from django.test import override_settings

from benchmarks import sessions
from benchmarks.tests import world
from obt_site.access import Role
from obt_site.tests.people import links, signed_in, words

pytestmark = pytest.mark.django_db


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


@pytest.mark.parametrize(("show", "seen"), [("open", "#1"), ("failed", "#2"), ("done", "#3"), ("nonsense", "#1")])
def test_they_can_be_narrowed_by_state(forge, show, seen):
    world.session(forge)
    sessions.cancel(world.session(forge))
    first = sessions.find(str(world.session(forge).id))
    sessions.cancel_job(sessions.jobs_of(first)[1])
    numbers = {"#1", "#2", "#3"}

    page = words(signed_in().get(f"/sessions?show={show}"))

    if show == "nonsense":
        assert all(number in page for number in numbers)
    elif show == "done":
        assert "No session is like that" in page
    else:
        assert seen in page
        assert ("#2" in page) == (show == "failed")


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
