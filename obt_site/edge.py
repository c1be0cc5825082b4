"""The outermost fence: what daphne takes in before any of our code would see it.

`fit_daphne` gives daphne's connections, requests and sockets their limits. Twisted writes a whole request body to
memory or a temporary file before it calls the application: a request stops at the cap of its path instead, by the
declared length at once, and by what has arrived otherwise. The rest of a refused body is read and thrown away for a
while, so that the sender gets to see the 413. How long a connection may take is in `obt_site/patience.py`.
`same_origin` closes WebSockets to pages of any other origin; another port of this machine is one, and so is http beside
https.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from django.conf import settings
from twisted.web.http import _GenericHTTPChannelProtocol

from obt_site.env_values import DEFAULT_PORTS
from obt_site.middleware import body_limit_bytes
from obt_site.patience import PatientChannel
from obt_site.plain_answers import plain_problem

THROWN_AWAY_BYTES = 64 * 1024 * 1024  # after that a refused sender is cut off
DAPHNE_WORDS = {
    400: "The server could not read this request.",
    500: "Something broke in the server. The log has the details.",
    503: "The server did not answer in time. Try again.",
}
PAGE_SCHEMES = {"ws": "http", "wss": "https"}
Application = Callable[..., Awaitable[None]]


def fit_daphne() -> None:
    """Fit daphne with our limits. Safe to call again."""
    if getattr(WebRequest, "obt_is_fitted", False):
        return
    WebRequest.obt_is_fitted = True
    _fit_requests()
    _fit_server()
    HTTPFactory.protocol = lambda factory: _GenericHTTPChannelProtocol(PatientChannel())


def _fit_requests() -> None:
    got_length, handle_chunk, process = WebRequest.gotLength, WebRequest.handleContentChunk, WebRequest.process

    def capped_length(self: Any, length: int | None) -> None:
        path = bytes(getattr(self.channel, "_path", b"")).decode("latin-1").partition("?")[0]
        self._parsePOSTFormSubmission = False  # Django reads forms; Twisted would read each a first time
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

    def basic_error(self: Any, status: int, status_text: bytes, body: str) -> None:
        """What daphne says by itself, in the one error shape."""
        headers, content = plain_problem(status, DAPHNE_WORDS.get(status, DAPHNE_WORDS[500]))
        if self.channel is not None:
            self.channel.persistent = False
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        self.handle_reply({"type": "http.response.start", "status": status, "headers": raw})
        self.handle_reply({"type": "http.response.body", "body": content})

    WebRequest.gotLength, WebRequest.handleContentChunk = capped_length, capped_chunk
    WebRequest.process, WebRequest.basic_error = capped_process, basic_error


def _fit_server() -> None:
    make = Server.__init__

    def limited(self: Any, *arguments: Any, **options: Any) -> None:
        make(self, *arguments, **options)
        self.websocket_max_message_size = self.websocket_max_frame_size = settings.SOCKET_FRAME_BYTES
        self.ping_interval, self.ping_timeout = settings.SOCKET_PING_EVERY_S, settings.SOCKET_PONG_WITHIN_S

    Server.__init__ = limited
    send = WebSocketProtocol.sendMessage

    def send_whole(self: Any, *arguments: Any, **options: Any) -> None:
        """autobahn holds what is sent against the cap of what is received, too; pages are larger than what they say."""
        most, self.maxMessagePayloadSize = self.maxMessagePayloadSize, 0
        try:
            send(self, *arguments, **options)
        finally:
            self.maxMessagePayloadSize = most

    WebSocketProtocol.sendMessage = send_whole


def _refuse(request: Any) -> None:
    """Answer 413 now and keep nothing of the body."""
    request.obt_refused = True
    request.content.seek(0)
    request.content.truncate()
    detail = f"The body is larger than the {request.obt_limit // 1024} kB that this call takes."
    request.channel.say(413, detail)


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
            await receive()  # that somebody wants to connect
            await send({"type": "websocket.close"})  # daphne answers 403
            return
        await application(scope, receive, send)

    return call


def _place(origin: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an origin, the port also where it is not written; None for what is no origin."""
    try:
        parts = urlsplit(origin)
        port = parts.port or DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None
