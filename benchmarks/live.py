"""Live updates: the only caller of `group_send`. A message says that something changed, never what.

Groups: `session.<id>`, `fleet` and `events` for browsers (their consumers render what is stored now), `client.<id>` to
wake the long poll of a machine for which there is something. Losing a message loses nothing: polls end by themselves
and consumers look again on every tick.
"""

import asyncio
import logging
from typing import Any

from asgiref.sync import async_to_sync
from bson import ObjectId
from channels.layers import get_channel_layer

log = logging.getLogger(__name__)

FLEET = "fleet"
EVENTS = "events"
LEAST_BETWEEN_S = 0.25  # of two messages to pages; they render once a second at most
GROUPS_KEPT = 1000


def session_group(session: ObjectId | str) -> str:
    return f"session.{session}"


def client_group(client: ObjectId | str) -> str:
    return f"client.{client}"


def session_changed(session: ObjectId | str) -> None:
    """A session's page has something new to show; so may the fleet."""
    _send(session_group(session), LEAST_BETWEEN_S)
    _send(FLEET, LEAST_BETWEEN_S)


def fleet_changed() -> None:
    _send(FLEET, LEAST_BETWEEN_S)


def event_reported() -> None:
    _send(EVENTS, LEAST_BETWEEN_S)


def wake(client: ObjectId | str) -> None:
    """End the machine's long poll now: a job to start or to cancel, or a list to send again."""
    _send(client_group(client))


def serve_from(loop: asyncio.AbstractEventLoop) -> None:
    """From here on messages are sent by this server's loop, and whoever causes one does not wait for it."""
    if _sender.loop is not loop:
        _sender.begin(loop)


def _send(group: str, least_between_s: float = 0.0) -> None:
    """By the server's loop where one runs, else (commands, tests) here and now."""
    loop = _sender.loop
    if loop is not None and loop.is_running():
        loop.call_soon_threadsafe(_sender.soon, group, least_between_s)
    elif get_channel_layer() is not None:
        try:
            async_to_sync(_group_send)(group)
        except RuntimeError as error:  # a loop runs in this very thread, and it is not the server's
            log.warning("live update for %s was not sent: %s", group, error)


async def _group_send(group: str) -> None:
    message: dict[str, Any] = {"type": "changed"}
    try:
        await get_channel_layer().group_send(group, message)
    except Exception as error:  # a lost hint must not undo what is already stored
        log.warning("live update for %s was not sent: %s", group, error)


class _Sender:
    """Runs in the server's loop only. Many changes within a moment are one message, and the last is never lost."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._waiting: set[str] = set()
        self._sent: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._waiting.clear()
        self._sent.clear()

    def soon(self, group: str, least_between_s: float) -> None:
        assert self.loop is not None
        if group in self._waiting:
            return
        self._waiting.add(group)
        wait_s = self._sent.get(group, 0.0) + least_between_s - self.loop.time()
        self.loop.call_later(max(0.0, wait_s), self._now, group, least_between_s)

    def _now(self, group: str, least_between_s: float) -> None:
        assert self.loop is not None
        self._waiting.discard(group)
        if least_between_s:
            if len(self._sent) > GROUPS_KEPT:
                self._sent.clear()
            self._sent[group] = self.loop.time()
        task = self.loop.create_task(_group_send(group))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


_sender = _Sender()
