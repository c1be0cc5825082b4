"""Live updates by the server's loop: nobody waits for them, many are one, and the last is never lost."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer

from benchmarks import live

PATIENCE_S = 20.0
CHANGES = 50


@pytest.fixture
async def heard() -> AsyncIterator["asyncio.Queue[dict[str, str]]"]:
    """What a page that follows the fleet hears."""
    live.serve_from(asyncio.get_running_loop())
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(live.FLEET, channel)
    messages: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def listen() -> None:
        while True:
            await messages.put(await layer.receive(channel))

    task = asyncio.create_task(listen())
    yield messages
    task.cancel()
    await layer.group_discard(live.FLEET, channel)


async def told_from_threads(times: int) -> None:
    for _ in range(times):
        await sync_to_async(live.fleet_changed, thread_sensitive=False)()


async def test_what_a_thread_changes_is_heard(heard):
    await told_from_threads(1)

    assert await asyncio.wait_for(heard.get(), PATIENCE_S) == {"type": "changed"}


async def test_many_changes_are_few_messages(heard):
    for _ in range(CHANGES):
        live.fleet_changed()
    await asyncio.wait_for(heard.get(), PATIENCE_S)

    assert heard.qsize() == 0


async def test_a_change_after_a_message_is_heard_though_it_comes_soon_after(heard):
    for _ in range(3):
        live.fleet_changed()
        await asyncio.wait_for(heard.get(), PATIENCE_S)


async def test_another_loop_begins_anew(heard):
    """What waited in a loop that has ended holds nothing back."""
    live._sender._waiting.add(live.FLEET)
    other = asyncio.new_event_loop()
    live.serve_from(other)
    live.serve_from(asyncio.get_running_loop())
    other.close()

    live.fleet_changed()

    assert await asyncio.wait_for(heard.get(), PATIENCE_S)


def test_without_a_server_s_loop_it_is_sent_at_once(monkeypatch):
    sent = []

    async def send(group: str) -> None:
        sent.append(group)

    monkeypatch.setattr(live, "_group_send", send)
    monkeypatch.setattr(live._sender, "loop", None)

    live.wake("000000000000000000000001")

    assert sent == ["client.000000000000000000000001"]
