"""The ASGI application: HTTP, WebSocket, and the sweeper that each server process runs beside them.

The sweeper starts with the first connection (daphne has no lifespan events; `up` and every load balancer ask for
/health at once). Daphne gets its limits, and foreign WebSockets are refused, by `obt_site/edge.py`; agents come in by
`obt_site/agent_door.py`.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "obt_site.settings")
django_application = get_asgi_application()

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402

from benchmarks import live, sweeper  # noqa: E402
from obt_site.address import believing  # noqa: E402
from obt_site.agent_door import with_agent_door  # noqa: E402
from obt_site.edge import fit_daphne, same_origin  # noqa: E402
from obt_site.urls import websocket_urlpatterns  # noqa: E402

log = logging.getLogger(__name__)
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

_background: set[asyncio.Task[None]] = set()


def _start_sweeper() -> None:
    if not _background:
        _background.add(asyncio.get_running_loop().create_task(sweeper.run()))


def sweeping(application: Application) -> Application:
    """Start the sweeper with the first connection of this process, and send live updates from its loop."""

    async def call(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        live.serve_from(asyncio.get_running_loop())
        _start_sweeper()
        return await application(scope, receive, send)

    return call


fit_daphne()
websockets = same_origin(
    AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    is_tls=settings.ENVIRONMENT.tls_cert is not None,
)
http = with_agent_door(django_application)
application = believing(sweeping(ProtocolTypeRouter({"http": http, "websocket": websockets})))
