"""/ws/sessions/<id>: what is stored, pushed as the page's own parts, and only what changed."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from agent.obt_agent import contract
from benchmarks import live
from benchmarks.documents import Session
from benchmarks.presenters.live_pages import render_session
from benchmarks.tests import world
from benchmarks.tests.live_socket import Socket, cookie_of
from obt_site.access import Role
from obt_site.tests.people import person

pytestmark = pytest.mark.django_db(transaction=True)

EVERY_S = 0.05
TICK_S = 0.3


@pytest.fixture(autouse=True)
def _pace(settings, database, monkeypatch):
    """The same rules at a pace for tests; nobody sweeps."""
    settings.LIVE_EVERY_S, settings.LIVE_TICK_S = EVERY_S, TICK_S
    settings.ALLOWED_HOSTS = ["localhost", "testserver"]
    monkeypatch.setenv("OBT_NO_SWEEPER", "1")


@pytest.fixture
def forge(database):
    return world.machine("forge")


@pytest.fixture
def cookie(_pace):
    return cookie_of(person("jo", Role.OPERATOR))


async def stored(call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """A verb, called as the server's threads call it."""
    return await sync_to_async(call, thread_sensitive=True)(*arguments, **named)


def now_shown(session: Any) -> dict[str, str]:
    return dict(render_session(Role.OPERATOR, str(session)).html)


def steady(parts: dict[str, str]) -> dict[str, str]:
    """The parts that only change when something happened, not by the passing of time."""
    return {name: parts[name] for name in ("session-head", "session-report", "session-events", "work")}


async def test_it_sends_the_whole_page_at_once(forge, cookie):
    offer = await stored(world.running, forge, world.MODELS[0])

    async with Socket(f"/ws/sessions/{offer.session}", cookie) as socket:
        first = await socket.message()

        assert first["seq"] == 1
        assert set(first["html"]) == set(await stored(now_shown, offer.session))
        assert first["title"].endswith("· OBT")


async def test_what_an_agent_reports_is_pushed(forge, cookie):
    offer = await stored(world.running, forge, world.MODELS[0])
    async with Socket(f"/ws/sessions/{offer.session}", cookie) as socket:
        await socket.message()

        event = contract.Event(seq=2, kind="cell", elapsed_s=1.0, cell="tg128", of=6, done=1, total=20)
        await stored(world.report, forge, offer, event)

        await socket.until(f"lane-{forge.id}", "tg128")


async def test_only_what_changed_is_sent(forge, cookie):
    session = await stored(world.session, forge)
    async with Socket(f"/ws/sessions/{session.id}", cookie) as socket:
        await socket.message()

        await stored(live.session_changed, session.id)
        again = await socket.message()

        assert "session-events" not in again.get("html", {})
        assert "session-head" not in again.get("html", {})


async def test_a_late_page_shows_the_same_as_one_open_all_along(forge, cookie):
    offer = await stored(world.running, forge, *world.MODELS[:2])
    async with Socket(f"/ws/sessions/{offer.session}", cookie) as early:
        await early.message()
        sample = contract.Event(
            seq=2, kind="sample", elapsed_s=2.0, cell="tg128", index=0, of=6, valid=True, value=50.0
        )
        for i in range(6):
            await stored(world.report, forge, offer, replace(sample, seq=2 + i, index=i, elapsed_s=2.0 + i))
        await early.until("session-events", "sample 6")

        async with Socket(f"/ws/sessions/{offer.session}", cookie) as late:
            await late.message()

            assert steady(late.shown) == steady(early.shown) == steady(await stored(now_shown, offer.session))


async def test_numbers_are_contiguous_and_a_quiet_page_gets_ticks(forge, cookie):
    session = await stored(world.session, forge)
    async with Socket(f"/ws/sessions/{session.id}", cookie) as socket:
        for _ in range(4):
            await socket.message()

        assert socket.sequence == [1, 2, 3, 4]


async def test_a_change_without_a_hint_is_seen_at_the_next_tick(forge, cookie):
    session = await stored(world.session, forge)
    async with Socket(f"/ws/sessions/{session.id}", cookie) as socket:
        await socket.message()

        await stored(Session.objects(id=session.id).update_one, set__name="Renamed behind its back")

        await socket.until("session-head", "Renamed behind its back")


async def test_many_changes_at_once_are_one_message(forge, cookie, settings):
    settings.LIVE_EVERY_S = 0.5
    session = await stored(world.session, forge)
    async with Socket(f"/ws/sessions/{session.id}", cookie) as socket:
        await socket.message()

        for _ in range(50):
            await stored(live.session_changed, session.id)
        await asyncio.sleep(1.1)  # the time itself is what is tested: two or three pushes fit into it

        assert await pending(socket) <= 3


async def pending(socket: Socket) -> int:
    count = 0
    while not await socket.link.receive_nothing(timeout=0.05):
        await socket.message()
        count += 1
    return count


async def test_the_end_is_said_with_a_toast_and_the_socket_closes(forge, cookie):
    offer = await stored(world.running, forge, world.MODELS[0])
    async with Socket(f"/ws/sessions/{offer.session}", cookie) as socket:
        await socket.message()

        await stored(world.deliver, forge, offer)
        last = await socket.until("session-report", "Report")

        assert last["done"] is True
        assert "1 of 1 job delivered a result." in last["toast"]["text"]
        assert await socket.closed() == 1000


async def test_one_that_had_ended_before_says_so_without_a_toast(forge, cookie):
    result = await stored(world.result, forge)
    async with Socket(f"/ws/sessions/{result.session}", cookie) as socket:
        first = await socket.message()

        assert first["done"] is True
        assert "toast" not in first


async def test_a_stranger_is_turned_away(forge):
    session = await stored(world.session, forge)
    async with Socket(f"/ws/sessions/{session.id}") as socket:
        assert await socket.closed() == 4401


async def test_someone_without_a_role_is_turned_away(forge):
    session = await stored(world.session, forge)
    async with Socket(f"/ws/sessions/{session.id}", await stored(nobody)) as socket:
        assert await socket.closed() == 4403


def nobody() -> str:
    return cookie_of(person("eve", None))


async def test_who_loses_their_role_stops_seeing(forge, cookie):
    session = await stored(world.session, forge)
    async with Socket(f"/ws/sessions/{session.id}", cookie) as socket:
        await socket.message()

        await stored(take_role_away)

        assert await socket.closed() == 4403


def take_role_away() -> None:
    from django.contrib.auth import get_user_model

    get_user_model().objects.get(username="jo").groups.clear()


async def test_a_session_that_does_not_exist_closes_for_good(forge, cookie):
    async with Socket("/ws/sessions/507f1f77bcf86cd799439011", cookie) as socket:
        assert await socket.closed() == 4404


async def test_a_viewer_gets_no_buttons_and_an_operator_does(forge, cookie):
    session = await stored(world.session, forge)
    viewer_cookie = await stored(viewer)
    address = f"/ws/sessions/{session.id}"
    async with Socket(address, cookie) as operator, Socket(address, viewer_cookie) as reader:
        await operator.message()
        await reader.message()

        assert "Cancel session" in operator.shown["session-head"]
        assert "Cancel session" not in reader.shown["session-head"]


def viewer() -> str:
    return cookie_of(person("vi", Role.VIEWER))
