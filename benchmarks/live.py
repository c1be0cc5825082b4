"""Live updates: the only caller of `group_send`. A message says that something changed, never what.

Groups: `session.<id>`, `fleet` and `events` for browsers (their consumers render what is stored now), `client.<id>` to
wake the long poll of a machine for which there is something. Losing a message loses nothing: polls end by themselves
and consumers look again on every tick.
"""

import logging
from typing import Any

from asgiref.sync import async_to_sync
from bson import ObjectId
from channels.layers import get_channel_layer

log = logging.getLogger(__name__)

FLEET = "fleet"
EVENTS = "events"


def session_group(session: ObjectId | str) -> str:
    return f"session.{session}"


def client_group(client: ObjectId | str) -> str:
    return f"client.{client}"


def session_changed(session: ObjectId | str) -> None:
    """A session's page has something new to show; so may the fleet."""
    _send(session_group(session))
    _send(FLEET)


def fleet_changed() -> None:
    _send(FLEET)


def event_reported() -> None:
    _send(EVENTS)


def wake(client: ObjectId | str) -> None:
    """End the machine's long poll now: a job to start or to cancel, or a list to send again."""
    _send(client_group(client))


def _send(group: str) -> None:
    layer = get_channel_layer()
    if layer is None:
        return
    message: dict[str, Any] = {"type": "changed"}
    try:
        async_to_sync(layer.group_send)(group, message)
    except Exception as error:  # a lost hint must not undo what is already stored
        log.warning("live update for %s was not sent: %s", group, error)
