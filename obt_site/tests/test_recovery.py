"""Server, agents and Ollama as processes, and what a kill -9 of each leaves: one result, in the same attempt."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.simulator import ModelSpec, SimulatedOllama, default_models
from benchmarks import sessions
from benchmarks.documents import Job, LateResult, Result, SampleBlock, Session
from benchmarks.sessions import Target
from obt_site.tests.agent import RunningAgent
from obt_site.tests.server import RunningServer

WITHIN_S = 90.0
CELLS = ["load", "pp512", "tg128", "chat512/128"]  # enough to be in the middle of
MODEL = "sim-llama3.2:1b"


def until(holds: Callable[[], bool], what: str, within_s: float = WITHIN_S) -> None:
    """Wait for something another process brings about."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"it took too long until {what}: {[j.to_mongo() for j in Job.objects]}"
        time.sleep(0.05)


@pytest.fixture
def ollama() -> Iterator[SimulatedOllama]:
    with SimulatedOllama() as simulated:
        yield simulated


@pytest.fixture
def forge(server: RunningServer, ollama: SimulatedOllama, tmp_path: Path) -> Iterator[RunningAgent]:
    with RunningAgent(server, ollama.url, tmp_path / "forge") as agent:
        yield agent


def start(agent: RunningAgent, *models: str) -> Session:
    """Queued by this process: the agent's poll in the server's is not woken and takes it at its next sync."""
    return sessions.start(
        [Target(str(agent.client.id), model) for model in models], "standard", "quick", "jo", cells=CELLS
    )


def job_of(session: Session) -> Job:
    (job,) = sessions.jobs_of(session)
    return job


def in_the_middle(session: Session) -> bool:
    job = job_of(session)
    return job.state == "running" and (job.progress or {}).get("done", 0) >= 3


def finished(session: Session) -> bool:
    return sessions.find(str(session.id)).finished_at is not None


def assert_one_whole_result(session: Session, attempt: int) -> None:
    job = job_of(session)
    (result,) = Result.objects(session=session.id)
    assert (job.state, job.attempt, job.result) == ("succeeded", attempt, result.id), job.error
    assert result.valid
    assert LateResult.objects.count() == 0
    for block in SampleBlock.objects(result=result.id):
        counted = [sample["index"] for sample in block.samples if not sample["warmup"]]
        assert len(counted) == len(set(counted)), f"{block.cell} has a sample twice"


def test_a_killed_server_comes_back_and_the_job_finishes_in_its_attempt(server, forge):
    session = start(forge, MODEL)
    until(lambda: in_the_middle(session), "the job runs")

    server.kill()
    server.start()

    until(lambda: finished(session), "the session has ended")
    assert_one_whole_result(session, attempt=1)


def test_a_killed_agent_comes_back_and_goes_on_with_the_samples_it_had(server, forge):
    session = start(forge, MODEL)
    until(lambda: in_the_middle(session), "the job runs")

    forge.kill()
    forge.start()

    until(lambda: finished(session), "the session has ended")
    assert_one_whole_result(session, attempt=1)


def test_a_server_that_is_away_when_a_job_ends_gets_its_result_later(server, forge):
    session = start(forge, MODEL)
    until(lambda: in_the_middle(session), "the job runs")
    server.kill()

    until(lambda: "finished" in forge.log().lower() or "result" in forge.log().lower(), "the agent is done")
    server.start()

    until(lambda: finished(session), "the session has ended")
    assert_one_whole_result(session, attempt=1)


def test_an_agent_without_its_record_of_the_job_makes_it_a_new_attempt(server, forge):
    session = start(forge, MODEL)
    until(lambda: in_the_middle(session), "the job runs")
    forge.kill()
    for spool in forge.folder.glob("spool*"):
        spool.unlink()

    forge.start()

    until(lambda: job_of(session).state == "failed", "the loss is noticed")
    assert job_of(session).error["kind"] == "agent_restarted"
    Job.objects.update(set__not_before=job_of(session).finished_at)  # not to wait for the 30 s of the policy
    until(lambda: finished(session), "the session has ended")
    assert_one_whole_result(session, attempt=2)


def test_two_machines_with_different_ollamas_work_at_the_same_time_each_on_its_own(server, tmp_path):
    slow = [ModelSpec(**{**vars(spec)}) for spec in default_models()]
    with (
        SimulatedOllama() as one,
        SimulatedOllama(slow) as other,
        RunningAgent(server, one.url, tmp_path / "forge", "forge") as forge,
        RunningAgent(server, other.url, tmp_path / "atlas", "atlas") as atlas,
    ):
        targets = [Target(str(agent.client.id), MODEL) for agent in (forge, atlas)]
        session = sessions.start(targets, "standard", "quick", "jo", cells=CELLS)
        both = lambda: {job.state for job in sessions.jobs_of(session)} == {"running"}  # noqa: E731
        until(both, "both run at once")
        until(lambda: finished(session), "the session has ended")

        assert sessions.find(str(session.id)).state == "succeeded"
        by_machine = {result.client_name: result for result in Result.objects}
        assert set(by_machine) == {"forge", "atlas"}
        for ollama in (one, other):
            assert {asked.get("model") for asked in ollama.requests("/api/generate")} == {MODEL}


@pytest.mark.parametrize(("fault", "kind"), [("cut", "ollama_died"), ("out_of_memory", "out_of_memory")])
def test_an_ollama_that_breaks_ends_that_job_by_name_and_the_next_one_runs(server, forge, ollama, fault, kind):
    ollama.add_fault(fault, model=MODEL, after_tokens=20, times=None) if fault == "cut" else ollama.add_fault(
        fault, model=MODEL, times=None
    )
    session = start(forge, MODEL, "sim-qwen3:4b")

    until(lambda: finished(session), "the session has ended")

    broken, whole = sessions.jobs_of(session)
    assert (broken.state, broken.error["kind"]) == ("failed", kind)
    assert len(broken.error["message"]) > 20
    assert whole.state == "succeeded"
    assert sessions.find(str(session.id)).counts == {
        "queued": 0,
        "running": 0,
        "succeeded": 1,
        "failed": 1,
        "cancelled": 0,
    }


def test_a_model_deleted_between_choice_and_run_ends_its_job_by_name(server, forge, ollama):
    session = start(forge, MODEL, "sim-qwen3:4b")
    ollama.models.remove("sim-qwen3:4b")

    until(lambda: finished(session), "the session has ended")

    whole, gone = sessions.jobs_of(session)
    assert whole.state == "succeeded"
    assert (gone.state, gone.error["kind"]) == ("failed", "model_missing")


def test_a_running_job_that_is_cancelled_has_stopped_within_two_seconds(server, forge):
    session = start(forge, MODEL)
    until(lambda: in_the_middle(session), "the job runs")
    import requests

    from obt_site.access import Role
    from obt_site.tokens import create_token

    headers = {"Authorization": f"Bearer {create_token('test', Role.OPERATOR)}"}
    began = time.monotonic()
    requests.post(f"{server.url}/api/v1/jobs/{job_of(session).id}/cancel", headers=headers, timeout=10)
    until(lambda: finished(session), "the job has stopped", within_s=10)

    assert time.monotonic() - began < 2
    assert job_of(session).state == "cancelled"
