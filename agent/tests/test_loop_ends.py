"""How the agent ends: asked once, asked twice, its credential revoked; and how it begins again."""

from __future__ import annotations

import time
from pathlib import Path

from agent.obt_agent.errors import AgentError
from agent.obt_agent.spool import Spool
from agent.tests.agent_world import ScriptedEngine, offer, running_agent
from agent.tests.fake_server import CREDENTIAL, TOKEN, FakeServer
from agent.tests.loop_fixtures import ollama as ollama
from agent.tests.loop_fixtures import server as server


def test_stopping_finishes_the_sample_and_gives_the_job_back(server: FakeServer, tmp_path: Path, ollama: str) -> None:
    engine = ScriptedEngine()
    engine.go.clear()
    with running_agent(server, tmp_path, engine, ollama) as (agent, thread):
        server.offer(offer())
        server.wait_for(lambda: "cell" in server.kinds())
        agent.stop()
        engine.go.set()
        thread.join(15)
        assert not thread.is_alive()
    assert engine.measured == [0]
    assert server.kinds()[-1] == "released"
    assert Spool(tmp_path).holding() == []


def test_a_job_that_could_not_be_given_back_stays_for_the_next_start(
    server: FakeServer, tmp_path: Path, ollama: str
) -> None:
    engine = ScriptedEngine()
    engine.go.clear()
    with running_agent(server, tmp_path, engine, ollama) as (agent, thread):
        job = server.offer(offer())
        server.wait_for(lambda: "cell" in server.kinds())
        server.stop()
        agent.stop()
        engine.go.set()
        thread.join(15)
        assert not thread.is_alive()
    server.start()
    again = ScriptedEngine()
    with running_agent(server, tmp_path, again, ollama):
        server.wait_for(lambda: server.result(job))
    assert again.measured == [1, 2]


def test_a_second_stop_leaves_at_once(server: FakeServer, tmp_path: Path, ollama: str) -> None:
    engine = ScriptedEngine()
    engine.go.clear()
    with running_agent(server, tmp_path, engine, ollama) as (agent, thread):
        server.offer(offer())
        server.wait_for(lambda: "cell" in server.kinds())
        begun = time.monotonic()
        agent.stop()
        agent.stop()
        thread.join(15)
        assert time.monotonic() - begun < 2.0
    assert server.result_posts == 0
    assert len(Spool(tmp_path).holding()) == 1


def test_it_ends_with_a_sentence_when_its_credential_is_revoked(
    server: FakeServer, tmp_path: Path, ollama: str
) -> None:
    with running_agent(server, tmp_path, ScriptedEngine(), ollama) as (_, thread):
        server.wait_for(lambda: server.syncs)
        server.credential = "another"
        server.wake()
        thread.join(10)
        assert not thread.is_alive()
        (error,) = thread.errors  # type: ignore[attr-defined]
    assert isinstance(error, AgentError)
    assert "no longer accepts" in str(error)
    assert CREDENTIAL not in str(error)


def test_with_a_fresh_token_it_enrols_again_when_its_credential_is_revoked(
    server: FakeServer, tmp_path: Path, ollama: str
) -> None:
    with running_agent(server, tmp_path, ScriptedEngine(), ollama):
        server.wait_for(lambda: server.syncs)
    server.credential = "obta_87654321_another-secret"
    server.tokens.add(TOKEN)
    server.syncs.clear()
    with running_agent(server, tmp_path, ScriptedEngine(), ollama):
        server.wait_for(lambda: server.syncs)
    assert len(server.registers) == 2
