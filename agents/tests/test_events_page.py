"""/events: what happened, newest first, by machine, kind and time."""

from datetime import timedelta

import pytest

from agents import events, removal, verbs
from agents.documents import Event
from benchmarks.presenters import event_log
from benchmarks.tests import world
from obt_site.access import Role
from obt_site.clock import now
from obt_site.tests.people import links, signed_in, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def forge(database):
    return world.machine("forge")


def test_before_anything_has_happened_it_says_what_comes_here(database):
    assert "Nothing has happened yet" in words(signed_in().get("/events"))


def test_an_event_leads_to_what_it_is_about(forge):
    result = world.result(forge)

    page = signed_in().get("/events")

    assert "forge was added by system" in words(page)
    assert {f"/machines/{forge.id}", f"/sessions/{result.session}"} <= set(links(page))


def test_newest_first_in_pages(forge, monkeypatch):
    monkeypatch.setattr(event_log, "PAGE", 2)
    for i in range(4):
        events.report("machine_paused", f"event {i}", client=forge)
    browser = signed_in()

    first = browser.get("/events")
    older = next(link for link in links(first) if "before=" in link)
    second = words(browser.get(f"/events{older}"))

    assert words(first).index("event 3") < words(first).index("event 2")
    assert "event 1" not in words(first)
    assert "event 1" in second
    assert "Newest" in second


def test_it_narrows_by_machine_kind_and_time(forge):
    atlas = world.machine("atlas")
    verbs.set_paused(forge, True)
    Event.objects(client=atlas.id).update(set__at=now() - timedelta(days=3))
    browser = signed_in()

    by_machine = words(browser.get("/events", {"machine": str(atlas.id)}))
    by_kind = words(browser.get("/events", {"kind": "machine_paused"}))
    lately = words(browser.get("/events", {"since": "24h"}))

    assert "atlas was added" in by_machine
    assert "forge was added" not in by_machine
    assert "forge is paused" in by_kind
    assert "forge was added" not in by_kind
    assert "atlas was added" not in lately
    assert "forge was added" in lately


def test_events_of_a_removed_machine_stay_and_lead_nowhere_dead(forge):
    removal.remove(forge, "ada")

    page = signed_in().get("/events", {"machine": str(forge.id)})

    assert "forge was removed by ada" in words(page)
    assert f"/machines/{forge.id}" not in links(page)


@pytest.mark.parametrize("query", ["machine=x", "kind=<b>", "since=ever", "before=-1", "machine=" + "a" * 24])
def test_what_makes_no_sense_is_said_and_left_out(forge, query):
    page = signed_in().get(f"/events?{query}")

    assert page.status_code == 200
    assert "Left out of this view." in words(page)
    assert "forge was added" in words(page)


def test_nothing_like_that_leads_back_to_all(forge):
    page = signed_in().get("/events?kind=job_failed")

    assert "No event is like that" in words(page)
    assert "/events" in links(page)


def test_names_do_no_harm(database):
    events.report("machine_paused", "<script>alert(1)</script>\u202e is paused")

    page = signed_in().get("/events")

    assert "<script>alert(1)" not in page.content.decode()
    assert "\u202e" not in page.content.decode()


def test_everyone_signed_in_may_read_it(forge):
    assert signed_in(Role.VIEWER).get("/events").status_code == 200
    assert signed_in(None, "no").get("/events").status_code == 403
