"""OBT's server with a bare Django view beside it, for comparison: `daphne obt_site.bench.bare:application`.

`/bare` goes through Django's own handler without any middleware, `/api/v1/agent/bare` through the agents' door with
what stands before every call of an agent. Both read the JSON of a POST and answer with some.
"""

import json
import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "obt_site.settings")

from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, JsonResponse
from django.urls import path

from obt_site.asgi import application as whole
from obt_site.urls import *  # noqa: F403
from obt_site.urls import urlpatterns as of_obt

BARE = "/bare"


async def bare(request: HttpRequest) -> JsonResponse:
    """What every view does at least."""
    return JsonResponse({"fields": len(json.loads(request.body))})


urlpatterns = [path("bare", bare), path("api/v1/agent/bare", bare), *of_obt]


class BareHandler(ASGIHandler):
    """Django's handler with no middleware."""

    def load_middleware(self, is_async: bool = False) -> None:
        given, settings.MIDDLEWARE = settings.MIDDLEWARE, []
        try:
            super().load_middleware(is_async=is_async)
        finally:
            settings.MIDDLEWARE = given


settings.ROOT_URLCONF = __name__
_handler = BareHandler()


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Daphne's entry."""
    await (_handler if scope.get("path") == BARE else whole)(scope, receive, send)
