"""Renewing the credential: whatever ends the agent between two steps, the next start has one that works."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from agent.obt_agent import config
from agent.obt_agent import credential as credential_module
from agent.obt_agent.config import Enrolment, load_enrolment, save_enrolment
from agent.obt_agent.contract import OllamaState, SyncRequest
from agent.obt_agent.credential import Credential
from agent.obt_agent.link import Link, Unauthorized
from agent.tests.agent_world import ScriptedEngine, offer, running_agent
from agent.tests.fake_server import CREDENTIAL, FakeServer, Fault
from agent.tests.loop_fixtures import ollama as ollama
from agent.tests.loop_fixtures import server as server

SYNC = SyncRequest(1, "0.1.0", "boot", OllamaState("http://x", False), slots=0, hold_s=0.0)
RENEWED = "obta_00000001_renewed"


class Crash(BaseException):
    """The process ends here."""


@pytest.fixture
def folder(server: FakeServer, tmp_path: Path) -> Path:
    """The state folder of an agent that is enrolled."""
    save_enrolment(tmp_path, Enrolment(server.url, "client-1", "box", CREDENTIAL))
    return tmp_path


def started(server: FakeServer, folder: Path) -> tuple[Credential, Link]:
    """What a start of the agent makes of its state folder."""
    enrolment = load_enrolment(folder)
    assert enrolment is not None
    link = Link(server.url)
    return Credential(folder, enrolment, link), link


def beat(credential: Credential, link: Link) -> None:
    """A heartbeat as the sync loop has it, with what it does when it is refused."""
    try:
        answer = link.sync(SYNC)
    except Unauthorized:
        assert credential.fall_back()
        answer = link.sync(SYNC)
    credential.accepted()
    if answer.renew:
        credential.renew("boot")


def goes_on(server: FakeServer, folder: Path) -> str:
    """A new start works, however the last one ended; the credential in its file once it has settled."""
    server.asks_to_renew = True
    credential, link = started(server, folder)
    for _ in range(3):
        beat(credential, link)
    enrolment = load_enrolment(folder)
    assert enrolment is not None
    assert enrolment.newer is None
    assert enrolment.credential == server.credential
    return enrolment.credential


def test_an_agent_that_is_asked_renews_and_goes_on_with_the_new_one(
    server: FakeServer, tmp_path: Path, ollama: str
) -> None:
    with running_agent(server, tmp_path, ScriptedEngine(samples=1), ollama) as (agent, _):
        server.wait_for(lambda: server.syncs)
        server.asks_to_renew = True
        server.wake()
        server.wait_for(lambda: server.credential == RENEWED)
        job = server.offer(offer())
        server.wait_for(lambda: server.result(job))
        assert agent.sync is not None
        assert [each.boot_id for each in server.renewals] == [agent.sync.boot_id]
    stored = load_enrolment(tmp_path)
    assert stored is not None
    assert (stored.credential, stored.newer) == (RENEWED, None)
    file = tmp_path / "credential.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert CREDENTIAL not in file.read_text()


def test_an_agent_that_is_not_asked_keeps_its_credential(server: FakeServer, folder: Path) -> None:
    credential, link = started(server, folder)
    beat(credential, link)
    assert server.renewals == []


def test_the_new_one_is_on_the_disk_before_it_is_used(
    server: FakeServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[str] = []
    monkeypatch.setattr(Link, "use", lambda _, text: used.append((folder / "credential.json").read_text()))
    credential, link = started(server, folder)
    link._credential = CREDENTIAL
    credential.renew("boot")
    assert RENEWED not in used[0]
    assert RENEWED in used[1]
    assert CREDENTIAL in used[1]


def crash(*_: Any, **__: Any) -> None:
    raise Crash


def test_it_works_after_a_crash_before_the_server_was_asked(
    server: FakeServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credential, _ = started(server, folder)
    with monkeypatch.context() as patched:
        patched.setattr(Link, "renew", crash)
        with pytest.raises(Crash):
            credential.renew("boot")
    assert goes_on(server, folder) == RENEWED


def test_it_works_after_the_servers_answer_was_lost(server: FakeServer, folder: Path) -> None:
    server.fail("credential", Fault(after_work=True))
    credential, _ = started(server, folder)
    credential.renew("boot")
    assert server.newer == RENEWED
    assert goes_on(server, folder) == "obta_00000002_renewed"


def test_it_works_after_a_crash_before_the_new_one_was_stored(
    server: FakeServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credential, _ = started(server, folder)
    with monkeypatch.context() as patched:
        patched.setattr(credential_module, "save_enrolment", crash)
        with pytest.raises(Crash):
            credential.renew("boot")
    assert goes_on(server, folder) == "obta_00000002_renewed"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_it_works_after_a_crash_while_it_was_being_stored(
    server: FakeServer, folder: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    credential, _ = started(server, folder)
    with monkeypatch.context() as patched:
        patched.setattr(config.os, step, crash)
        with pytest.raises(Crash):
            credential.renew("boot")
    assert goes_on(server, folder) == "obta_00000002_renewed"


def test_it_works_after_a_crash_between_storing_and_using_it(
    server: FakeServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credential, _ = started(server, folder)
    with monkeypatch.context() as patched:
        patched.setattr(Credential, "use", crash)
        with pytest.raises(Crash):
            credential.renew("boot")
    assert goes_on(server, folder) == RENEWED


def test_it_works_after_a_crash_when_the_new_one_was_used_and_the_old_one_not_yet_let_go(
    server: FakeServer, folder: Path
) -> None:
    credential, link = started(server, folder)
    credential.renew("boot")
    link.sync(SYNC)
    assert server.credential == RENEWED
    assert json.loads((folder / "credential.json").read_text())["credential"] == CREDENTIAL
    server.asks_to_renew = False
    again, link = started(server, folder)
    beat(again, link)
    stored = load_enrolment(folder)
    assert stored is not None
    assert (stored.credential, stored.newer) == (RENEWED, None)


def test_one_that_has_lapsed_unused_is_given_up_for_the_one_before(server: FakeServer, folder: Path) -> None:
    credential, _ = started(server, folder)
    credential.renew("boot")
    server.newer = None  # nobody used it for a day
    again, link = started(server, folder)
    beat(again, link)
    assert server.credential == CREDENTIAL
    assert server.syncs


def test_a_full_disk_leaves_the_old_one_in_use_and_asks_again_much_later(
    server: FakeServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    credential, link = started(server, folder)
    with monkeypatch.context() as patched:
        patched.setattr(credential_module, "save_enrolment", full)
        credential.renew("boot")
    server.asks_to_renew = True
    beat(credential, link)
    beat(credential, link)
    assert len(server.renewals) == 1
    assert server.credential == CREDENTIAL


def test_a_server_without_this_call_is_no_harm(server: FakeServer, folder: Path) -> None:
    server.fail("credential", Fault(status=404))
    credential, link = started(server, folder)
    credential.renew("boot")
    beat(credential, link)
    assert server.credential == CREDENTIAL


def test_a_credential_revoked_in_the_middle_is_said(server: FakeServer, folder: Path) -> None:
    credential, _ = started(server, folder)
    server.credential = "another"
    with pytest.raises(Unauthorized):
        credential.renew("boot")
    assert not credential.fall_back()


def test_the_file_of_an_older_agent_is_read_and_an_older_agent_reads_the_file(folder: Path) -> None:
    file = folder / "credential.json"
    older = {key: value for key, value in json.loads(file.read_text()).items() if key != "newer"}
    file.write_text(json.dumps(older))
    stored = load_enrolment(folder)
    assert stored is not None
    assert stored.newer is None
    save_enrolment(folder, Enrolment(stored.server, stored.client, stored.name, stored.credential, newer=RENEWED))
    assert {key: json.loads(file.read_text())[key] for key in older} == older
