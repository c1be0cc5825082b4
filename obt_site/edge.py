"""The outermost fence: what daphne takes in before any of our code would see it.

Twisted writes a whole request body to memory or a temporary file before it calls the application. `cap_bodies` makes
daphne's requests stop at the cap of their path instead: by the declared length at once, and by what has arrived
otherwise. The rest of a refused body is read and thrown away for a while, so that the sender gets to see the 413.
`same_origin` closes WebSockets to pages of any other origin; another port of this machine is one, and so is http beside
https.
"""

import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier
from daphne.http_protocol import WebRequest

from obt_site.env_values import DEFAULT_PORTS
from obt_site.middleware import body_limit_bytes

THROWN_AWAY_BYTES = 64 * 1024 * 1024  # after that a refused sender is cut off
PAGE_SCHEMES = {"ws": "http", "wss": "https"}
Application = Callable[..., Awaitable[None]]


def cap_bodies() -> None:
    """Fit daphne's requests with the cap. Safe to call again."""
    if getattr(WebRequest, "obt_is_capped", False):
        return
    got_length, handle_chunk, process = WebRequest.gotLength, WebRequest.handleContentChunk, WebRequest.process

    def capped_length(self: Any, length: int | None) -> None:
        path = bytes(getattr(self.channel, "_path", b"")).decode("latin-1").partition("?")[0]
        self.obt_limit = body_limit_bytes(path)
        self.obt_taken, self.obt_refused = 0, False
        too_large = length is not None and length > self.obt_limit
        got_length(self, 0 if too_large else length)
        if too_large:
            _refuse(self)

    def capped_chunk(self: Any, data: bytes) -> None:
        self.obt_taken += len(data)
        if not self.obt_refused and self.obt_taken > self.obt_limit:
            _refuse(self)
        if not self.obt_refused:
            handle_chunk(self, data)
        elif self.obt_taken > self.obt_limit + THROWN_AWAY_BYTES:
            self.channel.forceAbortClient()

    def capped_process(self: Any) -> None:
        if self.obt_refused:
            self.channel.loseConnection()
        else:
            process(self)

    WebRequest.gotLength, WebRequest.handleContentChunk = capped_length, capped_chunk
    WebRequest.process, WebRequest.obt_is_capped = capped_process, True


def _refuse(request: Any) -> None:
    """Answer 413 now, in the one error shape, and keep nothing of the body."""
    request.obt_refused = True
    request.content.seek(0)
    request.content.truncate()
    identity = secrets.token_hex(8)
    detail = f"The body is larger than the {request.obt_limit // 1024} kB that this call takes."
    problem = {
        "type": "urn:obt:error:too_large",
        "title": "Request Entity Too Large",
        "status": 413,
        "detail": detail,
        "errors": [],
        "request_id": identity,
    }
    body = json.dumps(problem).encode()
    head = (
        "HTTP/1.1 413 Request Entity Too Large\r\nContent-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\nX-Request-ID: {identity}\r\n"
        "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    request.channel.transport.write(head.encode() + body)


def same_origin(application: Application, *, is_tls: bool = False) -> Application:
    """Let only WebSockets through whose page came from the very scheme, host and port they ask.

    daphne gives a WebSocket no scheme: it is what a trusted proxy says, else what this server speaks itself (`is_tls`).
    """

    async def call(scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = dict(scope.get("headers", []))
        page = _place(headers.get(b"origin", b"").decode("latin-1"))
        scheme = scope.get("scheme") or ("https" if is_tls else "http")
        host = headers.get(b"host", b"").decode("latin-1")
        if page is None or page != _place(f"{PAGE_SCHEMES.get(scheme, scheme)}://{host}"):
            return await WebsocketDenier()(scope, receive, send)  # type: ignore[no-any-return]
        return await application(scope, receive, send)

    return call


def _place(origin: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an origin, the port also where it is not written; None for what is no origin."""
    try:
        parts = urlsplit(origin)
        port = parts.port or DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None
