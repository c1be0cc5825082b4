"""Around every request: an id, the security headers, the cap on bodies, and one shape for refusals.

Function middleware that works for sync and async views alike, so that long polls hold no thread.
"""

import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import pymongo.errors
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import patch_vary_headers
from django.utils.decorators import sync_and_async_middleware

from agent.obt_agent import contract
from obt_site import actor, errors

log = logging.getLogger(__name__)

Handler = Callable[[HttpRequest], Any]
_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
AGENT_PREFIX = "/api/v1/agent/"
API_PREFIX = "/api/"

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "manifest-src 'self'",
    )
)
UNUSED_FEATURES = (
    "accelerometer",
    "camera",
    "display-capture",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "publickey-credentials-get",
    "screen-wake-lock",
    "serial",
    "usb",
    "xr-spatial-tracking",
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in UNUSED_FEATURES),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def current_request_id() -> str | None:
    """The id of the request being answered, for log lines."""
    return _request_id.get()


def _around(
    get_response: Handler,
    before: Callable[[HttpRequest], HttpResponse | None],
    after: Callable[[HttpRequest, HttpResponse], HttpResponse] = lambda request, response: response,
) -> Handler:
    """Middleware that runs `before` (which may answer itself) and `after`, whichever kind of handler comes next."""
    if iscoroutinefunction(get_response):

        async def handle_async(request: HttpRequest) -> HttpResponse:
            early = before(request)
            return after(request, early if early is not None else await get_response(request))

        return handle_async

    def handle(request: HttpRequest) -> HttpResponse:
        early = before(request)
        return after(request, early if early is not None else get_response(request))

    return handle


@sync_and_async_middleware
def request_id(get_response: Handler) -> Handler:
    """Gives each request an id, in `request.request_id`, the log and the `X-Request-ID` header."""

    def before(request: HttpRequest) -> None:
        request.request_id = secrets.token_hex(8)  # type: ignore[attr-defined]
        _request_id.set(request.request_id)  # type: ignore[attr-defined]
        actor.acts(actor.THE_SERVER)  # until somebody is let in

    def after(request: HttpRequest, response: HttpResponse) -> HttpResponse:
        response["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
        return response

    return _around(get_response, before, after)


@sync_and_async_middleware
def security_headers(get_response: Handler) -> Handler:
    """The strict headers, on everything. Pages of a person are never stored by caches between.

    What came by https, straight or as the trusted proxy says, is answered with cookies for https only, and the browser
    is told to come by https from now on.
    """

    def after(request: HttpRequest, response: HttpResponse) -> HttpResponse:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if not request.path.startswith(settings.STATIC_URL):
            response.headers.setdefault("Cache-Control", "no-store, private")
        if request.is_secure():
            _by_https_only(request, response)
        return response

    return _around(get_response, lambda request: None, after)


def _by_https_only(request: HttpRequest, response: HttpResponse) -> None:
    for cookie in response.cookies.values():
        cookie["secure"] = True
    if not request.headers.get("Host", "").startswith("localhost"):  # that name belongs to every program of a machine
        response.headers.setdefault("Strict-Transport-Security", f"max-age={settings.SECURE_HSTS_SECONDS}")


def body_limit_bytes(path: str) -> int:
    """How large a body may be at this path, in bytes."""
    if path.startswith(AGENT_PREFIX):
        if re.fullmatch(rf"{AGENT_PREFIX}jobs/[^/]+/result", path):
            return contract.RESULT_BODY_BYTES
        return contract.SYNC_BODY_BYTES
    return settings.USER_BODY_BYTES if path.startswith(API_PREFIX) else settings.FORM_BODY_BYTES


@sync_and_async_middleware
def body_cap(get_response: Handler) -> Handler:
    """Refuses a body whose declared length is over the cap, and a compressed one, which would be larger than it looks.

    What arrives undeclared is stopped at the edge of the server (`obt_site/edge.py`), before it is stored anywhere.
    """

    def before(request: HttpRequest) -> HttpResponse | None:
        coding = request.headers.get("Content-Encoding", "identity").strip().lower()
        if coding not in ("", "identity"):
            refusal: errors.Refusal = errors.WrongMediaType("Send the body as it is, without Content-Encoding.")
            response = errors.respond(request, refusal)
            response["Accept-Encoding"] = "identity"
            return response
        limit = body_limit_bytes(request.path)
        if _declared(request) > limit:
            refusal = errors.TooLarge(f"The body is larger than the {limit // 1024} kB that this call takes.")
            return errors.respond(request, refusal)
        return None

    return _around(get_response, before)


def _declared(request: HttpRequest) -> int:
    try:
        return int(request.headers.get("Content-Length") or 0)
    except ValueError:
        return 0


class SqueezePages(GZipMiddleware):
    """Pages are sent by gzip, padded at random against guessing their secrets by their length."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not response.headers.get("Content-Type", "").startswith("text/html"):
            return response
        return super().process_response(request, response)


class RefusalMiddleware:
    """Turns a Refusal raised by a view into its answer, and a database that is away into 503."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponse | Awaitable[HttpResponse]:
        return self.get_response(request)  # type: ignore[no-any-return]

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, errors.Refusal):
            return errors.respond(request, exception)
        if isinstance(exception, pymongo.errors.PyMongoError) and not isinstance(
            exception, pymongo.errors.DuplicateKeyError
        ):
            log.error("the database did not answer: %s", type(exception).__name__)
            request.database_is_away = True  # type: ignore[attr-defined]
            away = errors.Unavailable("The database does not answer. What is stored is safe; try again.", (), 5)
            return errors.respond(request, away)
        return None


CORS_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, If-None-Match",
    "Access-Control-Max-Age": "600",
}
CORS_EXPOSED = "ETag, Link, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, X-Request-ID"


@sync_and_async_middleware
def cors(get_response: Handler) -> Handler:
    """Pages of the origins in `OBT_CORS_ORIGINS` may call the user API, by token only: their cookies do not count.

    No other path, and nothing when none is listed. Without a header from here a browser keeps the answer from the page.
    """

    def before(request: HttpRequest) -> HttpResponse | None:
        if not _is_listed(request):
            return None
        request.META.pop("HTTP_COOKIE", None)
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return HttpResponse(status=204, headers=CORS_PREFLIGHT)
        return None

    def after(request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if settings.CORS_ORIGINS and _is_user_api(request.path):
            patch_vary_headers(response, ("Origin",))
        if _is_listed(request):
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Access-Control-Expose-Headers"] = CORS_EXPOSED
        return response

    return _around(get_response, before, after)


def _is_user_api(path: str) -> bool:
    return path.startswith(API_PREFIX) and not path.startswith(AGENT_PREFIX)


def _is_listed(request: HttpRequest) -> bool:
    """Whether a page of a listed origin, and not one of ours, calls the user API."""
    origin = request.headers.get("Origin")
    ours = f"{request.scheme}://{request.headers.get('Host', '')}"
    return origin in settings.CORS_ORIGINS and origin != ours and _is_user_api(request.path)
