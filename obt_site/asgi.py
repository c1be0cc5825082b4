"""The ASGI application: HTTP, WebSocket, and the sweeper that each server process runs beside them.

The wrapper stops reading a body at its cap, before anything is parsed, and starts the sweeper with the first
connection (daphne has no lifespan events; `up` and every load balancer ask for /health at once).
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "obt_site.settings")
django_application = get_asgi_application()

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402

from benchmarks import sweeper  # noqa: E402
from obt_site.middleware import body_limit_bytes  # noqa: E402
from obt_site.urls import websocket_urlpatterns  # noqa: E402

log = logging.getLogger(__name__)
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

_background: set[asyncio.Task[None]] = set()


def _start_sweeper() -> None:
    if not _background:
        _background.add(asyncio.get_running_loop().create_task(sweeper.run()))


def capped(application: Application) -> Application:
    """Stop taking in a body at the cap of its path, and let the middleware answer 413."""

    async def call(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        _start_sweeper()
        if scope["type"] != "http":
            return await application(scope, receive, send)
        limit = body_limit_bytes(scope["path"])
        taken = 0

        async def receive_capped() -> dict[str, Any]:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                scope["obt.too_large"] = True
                return {"type": "http.request", "body": b"", "more_body": False}
            return message

        return await application(scope, receive_capped, send)

    return call


application = capped(
    ProtocolTypeRouter(
        {
            "http": django_application,
            "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
        }
    )
)
