"""The agent's side of the wire contract: four calls to one server, and what can come back instead of an answer.

LinkError
├── Unreachable   no answer: refused, timed out, broken off, TLS not trusted
└── Refused       an HTTP status other than 2xx, with the server's own sentence
    └── Unauthorized   401: the credential (or the token) is not accepted

It never follows a redirect, never falls back from https to http, never reads `.netrc`, and sends nothing for this
machine's loopback through a proxy.
"""

from __future__ import annotations

import contextlib
import email.utils
import json
import threading
import time
from pathlib import Path
from typing import Any, Optional, TypeVar
from urllib.parse import quote, urlsplit

import requests
from requests.auth import AuthBase

from . import __version__, wire
from .config import is_loopback
from .contract import (
    ProgressRequest,
    ProgressResponse,
    RegisterRequest,
    RegisterResponse,
    SyncRequest,
    SyncResponse,
)
from .interruptible import InterruptibleAdapter

PREFIX = "/api/v1/agent"
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
RESULT_READ_TIMEOUT_S = 120.0
SYNC_GRACE_S = 15.0  # a held poll may come so much later than the hold before the server counts as gone
ANSWER_BYTES = 4 * 1024 * 1024
DETAIL_LENGTH = 500
RETRYABLE_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})

T = TypeVar("T")


class LinkError(Exception):
    """The call had no usable answer. The message is a sentence."""

    status: Optional[int] = None
    retry_after_s: Optional[float] = None


class Unreachable(LinkError):
    pass


class Refused(LinkError):
    def __init__(self, status: int, detail: str, retry_after_s: Optional[float] = None) -> None:
        super().__init__(detail)
        self.status, self.retry_after_s = status, retry_after_s


class Unauthorized(Refused):
    pass


def retryable(error: LinkError) -> bool:
    """Whether the same call may succeed later without anything being changed."""
    return isinstance(error, Unreachable) or error.status in RETRYABLE_STATUSES


class _Bearer(AuthBase):
    """Sets the credential. Also without one: with an auth of our own, requests never looks into .netrc."""

    def __init__(self, credential: Optional[str]) -> None:
        self.credential = credential

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.credential:
            request.headers["Authorization"] = f"Bearer {self.credential}"
        return request


