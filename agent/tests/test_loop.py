"""The agent on threads of this process, against a server over real HTTP and a simulated Ollama."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from agent.obt_agent.contract import MINIMUM_FREE_DISK_BYTES
from agent.obt_agent.spool import Spool
from agent.simulator.server import SimulatedOllama
from agent.tests.agent_world import ScriptedEngine, offer, running_agent, sample
from agent.tests.fake_server import CREDENTIAL, FakeServer, Fault
from agent.tests.loop_fixtures import ollama as ollama
from agent.tests.loop_fixtures import server as server


def test_it_enrols_once_and_keeps_the_credential_for_its_owner_only(
    server: FakeServer, tmp_path: Path, ollama: str
) -> None:
    for _ in range(2):
        with running_agent(server, tmp_path / "state", ScriptedEngine(), ollama):
            server.wait_for(lambda: len(server.syncs) >= 1)
            server.syncs.clear()
    assert len(server.registers) == 1
    file = tmp_path / "state" / "credential.json"
    assert CREDENTIAL in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "state").glob("spool.db*"))


def test_the_first_heartbeats_tell_the_machine_and_then_only_what_changes(
    server: FakeServer, tmp_path: Path, ollama: str
) -> None:
    with running_agent(server, tmp_path, ScriptedEngine(), ollama):
        server.wait_for(lambda: any(sync.models for sync in server.syncs))
        server.wake()
        server.wait_for(lambda: server.syncs[-1].hardware is None and server.syncs[-1].models is None)
    first = server.syncs[0]
    assert first.hardware is not None
    assert first.hardware.cpu.logical_cores
    assert first.ollama.reachable
    assert first.ollama.simulated
    assert first.slots == 1
    assert first.reading is not None
    assert first.reading.memory_used_bytes
    # A first sync that is cut short by news tells it again; one that was answered (later ones wait) never does.
    assert not any(sync.hardware for sync in server.syncs if sync.hold_s)
    assert server.syncs[-1].models_hash
    assert len({sync.boot_id for sync in server.syncs}) == 1


def test_it_sends_again_what_the_server_asks_for(server: FakeServer, tmp_path: Path, ollama: str) -> None:
    with running_agent(server, tmp_path, ScriptedEngine(), ollama):
        server.wait_for(lambda: any(sync.models for sync in server.syncs))
        server.resend = ["hardware", "models"]
        told = len(server.syncs)
        server.wake()
        server.wait_for(lambda: any(sync.models and sync.hardware for sync in server.syncs[told:]))


def test_a_job_begins_without_waiting_for_a_heartbeat_and_its_result_arrives(
    server: FakeServer, tmp_path: Path, ollama: str
) -> None:
    engine = ScriptedEngine()
    with running_agent(server, tmp_path, engine, ollama):
        server.wait_for(lambda: len(server.syncs) >= 3)
        begun = time.monotonic()
        job = server.offer(offer())
        server.wait_for(lambda: "started" in server.kinds())
        assert time.monotonic() - begun < 5.0  # a heartbeat comes every ten
        result = server.wait_for(lambda: server.result(job))
        server.wait_for(lambda: server.syncs[-1].slots == 1 and not server.syncs[-1].holding)
    assert result.outcome == "succeeded"
    assert [s.index for s in result.cells[0].samples] == [0, 1, 2]
    assert result.telemetry is not None
    assert len(engine.calls) == 1


def test_jobs_queued_together_run_one_after_the_other_without_waiting_for_a_heartbeat(
    server: FakeServer, tmp_path: Path, ollama: str
) -> None:
    jobs = [offer("a"), offer("b"), offer("c")]
    with running_agent(server, tmp_path, ScriptedEngine(samples=1), ollama):
        server.wait_for(lambda: server.syncs)
        begun = time.monotonic()
        for job in jobs:
            server.offer(job)
        server.wait_for(lambda: all(server.result(job) for job in jobs))
        assert time.monotonic() - begun < 5.0


def test_events_arrive_in_order_with_a_reading_each_second(server: FakeServer, tmp_path: Path, ollama: str) -> None:
    engine = ScriptedEngine()
    engine.go.clear()
    with running_agent(server, tmp_path, engine, ollama):
        job = server.offer(offer())
        server.wait_for(lambda: server.kinds().count("live") >= 2)
        engine.go.set()
        server.wait_for(lambda: server.result(job))
    seqs = [event.seq for _, event in server.events]
    assert seqs == sorted(set(seqs))
    assert server.kinds()[:2] == ["started", "cell"]
    live = [event for _, event in server.events if event.kind == "live"]
    assert live[1].reading is not None
    assert live[1].reading.cpu_percent is not None
    assert 0.5 < live[1].elapsed_s - live[0].elapsed_s < 2.0


@pytest.mark.parametrize("by", ["sync", "progress"])
def test_a_cancelled_job_ends_within_two_seconds_with_what_it_has(
    server: FakeServer, tmp_path: Path, ollama: str, by: str
) -> None:
    engine = ScriptedEngine()
    with running_agent(server, tmp_path, engine, ollama):
        engine.go.clear()
        job = server.offer(offer())
        server.wait_for(lambda: "cell" in server.kinds())
        cancelled = time.monotonic()
        server.cancel(job) if by == "sync" else server.cancel_by_progress.add(job.job)
        result = server.wait_for(lambda: server.result(job))
        assert time.monotonic() - cancelled < 2.0
    assert result.outcome == "cancelled"


def test_a_stale_job_is_dropped_without_a_result(server: FakeServer, tmp_path: Path, ollama: str) -> None:
    engine = ScriptedEngine()
    engine.go.clear()
    with running_agent(server, tmp_path, engine, ollama):
        job = server.offer(offer())
        server.wait_for(lambda: "cell" in server.kinds())
        server.cancel(job, "stale")
        server.wait_for(lambda: server.syncs[-1].slots == 1)
        assert server.syncs[-1].holding == []
    assert server.result_posts == 0
    assert Spool(tmp_path).holding() == []


def test_a_start_that_the_server_refuses_is_not_measured(server: FakeServer, tmp_path: Path, ollama: str) -> None:
    engine = ScriptedEngine()
    with running_agent(server, tmp_path, engine, ollama):
        server.wait_for(lambda: server.syncs)
        server.fail("progress", Fault(status=409))
        server.offer(offer())
        server.wait_for(lambda: not server.faults["progress"])
        server.ended.add("job-1")
        server.wait_for(lambda: server.syncs[-1].slots == 1 and not server.syncs[-1].holding)
    assert engine.calls == []


def test_an_offer_repeated_while_its_acknowledgement_was_lost_is_run_once(
    server: FakeServer, tmp_path: Path, ollama: str
) -> None:
    engine = ScriptedEngine()
    with running_agent(server, tmp_path, engine, ollama):
        server.fail("progress", Fault(after_work=True))
        job = server.offer(offer())
        server.wait_for(lambda: server.result(job))
    assert len(engine.calls) == 1
    assert server.kinds().count("started") == 1


def test_a_job_of_a_process_that_was_killed_goes_on_with_its_samples_and_lease(
    server: FakeServer, tmp_path: Path, ollama: str
) -> None:
    job = offer()
    spool = Spool(tmp_path)
    spool.take(job)
    spool.set_running(job.job, job.attempt)
    spool.store(job).keep(sample(0))
    spool.close()
    server.offers[job.job] = job
    server.acknowledged.add(job.job)
    engine = ScriptedEngine()
    with running_agent(server, tmp_path, engine, ollama):
        result = server.wait_for(lambda: server.result(job))
    assert server.syncs[0].holding[0].lease == job.lease
    assert engine.measured == [1, 2]
    assert [s.index for s in result.cells[0].samples] == [0, 1, 2]


def test_a_result_is_delivered_after_the_server_was_away(server: FakeServer, tmp_path: Path, ollama: str) -> None:
    engine = ScriptedEngine()
    engine.go.clear()
    with running_agent(server, tmp_path, engine, ollama) as (agent, _):
        job = server.offer(offer())
        server.wait_for(lambda: "cell" in server.kinds())
        server.stop()
        engine.go.set()
        deadline = time.monotonic() + 10
        while not agent.worker.is_idle() and time.monotonic() < deadline:
            time.sleep(0.02)
        server.start()
        server.wait_for(lambda: server.result(job), 40)
        server.wait_for(lambda: server.syncs[-1].holding == [], 40)


@pytest.mark.parametrize("fault", [Fault(), Fault(status=503, times=2), Fault(after_work=True)])
def test_a_delivery_that_failed_is_tried_again(server: FakeServer, tmp_path: Path, ollama: str, fault: Fault) -> None:
    with running_agent(server, tmp_path, ScriptedEngine(samples=1), ollama):
        server.fail("result", fault)
        job = server.offer(offer())
        server.wait_for(lambda: server.result(job))
        server.wait_for(lambda: server.syncs[-1].holding == [])
    assert Spool(tmp_path).due() == []


def test_a_result_refused_for_good_is_kept_and_not_sent_again(server: FakeServer, tmp_path: Path, ollama: str) -> None:
    with running_agent(server, tmp_path, ScriptedEngine(samples=1), ollama):
        server.fail("result", Fault(status=422, times=100))
        server.offer(offer())
        server.wait_for(lambda: any(sync.holding for sync in server.syncs))
        server.wait_for(lambda: server.syncs[-1].holding == [] and "result" in server.faults)
    assert server.faults["result"][0].times == 99
    assert Spool(tmp_path).state_of("job-1", 1) == "rejected"


def test_a_result_that_came_too_late_is_no_longer_held(server: FakeServer, tmp_path: Path, ollama: str) -> None:
    with running_agent(server, tmp_path, ScriptedEngine(samples=1), ollama):
        server.fail("result", Fault(status=409))
        server.offer(offer())
        server.wait_for(lambda: "result" in server.faults and not server.faults["result"])
        server.ended.add("job-1")
        server.wait_for(lambda: server.syncs[-1].holding == [])
    assert Spool(tmp_path).state_of("job-1", 1) is None


def test_a_fault_of_the_engine_becomes_a_failed_result_with_the_samples_kept(
    server: FakeServer, tmp_path: Path, ollama: str
) -> None:
    engine = ScriptedEngine()

    def behave(job: dict[str, Any]) -> Any:
        job["store"].keep(sample(0))
        raise ZeroDivisionError("of the tests")

    engine.behave = behave
    with running_agent(server, tmp_path, engine, ollama):
        job = server.offer(offer())
        result = server.wait_for(lambda: server.result(job))
    assert result.outcome == "failed"
    assert result.error.kind == "agent_error"
    assert len(result.cells[0].samples) == 1


def test_without_ollama_it_takes_no_job_and_says_why(server: FakeServer, tmp_path: Path) -> None:
    simulated = SimulatedOllama(speed=20).start()
    simulated.stop()
    with running_agent(server, tmp_path, ScriptedEngine(), simulated.url):
        server.wait_for(lambda: server.syncs)
        refused = server.syncs[0]
        simulated.start()
        server.wait_for(lambda: server.syncs[-1].slots == 1)
        simulated.stop()
    assert refused.slots == 0
    assert refused.ollama.problem == "refused"
    assert refused.refusal == f"Ollama refused the connection at {simulated.url}."


def test_with_little_disk_it_takes_no_job_and_says_how_much(server: FakeServer, tmp_path: Path, ollama: str) -> None:
    with running_agent(server, tmp_path, ScriptedEngine(), ollama, minimum_free_bytes=10**18):
        server.wait_for(lambda: server.syncs)
    assert server.syncs[0].slots == 0
    assert "MB are free" in (server.syncs[0].refusal or "")
    assert MINIMUM_FREE_DISK_BYTES == 500_000_000


def test_a_server_that_answers_at_once_is_not_asked_without_end(
    server: FakeServer, tmp_path: Path, ollama: str
) -> None:
    server.answer_at_once = True
    with running_agent(server, tmp_path, ScriptedEngine(), ollama):
        server.wait_for(lambda: len(server.syncs) >= 8)
        lasted = server.sync_times[-1] - server.sync_times[0]
    assert lasted > 1.0
