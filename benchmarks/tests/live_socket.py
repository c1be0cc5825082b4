"""For live tests: a browser's side of a live page, over the real ASGI application, consumer and database."""

import json
from typing import Any

from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

from obt_site.accounts.sessions import SessionStore
from obt_site.asgi import application

PATIENCE_S = 20.0
NORMAL_CLOSE = 1000


def cookie_of(user: Any) -> str:
    """The session cookie of someone who has signed in."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


class Socket:
    """`shown` is what the page would show now: every part as it was sent last."""

    def __init__(self, path: str, cookie: str = "", authorization: str = "") -> None:
        headers = [(b"origin", b"http://localhost"), (b"host", b"localhost"), (b"cookie", cookie.encode())]
        headers += [(b"authorization", authorization.encode())] if authorization else []
        self.link = WebsocketCommunicator(application, path, headers)
        self.shown: dict[str, str] = {}
        self.sequence: list[int] = []

    async def __aenter__(self) -> "Socket":
        connected, _ = await self.link.connect(PATIENCE_S)
        assert connected
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.link.disconnect()

    async def message(self) -> dict[str, Any]:
        """The next message, applied as the page's script would."""
        found: dict[str, Any] = json.loads(await self.link.receive_from(PATIENCE_S))
        self.shown.update(found.get("html", {}))
        self.sequence.append(found["seq"])
        return found

    async def until(self, part: str, words: str) -> dict[str, Any]:
        """Read on until this part shows these words; the message that brought them."""
        while True:
            found = await self.message()
            if words in self.shown.get(part, ""):
                return found

    async def closed(self) -> int:
        """Read on until the server closes; the code."""
        while True:
            output = await self.link.receive_output(PATIENCE_S)
            if output["type"] == "websocket.close":
                return int(output.get("code") or NORMAL_CLOSE)