class Link:
    """Thread-safe: every thread has a connection of its own."""

    def __init__(self, server: str, credential: Optional[str] = None, ca_file: Optional[Path] = None) -> None:
        self.server = server
        self._auth = _Bearer(credential)
        self._ca_file = ca_file
        self._sync_url = f"{server}{PREFIX}/sync"  # the one call that may be cut off: it is asked again anyway
        self._local = threading.local()
        self._sync_adapter: Optional[InterruptibleAdapter] = None

    def use(self, credential: str) -> None:
        self._auth.credential = credential

    # -- the four calls ------------------------------------------------------------------------------------------

    def register(self, request: RegisterRequest) -> RegisterResponse:
        return self._call(RegisterResponse, "POST", "/register", wire.dumps(request), READ_TIMEOUT_S)

    def sync(self, request: SyncRequest) -> SyncResponse:
        """Blocks up to `request.hold_s`; `interrupt_sync` ends it earlier with Unreachable."""
        adapter = self._session().get_adapter(self._sync_url)
        assert isinstance(adapter, InterruptibleAdapter)
        self._sync_adapter = adapter
        return self._call(SyncResponse, "POST", "/sync", wire.dumps(request), request.hold_s + SYNC_GRACE_S)

    def interrupt_sync(self) -> None:
        if self._sync_adapter is not None:
            self._sync_adapter.interrupt()

    def progress(self, job: str, request: ProgressRequest, timeout_s: float = READ_TIMEOUT_S) -> ProgressResponse:
        path = f"/jobs/{quote(job, safe='')}/progress"
        return self._call(ProgressResponse, "POST", path, wire.dumps(request), timeout_s)

    def result(self, job: str, body: bytes, timeout_s: float = RESULT_READ_TIMEOUT_S) -> None:
        """Deliver a ResultBody that was made into bytes before, so that each try sends the very same."""
        self._request("PUT", f"/jobs/{quote(job, safe='')}/result", body, timeout_s)

    # -- HTTP ----------------------------------------------------------------------------------------------------

    def _session(self) -> requests.Session:
        session: Optional[requests.Session] = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.auth = self._auth
            session.trust_env = not is_loopback(self.server)
            if self._ca_file:
                session.verify = str(self._ca_file)
            session.mount(self._sync_url, InterruptibleAdapter())
        return session

    def _call(self, kind: type[T], method: str, path: str, body: bytes, timeout_s: float) -> T:
        answer = self._request(method, path, body, timeout_s)
        try:
            return wire.decode(kind, wire.loads(answer), lenient=True)
        except wire.WireError as error:
            raise Unreachable(
                f"What answers at {self.server} does not speak this agent's protocol: {error}"[:DETAIL_LENGTH]
            ) from None

    def _request(self, method: str, path: str, body: bytes, timeout_s: float) -> bytes:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"obt-agent/{__version__}",
            "Accept-Encoding": "identity",
        }
        session = self._session()
        verify: Any = str(self._ca_file) if self._ca_file else None  # else the environment could replace it
        try:
            with session.request(
                method,
                self.server + PREFIX + path,
                data=body,
                headers=headers,
                timeout=(min(CONNECT_TIMEOUT_S, timeout_s), timeout_s),
                allow_redirects=False,
                stream=True,
                verify=verify,
            ) as response:
                content = response.raw.read(ANSWER_BYTES, decode_content=True) or b""
        except (requests.RequestException, OSError, ValueError) as error:
            raise Unreachable(describe(error, self.server)) from None
        except Exception as error:  # urllib3's own errors come through while the body is read
            raise Unreachable(f"The server at {self.server} broke off its answer ({type(error).__name__}).") from None
        if not 200 <= response.status_code < 300:
            raise refused(response, content)
        return content


def describe(error: Exception, server: str) -> str:
    """Why no answer came, as a sentence."""
    text = str(error)
    if isinstance(error, requests.exceptions.SSLError):
        return f"The certificate of {server} is not trusted; give its authority with --ca-file ({_inner(text)})."
    if isinstance(error, requests.exceptions.ProxyError):
        return f"The proxy of this machine's environment does not lead to {server} ({_inner(text)})."
    if isinstance(error, requests.exceptions.Timeout):
        return f"The server at {server} did not answer in time."
    if "refused" in text or "10061" in text:
        return f"The server at {server} refused the connection."
    if any(sign in text for sign in ("Name or service", "getaddrinfo", "resolve", "nodename")):
        return f"The name {urlsplit(server).hostname} could not be found."
    return f"The server at {server} cannot be reached ({_inner(text)})."


def _inner(text: str) -> str:
    """The last and most telling part of a nested error's text."""
    return text.rpartition("Caused by ")[2].strip("()")[:200]


def refused(response: requests.Response, content: bytes) -> Refused:
    """The error for a status other than 2xx, with the `detail` of problem+json where there is one."""
    status, where = response.status_code, urlsplit(response.url).netloc
    detail = _detail(content) or f"The server at {where} answered HTTP {status}."
    if 300 <= status < 400:
        target = response.headers.get("Location", "nowhere")[:200]
        detail = f"{where} answers with a redirect to {target}; give the right address with --server."
    kind = Unauthorized if status == 401 else Refused
    return kind(status, detail, retry_after_s(response.headers.get("Retry-After")))


def _detail(content: bytes) -> Optional[str]:
    with contextlib.suppress(ValueError, RecursionError):
        problem = json.loads(content)
        text = (problem.get("detail") or problem.get("title")) if isinstance(problem, dict) else None
        if isinstance(text, str):
            return " ".join(text.split())[:DETAIL_LENGTH] or None
    return None


def retry_after_s(header: Optional[str]) -> Optional[float]:
    """Seconds to wait from a Retry-After header, in either of its forms. None when it says nothing usable."""
    if not header:
        return None
    if header.strip().isdigit():
        return float(header)
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    return None
