"""Rate limits around requests: which class a call is of, who is counted, and what the answer says about it.

`rate_limit` counts every call by its address before anything is done for it. Where a caller is let in (agents, tokens,
sessions), `spend` counts it by who that is, never by what somebody claims to be: nobody can use up another's calls.
"""

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

from obt_site import errors, rates
from obt_site.address import address_of
from obt_site.middleware import AGENT_PREFIX, API_PREFIX
from obt_site.rates import Count

READS = ("GET", "HEAD", "OPTIONS")
FREE = ("/health/",)  # load balancers and `up` ask without end; an answer costs nothing
Handler = Callable[[HttpRequest], Any]


def kind_of(request: HttpRequest) -> str:
    """The class of this call, one of `obt_site/rate_table.py`; "" for what is not counted."""
    path, is_read = request.path, request.method in READS
    if path.startswith(AGENT_PREFIX):
        return {"register": "register", "sync": "agent_sync"}.get(path[len(AGENT_PREFIX) :]) or _of_a_job(path)
    if path.startswith((settings.STATIC_URL, *FREE)):
        return ""
    if path.endswith(".csv") or "/export" in path:
        return "export"
    if path.startswith(API_PREFIX):
        return "api_read" if is_read else "api_write"
    return "page_read" if is_read else "page_write"


def _of_a_job(path: str) -> str:
    return "agent_result" if path.endswith("/result") else "agent_progress"


def spend(request: HttpRequest, caller: str) -> None:
    """Count this call for a caller who was let in: `machine:<id>`, `token:<id>` or `person:<id>`. Raises TooMany."""
    _noted(request, rates.by_caller(kind_of(request), caller))


def _noted(request: HttpRequest, count: Count | None) -> None:
    """Remember what the answer says: of several counts the one that is nearest to its end. Raises TooMany."""
    if count is None:
        return
    known: Count | None = getattr(request, "rate_count", None)
    if known is None or count.remaining / count.limit <= known.remaining / known.limit:
        request.rate_count = count  # type: ignore[attr-defined]
    if not count.allowed:
        seconds = "second" if count.reset_s == 1 else "seconds"
        raise errors.TooMany(
            f"These are more than {count.limit:,} calls of this kind; wait {count.reset_s} {seconds}, then go on.",
            (),
            count.reset_s,
        )


def _told(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    count: Count | None = getattr(request, "rate_count", None)
    if count is not None:
        response["RateLimit-Limit"] = str(count.limit)
        response["RateLimit-Remaining"] = str(count.remaining)
        response["RateLimit-Reset"] = str(count.reset_s)
    return response


@sync_and_async_middleware
def rate_limit(get_response: Handler) -> Handler:
    """Counts calls by address, and says in every answer how many are left."""
    if iscoroutinefunction(get_response):

        async def handle_async(request: HttpRequest) -> HttpResponse:
            kind = kind_of(request)
            limited = kind in settings.RATES_BY_ADDRESS
            count = rates.by_address(kind, address_of(request) or "unknown", ask=False) if limited else None
            if limited and count is None:  # only once per block: the store may make us wait
                count = await sync_to_async(rates.by_address, thread_sensitive=False)(
                    kind, address_of(request) or "unknown"
                )
            refusal = _refusal(request, count)
            return _told(request, refusal or await get_response(request))

        return handle_async

    def handle(request: HttpRequest) -> HttpResponse:
        refusal = _refusal(request, rates.by_address(kind_of(request) or "", address_of(request) or "unknown"))
        return _told(request, refusal or get_response(request))

    return handle


def _refusal(request: HttpRequest, count: Count | None) -> HttpResponse | None:
    try:
        _noted(request, count)
    except errors.TooMany as refusal:
        return errors.respond(request, refusal)
    return None
