"""The live side of pages: what is stored is rendered and sent, at most once a second.

A message of `benchmarks/live.py` only says that something changed. The consumer then renders the whole page's parts
from what is stored and sends those that differ from what it sent last, so a lost hint, a late page or a dropped socket
ends with the same page. Messages: {"seq", "html", "title"?, "toast"?, "done"?}; a bare {"seq"} is a tick.
"""

import asyncio
import contextlib
import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.http import QueryDict

from benchmarks import live
from benchmarks.presenters.fleet_query import read_query
from benchmarks.presenters.live_pages import Rendered, render_events, render_fleet, render_machine, render_session
from obt_site.access import Role, role_of
from obt_site.asked import Asked
from obt_site.errors import NotFound

log = logging.getLogger(__name__)

NOT_SIGNED_IN, NOT_ALLOWED, NOT_FOUND, TOO_MANY = 4401, 4403, 4404, 4429

_open: Counter[str] = Counter()  # sockets of each person, in this process


class LiveConsumer(AsyncWebsocketConsumer):
    """One browser page that follows what is stored. Subclasses say which group wakes it and what it shows."""

    def group(self) -> str:
        raise NotImplementedError

    def render(self, role: Role) -> Rendered:
        raise NotImplementedError

    def query(self, **also: str) -> QueryDict:
        """The query string of the address, with these values."""
        found = QueryDict(self.scope.get("query_string", b""), mutable=True)
        for name, value in also.items():
            found[name] = value
        return found

    async def connect(self) -> None:
        """Join the group before the first look, so that nothing in between is missed."""
        self._seq = 0
        self._sent: dict[str, str] = {}
        self._title = ""
        self._told = False
        self._dirty = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self._owner = ""
        await self.accept()
        role = await self._role()
        if role is None or not await self._has_place():
            return
        await self.channel_layer.group_add(self.group(), self.channel_name)
        self._following = asyncio.create_task(self._follow())

    async def _has_place(self) -> bool:
        """Count this socket as the person's; closes one too many."""
        owner = _owner_of(self.scope)
        if _open[owner] >= settings.SOCKETS_PER_PERSON:
            await self.close(TOO_MANY)
            return False
        self._owner = owner
        _open[owner] += 1
        return True

    async def disconnect(self, code: int) -> None:
        if self._owner:
            _open[self._owner] -= 1
            if not _open[self._owner]:
                del _open[self._owner]
        if self._following is None:
            return
        await self.channel_layer.group_discard(self.group(), self.channel_name)
        self._following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._following

    async def changed(self, message: dict[str, Any]) -> None:
        """`benchmarks/live.py` says that there may be something new."""
        self._dirty.set()

    async def _role(self) -> Role | None:
        """The person's role as it is now; closes the socket for those who have none."""
        user, session = self.scope.get("user"), self.scope.get("session")
        role, signed_in = await sync_to_async(_standing, thread_sensitive=False)(user, session)
        if role is None:
            await self.close(NOT_ALLOWED if signed_in else NOT_SIGNED_IN)
        return role

    async def _follow(self) -> None:
        """Render, send what differs, wait for a change or a tick; never faster than LIVE_EVERY_S."""
        while True:
            self._dirty.clear()
            role = await self._role()
            if role is None or not await self._push(role):
                return
            await asyncio.sleep(settings.LIVE_EVERY_S)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._dirty.wait(), settings.LIVE_TICK_S)

    async def _push(self, role: Role) -> bool:
        """Send what changed, or a tick. False when there is nothing more to follow."""
        try:
            rendered = await sync_to_async(self.render, thread_sensitive=False)(role)
        except NotFound:
            await self.close(NOT_FOUND)
            return False
        except Exception:
            log.exception("a live page could not be rendered and will be tried again")
            return True
        await self._send(self._message(rendered))
        if rendered.is_done:
            await self.close()
        return not rendered.is_done

    def _message(self, rendered: Rendered) -> dict[str, Any]:
        html = {name: markup for name, markup in rendered.html.items() if self._sent.get(name) != markup}
        message: dict[str, Any] = {"html": html} if html else {}
        if rendered.title and rendered.title != self._title:
            message["title"] = rendered.title
        if rendered.is_done:
            message["done"] = True
            if self._told:  # it ended while the page was watching
                message["toast"] = dict(rendered.toast)
        self._sent, self._title, self._told = dict(rendered.html), rendered.title, True
        return message

    async def _send(self, message: dict[str, Any]) -> None:
        self._seq += 1
        await self.send(text_data=json.dumps({"seq": self._seq, **message}, ensure_ascii=False))


def _owner_of(scope: Mapping[str, Any]) -> str:
    """Whose sockets are counted together: a person's, or for nobody in particular those of one address."""
    user = scope.get("user")
    if user is not None and user.is_authenticated:
        return f"person:{user.pk}"
    return f"address:{(scope.get('client') or ['unknown'])[0]}"


def _standing(user: Any, session: Any) -> tuple[Role | None, bool]:
    """The role as stored now, and whether this browser is still signed in: who was shut out must not go on watching."""
    if user is None or not user.is_authenticated or not session.exists(session.session_key):
        return None, False
    user.refresh_from_db()
    return role_of(user), True


class FleetConsumer(LiveConsumer):
    """`/ws/fleet`, with the page's query string. Rows that the reader has in sight keep their places."""

    in_sight: Sequence[str] = ()

    def group(self) -> str:
        return live.FLEET

    def render(self, role: Role) -> Rendered:
        rendered = render_fleet(role, read_query(self.query()), self.in_sight)
        self.in_sight = rendered.in_sight
        return rendered


class MachineConsumer(LiveConsumer):
    """`/ws/machines/<id>`, with the number of the newest event that the page shows as `after`."""

    def group(self) -> str:
        return live.FLEET

    def render(self, role: Role) -> Rendered:
        client_id = self.scope["url_route"]["kwargs"]["client_id"]
        return render_machine(client_id, Asked(self.query(machine=client_id)))


class EventsConsumer(LiveConsumer):
    """`/ws/events`, with the page's query string, and with the newest number that it shows as `after`."""

    def group(self) -> str:
        return live.EVENTS

    def render(self, role: Role) -> Rendered:
        return render_events(Asked(self.query()))


class SessionConsumer(LiveConsumer):
    """`/ws/sessions/<id>`"""

    def group(self) -> str:
        return live.session_group(self.scope["url_route"]["kwargs"]["session_id"])

    def render(self, role: Role) -> Rendered:
        return render_session(role, self.scope["url_route"]["kwargs"]["session_id"])


class Nowhere(AsyncWebsocketConsumer):
    """Any other address: refused in the handshake."""

    async def connect(self) -> None:
        await self.close()
