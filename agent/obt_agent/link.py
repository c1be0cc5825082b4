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
import re
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional, TypeVar, cast
from urllib.parse import quote, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NewConnectionError
from urllib3.exceptions import ProxyError as PoolProxyError
from urllib3.exceptions import SSLError as PoolSSLError
from urllib3.exceptions import TimeoutError as PoolTimeout

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
SYNC_PATH = "/sync"
LIVE_PATH = "/health/live"
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


class _Way:
    """How one thread's calls reach the server: requests decides about TLS and proxies, once, and urllib3 carries them.

    Every call through requests itself takes as long again, from a machine that is being measured.
    """

    def __init__(
        self, server: str, ca_file: Optional[Path], adapter: HTTPAdapter, cert_sha256: Optional[str] = None
    ) -> None:
        self.adapter = adapter
        with requests.Session() as session:
            session.trust_env = not is_loopback(server)
            verify: Any = str(ca_file) if ca_file else None  # else the environment could replace it
            settings = session.merge_environment_settings(server, {}, None, verify, None)
        request = requests.Request("POST", server + PREFIX).prepare()
        proxies, verify = settings["proxies"], settings["verify"]
        pool = self.adapter.get_connection_with_tls_context(request, verify, proxies=proxies)
        self.adapter.cert_verify(pool, server, verify, None)  # type: ignore[no-untyped-call]
        self.pool = cast(urllib3.HTTPConnectionPool, pool)
        if cert_sha256 is not None and isinstance(pool, urllib3.HTTPSConnectionPool):
            # The one certificate says more than an authority and a name; urllib3 ends a connection that shows another.
            pool.assert_fingerprint, pool.cert_reqs = cert_sha256, "CERT_NONE"
        self.prefix = self.adapter.request_url(request, proxies).removesuffix(PREFIX)  # of a proxy: the whole address


class Link:
    """Thread-safe: every thread has a connection of its own."""

    def __init__(
        self,
        server: str,
        credential: Optional[str] = None,
        ca_file: Optional[Path] = None,
        cert_sha256: Optional[str] = None,
    ) -> None:
        self.server = server
        self._credential = credential
        self._ca_file, self._cert_sha256 = ca_file, cert_sha256
        self._local = threading.local()
        self._syncing: Optional[InterruptibleAdapter] = None

    def use(self, credential: str) -> None:
        self._credential = credential

    # -- the four calls ------------------------------------------------------------------------------------------

    def register(self, request: RegisterRequest) -> RegisterResponse:
        return self._call(RegisterResponse, "POST", "/register", wire.dumps(request), READ_TIMEOUT_S)

    def sync(self, request: SyncRequest) -> SyncResponse:
        """Blocks up to `request.hold_s`; `interrupt_sync` ends it earlier with Unreachable."""
        way = self._way(SYNC_PATH)
        assert isinstance(way.adapter, InterruptibleAdapter)
        self._syncing = way.adapter
        return self._call(SyncResponse, "POST", SYNC_PATH, wire.dumps(request), request.hold_s + SYNC_GRACE_S)

    def interrupt_sync(self) -> None:
        if self._syncing is not None:
            self._syncing.interrupt()

    def progress(self, job: str, request: ProgressRequest, timeout_s: float = READ_TIMEOUT_S) -> ProgressResponse:
        path = f"/jobs/{quote(job, safe='')}/progress"
        return self._call(ProgressResponse, "POST", path, wire.dumps(request), timeout_s)

    def result(self, job: str, body: bytes, timeout_s: float = RESULT_READ_TIMEOUT_S) -> None:
        """Deliver a ResultBody that was made into bytes before, so that each try sends the very same."""
        self._request("PUT", f"/jobs/{quote(job, safe='')}/result", body, timeout_s)

    def look(self, timeout_s: float) -> None:
        """Ask whether the server lives; without a credential. Raises LinkError when it does not say so."""
        self._request("GET", LIVE_PATH, b"", timeout_s)

    # -- HTTP ----------------------------------------------------------------------------------------------------

    def _way(self, path: str) -> _Way:
        """This thread's way to the server. Raises requests' errors for an address or a proxy that is none.

        A sync has one of its own: it is the one call that may be cut off, because it is asked again anyway.
        """
        name = "sync" if path == SYNC_PATH else "other"
        way: Optional[_Way] = getattr(self._local, name, None)
        if way is None:
            adapter = InterruptibleAdapter() if path == SYNC_PATH else HTTPAdapter()
            way = _Way(self.server, self._ca_file, adapter, self._cert_sha256)
            setattr(self._local, name, way)
        return way

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
            "Accept": "*/*",
            "Accept-Encoding": "identity",
        }
        if self._credential:
            headers["Authorization"] = f"Bearer {self._credential}"
        try:
            way = self._way(path)
            with way.pool.urlopen(
                method,
                way.prefix + (path if path == LIVE_PATH else PREFIX + path),
                body,
                headers,
                retries=False,
                redirect=False,
                assert_same_host=False,
                timeout=urllib3.Timeout(connect=min(CONNECT_TIMEOUT_S, timeout_s), read=timeout_s),
                preload_content=False,
                decode_content=True,
            ) as response:
                content = response.read(ANSWER_BYTES) or b""
                response.release_conn()
        except Exception as error:  # requests', urllib3's, http.client's and the system's own
            raise Unreachable(describe(error, self.server)) from None
        if not 200 <= response.status < 300:
            raise refused(response.status, response.headers, content, urlsplit(self.server).netloc)
        return content


