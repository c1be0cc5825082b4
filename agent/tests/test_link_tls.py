"""The agent's link over real TLS: whom it trusts, whom it does not, and the sentence for each."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from agent.obt_agent.cli import main
from agent.obt_agent.contract import OllamaState, SyncRequest
from agent.obt_agent.link import Link, Refused, Unreachable
from agent.tests.certificates import DAY, Authority, Pair, self_signed
from agent.tests.fake_server import CREDENTIAL, FakeServer
from agent.tests.test_link import Raw

SYNC = SyncRequest(1, "0.1.0", "boot", OllamaState("http://x", False), slots=0, hold_s=0.0)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@contextmanager
def serving(pair: Pair) -> Iterator[Raw]:
    """A TLS server that answers each call with 418; `asked` is what reached it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    with Raw(lambda handler: handler.send_error(418), context) as raw:
        yield raw


def refused(raw: Raw, **trust: object) -> str:
    """What the link says of a server that it does not trust; nothing of the call has reached it."""
    with pytest.raises(Unreachable) as caught:
        Link(f"https://127.0.0.1:{raw.port}", CREDENTIAL, **trust).sync(SYNC)  # type: ignore[arg-type]
    assert raw.asked == []
    return str(caught.value)


def reached(raw: Raw, host: str = "127.0.0.1", **trust: object) -> bool:
    with pytest.raises(Refused, match="418"):
        Link(f"https://{host}:{raw.port}", CREDENTIAL, **trust).sync(SYNC)  # type: ignore[arg-type]
    return raw.asked[-1][1]["authorization"] == f"Bearer {CREDENTIAL}"


def test_an_authority_of_ones_own_is_trusted_by_its_file(authority: Authority) -> None:
    with serving(authority.pair("127.0.0.1")) as raw:
        assert "authority that this machine does not know" in refused(raw)
        assert reached(raw, ca_file=authority.cert)


def test_a_self_signed_certificate_is_refused_and_said_to_be_one(tmp_path: Path) -> None:
    pair = self_signed(tmp_path, "127.0.0.1")
    with serving(pair) as raw:
        said = refused(raw)
        assert "vouched for by nobody but itself" in said
        assert "--ca-file" in said
        assert reached(raw, ca_file=pair.cert)


def test_an_expired_certificate_is_refused_and_said_to_be_one(authority: Authority) -> None:
    with serving(authority.pair("127.0.0.1", begins=-3 * DAY, ends=-DAY)) as raw:
        assert "has expired" in refused(raw, ca_file=authority.cert)


def test_a_certificate_of_tomorrow_is_refused_and_the_clock_is_asked_about(authority: Authority) -> None:
    with serving(authority.pair("127.0.0.1", begins=timedelta(hours=5))) as raw:
        assert "clock right" in refused(raw, ca_file=authority.cert)


def test_a_certificate_of_another_name_is_refused_and_said_to_be_one(authority: Authority) -> None:
    with serving(authority.pair("bench.example")) as raw:
        assert "is for another name" in refused(raw, ca_file=authority.cert)


def test_a_name_in_the_certificate_is_reached_by_that_name(authority: Authority) -> None:
    with serving(authority.pair("localhost")) as raw:
        assert reached(raw, "localhost", ca_file=authority.cert)


def test_a_pinned_certificate_is_trusted_whatever_its_name_and_no_other_is(authority: Authority) -> None:
    pair, other = authority.pair("bench.example"), authority.pair("127.0.0.1")
    with serving(pair) as raw:
        assert reached(raw, cert_sha256=pair.sha256)
    with serving(other) as raw:
        assert "another certificate than the one" in refused(raw, cert_sha256=pair.sha256, ca_file=authority.cert)


def test_a_plain_http_port_gets_no_word_of_the_agent(authority: Authority) -> None:
    fake = FakeServer().start()
    try:
        with pytest.raises(Unreachable, match=r"does not speak https.*never goes on without encryption"):
            Link(fake.url.replace("http:", "https:"), CREDENTIAL, ca_file=authority.cert).sync(SYNC)
        assert fake.syncs == []
    finally:
        fake.stop()


def test_a_redirect_from_https_to_http_is_not_followed(authority: Authority) -> None:
    with Raw(lambda handler: None) as plain:

        def redirect(handler: object) -> None:
            handler.send_response(308)  # type: ignore[attr-defined]
            handler.send_header("Location", f"http://127.0.0.1:{plain.port}/api/v1/agent/sync")  # type: ignore[attr-defined]
            handler.send_header("Content-Length", "0")  # type: ignore[attr-defined]
            handler.end_headers()  # type: ignore[attr-defined]

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pair = authority.pair("127.0.0.1")
        context.load_cert_chain(pair.cert, pair.key)
        with Raw(redirect, context) as raw, pytest.raises(Refused, match="redirect to http://"):
            Link(f"https://127.0.0.1:{raw.port}", CREDENTIAL, ca_file=authority.cert).sync(SYNC)
        assert plain.asked == []


@pytest.mark.parametrize(
    ("content", "hint"), [(None, "is not there"), ("no certificate", "no certificate in PEM form")]
)
def test_a_ca_file_that_is_none_is_refused_before_anything_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, hint: str
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    code = main(
        ["--server", "https://127.0.0.1:9", "--state-dir", str(tmp_path), "--token", "t", "--ca-file", str(file)]
    )
    assert code == 1
    assert hint in capsys.readouterr().err


def test_the_ca_file_can_come_from_the_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OBT_CA_FILE", str(tmp_path / "nowhere.pem"))
    assert main(["--server", "https://127.0.0.1:9", "--state-dir", str(tmp_path), "--token", "t"]) == 1
    assert "nowhere.pem is not there" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["ab", "z" * 64, "a" * 63])
def test_a_fingerprint_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    arguments = ["--server", "https://127.0.0.1:9", "--state-dir", str(tmp_path), "--token", "t", "--cert-sha256"]
    assert main([*arguments, text]) == 1
    assert "64 hexadecimal digits" in capsys.readouterr().err


def test_a_fingerprint_without_https_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--server", "http://127.0.0.1:9", "--state-dir", str(tmp_path), "--token", "t"]
    assert main([*arguments, "--cert-sha256", ":".join(["ab"] * 32)]) == 1
    assert "is about https" in capsys.readouterr().err


def test_the_doctor_says_the_same_of_a_certificate(authority: Authority, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(authority.pair("bench.example")) as raw:
        folder = str(authority.folder / "state")
        arguments = ["doctor", "--server", f"https://127.0.0.1:{raw.port}", "--state-dir", folder]
        main([*arguments, "--ca-file", str(authority.cert), "--ollama-url", "http://127.0.0.1:9"])
    assert "is for another name" in capsys.readouterr().out
