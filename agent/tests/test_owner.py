"""The owner's policy in use: an agent over real HTTP, whose server asks for what the machine does not allow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.obt_agent.cli import main
from agent.obt_agent.ollama import OllamaClient
from agent.obt_agent.owner import Owner
from agent.obt_agent.policy import PolicyError
from agent.tests.agent_world import AGENT_DIR, ScriptedEngine, offer, running_agent
from agent.tests.fake_server import FakeServer, Fault
from agent.tests.loop_fixtures import ollama as ollama
from agent.tests.loop_fixtures import server as server


def state(tmp_path: Path, *lines: str) -> Path:
    """A state folder whose owner wrote these lines."""
    (tmp_path / "policy.ini").write_text("\n".join(("[policy]", *lines)) + "\n")
    (tmp_path / "policy.ini").chmod(0o600)
    return tmp_path


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The minute of the day that every owner sees; a test sets its only entry."""
    minute = [12 * 60]
    monkeypatch.setattr("agent.obt_agent.owner._minute_of_day", lambda: minute[0])
    return minute


# -- jobs --------------------------------------------------------------------------------------------------------


def test_a_job_for_a_forbidden_model_fails_with_the_reason_and_is_never_measured(
    server: FakeServer, tmp_path: Path, ollama: str
) -> None:
    engine = ScriptedEngine()
    with running_agent(server, state(tmp_path, "models = llama*"), engine, ollama):
        refused = server.offer(offer("one", model="model:latest"))
        result = server.wait_for(lambda: server.result(refused))
        allowed = server.offer(offer("two", model="llama3.2:3b"))
        assert server.wait_for(lambda: server.result(allowed)).outcome == "succeeded"

    assert result.outcome == "failed"
    assert result.error is not None
    assert (result.error.kind, result.error.message) == (
        "policy",
        "The policy of the machine does not let model:latest run: it allows llama*.",
    )
    assert [call["offer"].job for call in engine.calls] == ["two"]


def test_a_model_is_as_large_as_ollama_says_now_and_one_it_does_not_have_is_too_large(
    server: FakeServer, tmp_path: Path, ollama: str
) -> None:
    models = sorted(OllamaClient(ollama).tags(), key=lambda model: model.size_bytes or 0)
    small, large = models[0], models[-1]
    limit = f"largest_model = {small.size_bytes} B"
    with running_agent(server, state(tmp_path, limit), ScriptedEngine(), ollama):
        names = (small.name, large.name, "unheard:of")
        asked = [server.offer(offer(f"job-{i}", model=name)) for i, name in enumerate(names)]
        results = [server.wait_for(lambda one=one: server.result(one)) for one in asked]

    assert [result.outcome for result in results] == ["succeeded", "failed", "failed"]
    assert f"{large.name} has" in results[1].error.message
    assert "the size of unheard:of is not known" in results[2].error.message


def test_outside_the_hours_it_takes_no_job_and_says_until_when(
    server: FakeServer, tmp_path: Path, ollama: str, clock: list[int]
) -> None:
    with running_agent(server, state(tmp_path, "hours = 22:00-06:00"), ScriptedEngine(), ollama) as (agent, _):
        server.wait_for(lambda: any("It waits until 22:00" in (sync.refusal or "") for sync in server.syncs))
        assert server.syncs[-1].slots == 0
        clock[0] = 23 * 60
        agent.sync.wake()
        server.wait_for(lambda: server.syncs[-1].slots == 1)
    assert server.syncs[-1].refusal is None


def test_an_offer_that_comes_after_the_hours_goes_back_to_the_queue_and_does_not_fail(
    server: FakeServer, tmp_path: Path, ollama: str, clock: list[int]
) -> None:
    clock[0] = 23 * 60
    engine = ScriptedEngine()
    with running_agent(server, state(tmp_path, "hours = 22:00-06:00"), engine, ollama):
        server.wait_for(lambda: any(sync.models for sync in server.syncs) and server.syncs[-1].slots == 1)
        clock[0] = 7 * 60  # while the server still holds that report
        late = server.offer(offer())
        server.wait_for(lambda: any(event.kind == "released" for _, event in server.events))
        server.wait_for(lambda: server.syncs[-1].holding == [])
    assert engine.calls == []
    assert server.result(late) is None


