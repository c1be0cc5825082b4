from __future__ import annotations

import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agent.obt_agent.contract import OllamaState, ProgressRequest, RegisterRequest, SyncRequest
from agent.obt_agent.link import Link, LinkError, Refused, Unauthorized, Unreachable, retryable
from agent.tests.fake_server import CREDENTIAL, TOKEN, FakeServer, Fault

SYNC = SyncRequest(1, "0.1.0", "boot", OllamaState("http://x", False), slots=0, hold_s=0.0)
HELD = SyncRequest(1, "0.1.0", "boot", OllamaState("http://x", False), slots=0, hold_s=30.0)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer().start()
    yield fake
    fake.stop()


class Raw:
    """A server that answers with exactly these bytes, and keeps what it was asked."""

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler], None], context: ssl.SSLContext | None = None) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        raw = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                self.rfile.read(int(self.headers["Content-Length"]))
                answer(self)

            do_PUT = do_GET = do_POST

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.handle_error = lambda *_: None  # type: ignore[method-assign]
        if context is not None:
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()
        self.port = self.http.server_address[1]

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.http.server_close()


def test_it_registers_and_syncs_with_the_credential(server: FakeServer) -> None:
    link = Link(server.url)
    answer = link.register(RegisterRequest(TOKEN, "host", "0.1.0", 1))
    link.use(answer.credential)
    assert link.sync(SYNC).next_sync_s == 0.0


def test_a_wrong_credential_is_unauthorized_and_not_tried_again(server: FakeServer) -> None:
    with pytest.raises(Unauthorized, match="credential is not valid") as caught:
        Link(server.url, "obta_wrong").sync(SYNC)
    assert not retryable(caught.value)


def test_the_servers_detail_and_retry_after_are_in_the_error(server: FakeServer) -> None:
    body = b'{"title": "Busy", "detail": "Come back\\nlater."}'
    server.fail("sync", Fault(status=503, headers={"Retry-After": "7"}, body=body))
    with pytest.raises(Refused) as caught:
        Link(server.url, CREDENTIAL).sync(SYNC)
    assert str(caught.value) == "Come back later."
    assert caught.value.retry_after_s == 7.0
    assert retryable(caught.value)


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b"[1]", b'{"detail": 5}', b"\xff\xfe"])
def test_an_error_without_a_usable_body_still_is_a_sentence(server: FakeServer, body: bytes) -> None:
    server.fail("sync", Fault(status=502, body=body))
    with pytest.raises(Refused, match="answered HTTP 502"):
        Link(server.url, CREDENTIAL).sync(SYNC)


@pytest.mark.parametrize(
    ("status", "again"),
    [
        *((status, False) for status in (400, 403, 404, 409, 413, 422)),
        *((status, True) for status in (408, 425, 429, 500, 502, 503, 504)),
    ],
)
def test_what_may_be_tried_again_is_decided_in_one_place(server: FakeServer, status: int, again: bool) -> None:
    server.fail("progress", Fault(status=status))
    with pytest.raises(Refused) as caught:
        Link(server.url, CREDENTIAL).progress("job", ProgressRequest(1, "lease"))
    assert retryable(caught.value) is again


def test_a_refused_and_a_dropped_connection_are_unreachable(server: FakeServer) -> None:
    link = Link(server.url, CREDENTIAL)
    server.fail("sync", Fault())
    with pytest.raises(Unreachable) as dropped:
        link.sync(SYNC)
    server.stop()
    with pytest.raises(Unreachable, match="refused the connection") as refused:
        link.sync(SYNC)
    assert retryable(dropped.value)
    assert retryable(refused.value)


def test_a_server_that_hangs_is_given_up_after_the_timeout(server: FakeServer) -> None:
    server.fail("progress", Fault(hang_s=5.0))
    begun = time.monotonic()
    with pytest.raises(Unreachable, match="did not answer in time"):
        Link(server.url, CREDENTIAL).progress("job", ProgressRequest(1, "lease"), timeout_s=0.3)
    assert time.monotonic() - begun < 2


