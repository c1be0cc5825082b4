"""/ws/events and the events of a machine's page: what has happened since is told, and the list that is read stays."""

import pytest

from agents import events, verbs
from agents.documents import Event
from benchmarks.presenters import event_log
from benchmarks.tests import world
from benchmarks.tests.live_socket import Socket, cookie_of
from benchmarks.tests.test_live_session import _pace, stored  # noqa: F401
from obt_site.access import Role
from obt_site.tests.people import by_id, person, signed_in, words

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def forge(_pace):  # noqa: F811
    return world.machine("forge")


@pytest.fixture
def cookie(forge):
    return cookie_of(person("jo", Role.VIEWER))


def newest() -> int:
    return max(event.number for event in Event.objects)


def address_of(page):
    """What the page follows."""
    markup = page.content.decode().split('data-live="')[1]
    return markup.partition('"')[0].replace("&amp;", "&")


def test_the_page_follows_what_comes_after_its_newest_event(forge):
    page = signed_in().get("/events?kind=machine_paused")

    assert address_of(page) == "/ws/events?kind=machine_paused&after=0"
    assert address_of(signed_in(name="ann").get("/events")) == f"/ws/events?after={newest()}"
    assert "data-live" not in signed_in(name="eve").get("/events?before=2").content.decode()


async def test_what_happens_is_told_with_its_sentence_and_counted_in_the_title(forge, cookie):
    async with Socket(f"/ws/events?after={await stored(newest)}", cookie) as socket:
        first = await socket.message()
        assert "told here" in socket.shown["events-new"]
        assert first["title"] == "Events · OBT"

        await stored(verbs.set_paused, forge, True)

        told = await socket.until("events-new", "1 new event")
        assert "forge is paused" in socket.shown["events-new"]
        assert told["title"] == "(1) Events · OBT"
        assert set(told["html"]) == {"events-new"}


async def test_only_what_the_filters_let_through_is_told(forge, cookie):
    atlas = await stored(world.machine, "atlas")
    async with Socket(f"/ws/events?machine={atlas.id}&after={await stored(newest)}", cookie) as socket:
        await stored(verbs.set_paused, forge, True)
        await stored(verbs.set_paused, atlas, True)

        await socket.until("events-new", "1 new event")
        assert "atlas is paused" in socket.shown["events-new"]
        assert f"/events?machine={atlas.id}" in socket.shown["events-new"]


def test_many_are_counted_up_to_a_number(forge, monkeypatch):
    monkeypatch.setattr(event_log, "MOST_NEW", 3)
    after = newest()
    for i in range(5):
        events.report("machine_paused", f"event {i}", client=forge)

    told = signed_in().get(f"/events/live?after={after}").json()["html"]["events-new"]

    assert "3 or more new events , the latest: event 4" in words(told)


def test_a_page_that_missed_something_asks_again(forge):
    after = newest()
    browser = signed_in()
    assert browser.get(f"/events/live?after={after}").json()["title"] == "Events · OBT"

    events.report("job_failed", "<b>It</b> failed", client=forge)

    answer = browser.get(f"/events/live?after={after}").json()
    assert by_id(answer["html"]["events-new"], "events-new") is not None
    assert "<b>It</b> failed" in words(answer["html"]["events-new"])
    assert set(answer["html"]) == {"events-new", "work"}


async def test_a_machines_page_tells_its_own_events(forge, cookie):
    atlas = await stored(world.machine, "atlas")
    async with Socket(f"/ws/machines/{forge.id}?after={await stored(newest)}", cookie) as socket:
        await socket.message()

        await stored(verbs.set_paused, atlas, True)
        await stored(verbs.rename, forge, "anvil")

        await socket.until("events-new", "1 new event")
        assert "anvil" in socket.shown["events-new"]
        assert f"/events?machine={forge.id}" in socket.shown["events-new"]


def test_a_machines_page_follows_what_comes_after_its_newest_event(forge):
    verbs.set_paused(forge, True)

    page = signed_in().get(f"/machines/{forge.id}")

    assert address_of(page) == f"/ws/machines/{forge.id}?after={newest()}"


async def test_a_stranger_is_turned_away(forge):
    async with Socket("/ws/events") as socket:
        assert await socket.closed() == 4401