def describe(error: Exception, server: str) -> str:
    """Why no answer came, as a sentence."""
    text = str(error)
    if isinstance(error, (requests.exceptions.SSLError, PoolSSLError)):
        return _untrusted(text, server)
    if isinstance(error, (requests.exceptions.ProxyError, PoolProxyError)):
        return f"The proxy of this machine's environment does not lead to {server} ({_inner(text)})."
    if isinstance(error, (requests.exceptions.Timeout, PoolTimeout)) and not isinstance(error, NewConnectionError):
        return f"The server at {server} did not answer in time."
    if "refused" in text or "10061" in text:
        return f"The server at {server} refused the connection."
    if any(sign in text for sign in ("Name or service", "getaddrinfo", "resolve", "nodename")):
        return f"The name {urlsplit(server).hostname} could not be found."
    return f"The server at {server} cannot be reached ({_inner(text)})."


# What OpenSSL and urllib3 say, and what it means; the first that fits.
UNTRUSTED = (
    (r"wrong.version.number|record.layer.failure|unexpected.eof|EOF occurred|http.request",
     "What answers at {server} does not speak https. The agent never goes on without encryption by itself: give the "
     "address of its https port, or http:// if that is meant."),
    (r"certificate has expired", "The certificate of {server} has expired; it has to be renewed on the server."),
    (r"not yet valid", "The certificate of {server} is not valid yet; is this machine's clock right?"),
    (r"ostname mismatch|IP address mismatch|doesn't match|no appropriate",
     "The certificate of {server} is for another name; give the server's address as the certificate has it."),
    (r"ingerprint", "{server} shows another certificate than the one that --cert-sha256 names."),
    (r"self.signed certificate(?! in)",
     "The certificate of {server} is vouched for by nobody but itself; if it is yours, name it with --ca-file."),
    (r"local issuer|self.signed certificate in|unable to get issuer|unknown ca",
     "The certificate of {server} is from an authority that this machine does not know; name it with --ca-file."),
)  # fmt: skip


def _untrusted(text: str, server: str) -> str:
    for sign, sentence in UNTRUSTED:
        if re.search(sign, text, re.IGNORECASE):
            return sentence.format(server=server)
    return f"The certificate of {server} is not trusted; give its authority with --ca-file ({_inner(text)})."


def _inner(text: str) -> str:
    """The last and most telling part of a nested error's text."""
    return text.rpartition("Caused by ")[2].strip("()")[:200]


def refused(status: int, headers: Mapping[str, str], content: bytes, where: str) -> Refused:
    """The error for a status other than 2xx, with the `detail` of problem+json where there is one."""
    detail = _detail(content) or f"The server at {where} answered HTTP {status}."
    if 300 <= status < 400:
        target = headers.get("Location", "nowhere")[:200]
        detail = f"{where} answers with a redirect to {target}; give the right address with --server."
    kind = Unauthorized if status == 401 else Refused
    return kind(status, detail, retry_after_s(headers.get("Retry-After")))


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