def test_a_poll_can_be_ended_from_another_thread_and_the_next_one_works(server: FakeServer) -> None:
    link = Link(server.url, CREDENTIAL)
    ended: list[LinkError] = []

    def poll() -> None:
        try:
            link.sync(HELD)
        except LinkError as error:
            ended.append(error)
        assert link.sync(SYNC)

    thread = threading.Thread(target=poll)
    thread.start()
    server.wait_for(lambda: server.syncs)
    begun = time.monotonic()
    link.interrupt_sync()
    thread.join(5)
    assert not thread.is_alive()
    assert time.monotonic() - begun < 1
    assert isinstance(ended[0], Unreachable)
    assert len(server.syncs) == 2


def test_interrupting_between_polls_harms_nothing(server: FakeServer) -> None:
    link = Link(server.url, CREDENTIAL)
    link.interrupt_sync()
    link.sync(SYNC)
    link.interrupt_sync()
    link.sync(SYNC)
    assert len(server.syncs) == 2


def test_ending_a_poll_does_not_end_the_same_threads_registration() -> None:
    interrupted = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.endswith("/register"):
            link.interrupt_sync()
            interrupted.set()
            body = b'{"client": "c", "name": "n", "credential": "obta_x", "server_time": "t"}'
        else:
            body = b'{"server_time": "t", "next_sync_s": 0.0}'
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    with Raw(answer) as raw:
        link = Link(f"http://127.0.0.1:{raw.port}")
        link.sync(SYNC)
        link.register(RegisterRequest(TOKEN, "host", "0.1.0", 1))
    assert interrupted.is_set()


def test_a_redirect_is_not_followed_and_the_credential_goes_nowhere() -> None:
    with Raw(lambda h: None) as elsewhere:

        def redirect(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(307)
            handler.send_header("Location", f"http://127.0.0.1:{elsewhere.port}/api/v1/agent/sync")
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        with Raw(redirect) as first, pytest.raises(Refused, match="give the right address with --server"):
            Link(f"http://127.0.0.1:{first.port}", CREDENTIAL).sync(SYNC)
        assert elsewhere.asked == []


def test_netrc_never_replaces_the_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_error(500)

    with Raw(answer) as raw:
        for credential in (CREDENTIAL, None):
            with pytest.raises(Refused):
                Link(f"http://127.0.0.1:{raw.port}", credential).sync(SYNC)
    assert raw.asked[0][1]["authorization"] == f"Bearer {CREDENTIAL}"
    assert "authorization" not in raw.asked[1][1]


def test_loopback_never_goes_through_a_proxy(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    assert Link(server.url, CREDENTIAL).sync(SYNC)


@pytest.mark.parametrize(
    "content", [b"", b"null", b"{}", b'{"server_time": "x", "next_sync_s": NaN}', b"{" * 5000, b"x" * (5 * 1024 * 1024)]
)
def test_an_answer_that_is_not_of_the_protocol_is_an_error_that_may_pass(content: bytes) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    with Raw(answer) as raw, pytest.raises(Unreachable, match="does not speak this agent's protocol"):
        Link(f"http://127.0.0.1:{raw.port}", CREDENTIAL).sync(SYNC)


def test_a_jobs_name_cannot_leave_its_place_in_the_path() -> None:
    with Raw(lambda handler: handler.send_error(404)) as raw, pytest.raises(Refused):
        Link(f"http://127.0.0.1:{raw.port}", CREDENTIAL).result("../../x?y", b"{}")
    assert raw.asked[0][0] == "/api/v1/agent/jobs/..%2F..%2Fx%3Fy/result"


# -- TLS ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in one file."""
    folder = tmp_path_factory.mktemp("tls")
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-subj", "/CN=127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
    subprocess.run(
        [*command, "-keyout", str(folder / "key"), "-out", str(folder / "cert")], check=True, capture_output=True
    )
    both = folder / "both.pem"
    both.write_text((folder / "key").read_text() + (folder / "cert").read_text())
    return both


def test_a_certificate_is_checked_and_ca_file_makes_it_trusted(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Raw(lambda handler: handler.send_error(418), context) as raw:
        url = f"https://127.0.0.1:{raw.port}"
        with pytest.raises(Unreachable, match="--ca-file"):
            Link(url, CREDENTIAL).sync(SYNC)
        assert raw.asked == []  # the credential was not sent
        with pytest.raises(Refused, match="418"):
            Link(url, CREDENTIAL, ca_file=certificate).sync(SYNC)


def test_https_never_falls_back_to_http(server: FakeServer) -> None:
    with pytest.raises(Unreachable):
        Link(server.url.replace("http:", "https:"), CREDENTIAL).sync(SYNC)
    assert server.syncs == []
