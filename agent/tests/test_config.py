from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from agent.obt_agent.config import (
    Config,
    Enrolment,
    default_state_dir,
    is_loopback,
    load_enrolment,
    make_state_dir,
    save_enrolment,
    server_url,
    usable_enrolment,
    write_private,
)
from agent.obt_agent.errors import AgentError
from agent.obt_agent.lock import StateLock

ENROLMENT = Enrolment("https://obt.example", "client-1", "box", "obta_12345678_secret")


@pytest.mark.parametrize(
    ("given", "tidy"),
    [
        ("http://127.0.0.1:8881", "http://127.0.0.1:8881"),
        (" https://obt.example/ ", "https://obt.example"),
        ("https://obt.example/prefix/", "https://obt.example/prefix"),
        ("http://[::1]:8881", "http://[::1]:8881"),
    ],
)
def test_it_tidies_the_servers_address(given: str, tidy: str) -> None:
    assert server_url(given) == tidy


@pytest.mark.parametrize(
    "given",
    [
        "",
        "127.0.0.1:8881",
        "ftp://x",
        "http://",
        "http://x:port",
        "http://x:99999",
        "http://[::1",
        "http://u:p@x",
        "http://x?a=1",
    ],
)
def test_it_refuses_an_address_that_is_none_with_an_example(given: str) -> None:
    with pytest.raises(AgentError, match=r"--server http://127\.0\.0\.1:8881"):
        server_url(given)


def test_each_operating_system_has_its_own_state_folder() -> None:
    home = Path.home()
    assert default_state_dir("linux", {}) == home / ".local/state/obt-agent"
    assert default_state_dir("linux", {"XDG_STATE_HOME": "/x"}) == Path("/x/obt-agent")
    assert default_state_dir("darwin", {}) == home / "Library/Application Support/obt-agent"
    assert default_state_dir("win32", {"LOCALAPPDATA": "/l"}) == Path("/l/obt-agent")


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:1", True),
        ("http://127.8.8.8", True),
        ("http://localhost:1", True),
        ("http://[::1]:1", True),
        ("http://10.0.0.1", False),
        ("https://obt.example", False),
        ("http://127.0.0.1.example.com", False),
        ("http://127.evil.example", False),
    ],
)
def test_it_knows_loopback_from_names_that_look_like_it(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback


def test_the_credential_is_stored_for_its_owner_only(tmp_path: Path) -> None:
    save_enrolment(tmp_path, ENROLMENT)
    file = tmp_path / "credential.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load_enrolment(tmp_path) == ENROLMENT


def test_a_file_that_others_could_read_becomes_private_when_written(tmp_path: Path) -> None:
    loose = tmp_path / "x.new"
    loose.write_text("old")
    loose.chmod(0o644)
    write_private(tmp_path / "x", "new")
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"server": 1}', "\x00", '{"server": "x", "client": "y", "name": "z"}']
)
def test_a_damaged_credential_file_is_a_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "credential.json").write_text(content)
    with pytest.raises(AgentError, match="delete it and enrol again"):
        load_enrolment(tmp_path)


def test_a_credential_is_used_at_its_own_server() -> None:
    config = Config(server="https://obt.example", state_dir=Path("x"), token="t")
    assert usable_enrolment(config, ENROLMENT) == ENROLMENT


def test_a_credential_never_goes_to_another_server() -> None:
    other = Config(server="https://other.example", state_dir=Path("x"))
    with pytest.raises(AgentError, match=r"enrolled at https://obt\.example"):
        usable_enrolment(other, ENROLMENT)
    downgraded = Config(server="http://obt.example", state_dir=Path("x"))
    with pytest.raises(AgentError):
        usable_enrolment(downgraded, ENROLMENT)
    with_token = Config(server="https://other.example", state_dir=Path("x"), token="t")
    assert usable_enrolment(with_token, ENROLMENT) is None


def test_on_loopback_another_port_is_the_same_server() -> None:
    stored = Enrolment("http://127.0.0.1:8881", "c", "n", "s")
    config = Config(server="http://127.0.0.1:9000", state_dir=Path("x"), token="t")
    assert usable_enrolment(config, stored) == stored


def test_without_credential_and_token_it_says_what_is_needed() -> None:
    with pytest.raises(AgentError, match="--token"):
        usable_enrolment(Config(server="https://obt.example", state_dir=Path("x")), None)


def test_a_state_folder_that_cannot_be_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AgentError, match="--state-dir"):
        make_state_dir(tmp_path / "file" / "below")


def test_the_state_folder_is_closed_to_others(tmp_path: Path) -> None:
    make_state_dir(tmp_path / "a" / "b")
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_one_lock_per_state_folder_and_it_can_be_taken_again(tmp_path: Path) -> None:
    first, second = StateLock(tmp_path), StateLock(tmp_path)
    first.take()
    with pytest.raises(AgentError, match=f"process {os.getpid()}"):
        second.take()
    first.release()
    second.take()
    second.release()