def test_a_job_that_runs_when_the_hours_end_finishes_its_sample_and_goes_back(
    server: FakeServer, tmp_path: Path, ollama: str, clock: list[int]
) -> None:
    clock[0] = 23 * 60
    engine = ScriptedEngine(samples=5000, sample_s=0.02)
    with running_agent(server, state(tmp_path, "hours = 22:00-06:00"), engine, ollama) as (agent, _):
        running = server.offer(offer())
        server.wait_for(lambda: engine.measured)
        clock[0] = 6 * 60
        server.fail("progress", Fault(status=503))  # the server is busy just then: it is told again
        agent.sync.wake()
        server.wait_for(lambda: any(event.kind == "released" for _, event in server.events))
        server.wait_for(lambda: server.syncs[-1].holding == [])
        server.wait_for(agent.worker.is_idle)
    assert 0 < len(engine.measured) < 5000
    assert server.result(running) is None


def test_a_broken_policy_lets_nothing_run_and_mending_it_does(server: FakeServer, tmp_path: Path, ollama: str) -> None:
    folder = state(tmp_path, "modells = llama*")
    with running_agent(server, folder, ScriptedEngine(), ollama) as (agent, _):
        server.wait_for(lambda: any(sync.refusal for sync in server.syncs))
        refusal = next(sync.refusal for sync in server.syncs if sync.refusal)
        assert refusal.startswith(f"No job runs: the policy file of this machine, {folder / 'policy.ini'}, has a key")
        state(tmp_path, "models = llama*")
        agent.sync.wake()
        server.wait_for(lambda: server.syncs[-1].slots == 1)


# -- what it looks at --------------------------------------------------------------------------------------------


def test_a_named_file_has_to_be_there_and_the_usual_one_need_not(tmp_path: Path) -> None:
    assert Owner(tmp_path).waits() is None
    assert Owner(tmp_path).refuses("any:model", "http://127.0.0.1:9") is None
    assert "is not there" in (Owner(tmp_path, tmp_path / "mine.ini").waits() or "")
    with pytest.raises(PolicyError, match="is not there"):
        Owner(tmp_path, tmp_path / "mine.ini").policy()


def test_on_the_battery_no_job_begins_and_one_that_runs_goes_on(tmp_path: Path) -> None:
    owner = Owner(state(tmp_path, "on_battery = no"), on_battery=lambda: True)

    assert "waits for mains power" in (owner.waits() or "")
    assert owner.waits(measuring=True) is None
    assert Owner(tmp_path, on_battery=lambda: False).waits() is None


def test_with_more_on_the_disk_than_allowed_it_waits_for_delivery(tmp_path: Path) -> None:
    owner = Owner(state(tmp_path, "most_disk = 100 MB"))
    assert owner.waits() is None

    with (tmp_path / "spool.db").open("wb") as file:
        file.truncate(150_000_000)

    assert "the agent's files take 150 MB, and the policy of the machine allows 100 MB" in (owner.waits() or "")


def test_the_nice_level_is_the_whole_agents(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from obt_agent.owner import Owner;"
        "Owner(Path(sys.argv[1])).be_nice(); print(os.getpriority(os.PRIO_PROCESS, 0))"
    )
    folder = state(tmp_path, "nice = 17")
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], cwd=AGENT_DIR, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "17"
    assert os.getpriority(os.PRIO_PROCESS, 0) != 17


# -- the doctor --------------------------------------------------------------------------------------------------


def doctor(folder: Path, ollama: str, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, str]:
    code = main(["doctor", "--state-dir", str(folder), "--ollama-url", ollama, *more])
    return code, capsys.readouterr().out


def test_the_doctor_prints_the_policy_in_force(
    tmp_path: Path, ollama: str, capsys: pytest.CaptureFixture[str], clock: list[int]
) -> None:
    _, said = doctor(tmp_path, ollama, capsys)
    assert "No policy of this machine" in said

    code, said = doctor(state(tmp_path, "models = llama*", "hours = 22:00-06:00"), ollama, capsys)
    assert code == 0
    assert "Only these models run: llama*." in said
    assert "No job would begin now. It waits until 22:00" in said


def test_the_doctor_calls_a_broken_policy_a_problem(
    tmp_path: Path, ollama: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = doctor(state(tmp_path, "hours = always"), ollama, capsys)
    assert code == 1
    assert "✗ No job runs: the policy file" in said

    code, said = doctor(tmp_path, ollama, capsys, "--policy", str(tmp_path / "other.ini"))
    assert code == 1
    assert "other.ini, is not there" in said
