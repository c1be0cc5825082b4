"""An agent that the server slows down for a while: it waits as long as it is told, and nothing gets lost."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from agent.obt_agent.contract import ProgressRequest, ResultBody
from agent.obt_agent.deliver import Deliverer
from agent.obt_agent.link import Refused
from agent.obt_agent.spool import Due
from agent.tests.agent_world import ScriptedEngine, offer, running_agent
from agent.tests.fake_server import FakeServer, Fault
from agent.tests.loop_fixtures import ollama as ollama
from agent.tests.loop_fixtures import server as server

SAMPLES = 12
WAIT_S = 1


def slowed(times: int) -> Fault:
    return Fault(status=429, headers={"Retry-After": str(WAIT_S)}, times=times)


class PatientEngine(ScriptedEngine):
    """Ends the job only when the test has seen enough of it."""

    def __init__(self) -> None:
        super().__init__(samples=SAMPLES)
        self.enough = threading.Event()

    def result(self, job: dict[str, Any], outcome: str) -> ResultBody:
        self.enough.wait(60)
        return super().result(job, outcome)


def test_no_sample_no_event_and_no_result_is_lost(server: FakeServer, tmp_path: Path, ollama: str) -> None:
    engine = PatientEngine()
    engine.go.clear()
    with running_agent(server, tmp_path, engine, ollama):
        job = server.offer(offer())
        server.wait_for(lambda: "cell" in server.kinds())
        server.fail("progress", slowed(times=2))
        server.fail("sync", slowed(times=2))
        engine.go.set()
        server.wait_for(lambda: server.kinds().count("sample") == SAMPLES, timeout_s=60)
        server.fail("result", slowed(times=2))
        engine.enough.set()
        result = server.wait_for(lambda: server.result(job), timeout_s=60)

    told = [event for _, event in server.events]
    assert [event.index for event in told if event.kind == "sample"] == list(range(SAMPLES))
    assert [event.seq for event in told] == sorted({event.seq for event in told})
    assert [sample.index for sample in result.cells[0].samples] == list(range(SAMPLES))
    assert engine.measured == list(range(SAMPLES))
    assert server.result_posts == 1
    assert not server.faults["result"]


class NotedFault(Fault):
    """`at`: when it was handed out."""

    at = 0.0

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "times":
            super().__setattr__("at", time.monotonic())


class NotingServer(FakeServer):
    """Keeps when each progress call came that was let through."""

    def __init__(self) -> None:
        super().__init__()
        self.let_through: list[float] = []

    def progress(self, job: str, body: ProgressRequest) -> tuple[int, Any]:
        self.let_through.append(time.monotonic())
        return super().progress(job, body)


def test_news_is_no_reason_to_ask_sooner_than_told(tmp_path: Path, ollama: str) -> None:
    server = NotingServer()
    server.start()
    engine = PatientEngine()
    engine.go.clear()
    fault = NotedFault(status=429, headers={"Retry-After": str(WAIT_S)})
    try:
        with running_agent(server, tmp_path, engine, ollama):
            job = server.offer(offer())
            server.wait_for(lambda: "cell" in server.kinds())
            server.fail("progress", fault)
            server.wait_for(lambda: not server.faults["progress"])
            engine.go.set()
            server.wait_for(lambda: server.kinds().count("sample") == SAMPLES, timeout_s=60)
            engine.enough.set()
            server.wait_for(lambda: server.result(job), timeout_s=60)
    finally:
        server.stop()

    assert min(moment for moment in server.let_through if moment > fault.at) - fault.at >= WAIT_S


class Slowing:
    """A link that refuses every result, as a server does that was asked too often."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def result(self, job: str, body: bytes) -> None:
        self.asked.append(job)
        raise Refused(429, "Wait.", retry_after_s=7.0)


class TwoDue:
    def save_again(self) -> None: ...

    def due(self) -> list[Due]:
        return [Due("a", 1, b"{}"), Due("b", 1, b"{}")]


def test_of_several_results_none_is_tried_again_before_the_time() -> None:
    link = Slowing()
    deliverer = Deliverer(TwoDue(), link, lambda: None)  # type: ignore[arg-type]

    wait_s = deliverer.deliver_all()

    assert link.asked == ["a"]
    assert wait_s >= 7.0
