"""The way in for agents: Django's handler with what only browsers need left out.

A thousand agents hold a poll each. The middleware of pages would cost each of them a thread and a dozen changes
between threads: sessions, CSRF, static files and messages mean nothing to an agent. What is not named in
`settings.FOR_BROWSERS` holds here as well. Django's own database is not used on these paths, so its connections need
no looking after.
"""

import asyncio
import contextlib
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost, RequestAborted
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest

from obt_site import errors
from obt_site.middleware import AGENT_PREFIX


class AgentDoor(ASGIHandler):
    """Serves the paths under /api/v1/agent/."""

    def load_middleware(self, is_async: bool = False) -> None:
        """Build the chain without the middleware of pages. Django reads it from the settings, once, right here."""
        of_pages = settings.MIDDLEWARE
        settings.MIDDLEWARE = [name for name in of_pages if name not in settings.FOR_BROWSERS]
        try:
            super().load_middleware(is_async=is_async)
        finally:
            settings.MIDDLEWARE = of_pages

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer one request; it ends early when the agent is gone."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        with contextlib.closing(body):
            request, refused = self.create_request(scope, body)
            if request is None or refused is not None:
                await self.send_response(refused or HttpResponseBadRequest(), send)
                return
            answering = asyncio.create_task(self._answer(request, send))
            gone = asyncio.create_task(receive())
            try:
                await asyncio.wait((answering, gone), return_when=asyncio.FIRST_COMPLETED)
            finally:
                gone.cancel()
                answering.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await answering

    async def _answer(self, request: HttpRequest, send: Any) -> None:
        response = _of_another_host(request) or await self.get_response_async(request)
        if isinstance(response, HttpResponse):
            response.headers.setdefault("Content-Length", str(len(response.content)))
        await self.send_response(response, send)


def _of_another_host(request: HttpRequest) -> HttpResponse | None:
    """The refusal of a request that was meant for a server of another name."""
    try:
        request.get_host()
    except DisallowedHost as error:
        return errors.bad_request(request, error)
    return None


def with_agent_door(pages: Any) -> Any:
    """The HTTP application: agents by their own door, everybody else by `pages`."""
    door = AgentDoor()

    async def call(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await (door if scope["path"].startswith(AGENT_PREFIX) else pages)(scope, receive, send)

    return call
