"""The agent as a process of its own, with its real engine, against a server over real HTTP and a simulated Ollama."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.obt_agent.contract import CellSpec, JobOffer
from agent.obt_agent.ollama import OllamaClient
from agent.simulator.models import ModelSpec
from agent.simulator.server import SimulatedOllama
from agent.tests.agent_world import AGENT_DIR, AgentProcess, offer
from agent.tests.fake_server import TOKEN, FakeServer

SHORT = CellSpec(name="tg16", kind="decode", repetitions=3, warmups=1, prompt_tokens=16, output_tokens=16, num_ctx=2048)
LONG = CellSpec(
    name="tg512", kind="decode", repetitions=6, warmups=0, prompt_tokens=16, output_tokens=512, num_ctx=2048
)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer().start()
    yield fake
    fake.stop()


@pytest.fixture
def ollama() -> Iterator[SimulatedOllama]:
    simulated = SimulatedOllama([ModelSpec("steady", decode_tps=250.0, load_s=0.1)]).start()
    yield simulated
    simulated.stop()


def agent(server: FakeServer, ollama: SimulatedOllama, state_dir: Path, **env: str) -> AgentProcess:
    return AgentProcess(
        "--server", server.url, "--token", TOKEN, "--state-dir", str(state_dir), "--ollama-url", ollama.url, env=env
    )


def job(ollama: SimulatedOllama, *cells: CellSpec) -> JobOffer:
    (model,) = OllamaClient(ollama.url).tags()
    return offer(model=model.name, digest=model.digest, cells=list(cells), stall_timeout_s=30.0)


def test_it_registers_measures_and_delivers(server: FakeServer, ollama: SimulatedOllama, tmp_path: Path) -> None:
    with agent(server, ollama, tmp_path) as process:
        server.wait_for(lambda: server.syncs)
        asked = server.offer(job(ollama, SHORT))
        result = server.wait_for(lambda: server.result(asked), 60)
        process.process.send_signal(signal.SIGTERM)
        assert process.end() == 0
    assert result.outcome == "succeeded", result.error
    (cell,) = result.cells
    counted = [sample for sample in cell.samples if not sample.warmup and not sample.flags]
    assert len(counted) >= 3
    assert all(sample.raw.eval_count == 16 for sample in counted)
    assert result.environment.hardware.cpu.logical_cores
    assert result.telemetry.of_this_machine is True  # the simulator is a process of this machine
    assert {"started", "cell", "sample"} <= set(server.kinds())
    assert server.problems == []
    assert TOKEN not in process.output
    assert server.credential not in process.output


def test_a_stream_is_cut_within_two_seconds_of_a_cancellation(
    server: FakeServer, ollama: SimulatedOllama, tmp_path: Path
) -> None:
    with agent(server, ollama, tmp_path):
        asked = server.offer(job(ollama, LONG))
        server.wait_for(lambda: any(event.kind == "live" and event.value for _, event in server.events), 60)
        begun = time.monotonic()
        server.cancel(asked)
        result = server.wait_for(lambda: server.result(asked))
        assert time.monotonic() - begun < 2.0
    assert result.outcome == "cancelled"


def test_killed_in_the_middle_it_goes_on_with_the_same_lease(
    server: FakeServer, ollama: SimulatedOllama, tmp_path: Path
) -> None:
    with agent(server, ollama, tmp_path) as process:
        asked = server.offer(job(ollama, LONG))
        server.wait_for(lambda: "sample" in server.kinds(), 60)
        process.process.kill()
        process.end()
    told = len(server.syncs)
    with agent(server, ollama, tmp_path):
        server.wait_for(lambda: len(server.syncs) > told)
        assert [held.lease for held in server.syncs[told].holding] == [asked.lease]
        result = server.wait_for(lambda: server.result(asked), 120)
    assert result.outcome == "succeeded", result.error
    (cell,) = result.cells
    counted = [sample for sample in cell.samples if not sample.warmup and not sample.flags]
    assert len({sample.index for sample in counted}) == len(counted)
    first = next(event for _, event in server.events if event.kind == "sample")
    assert cell.samples[0].index == first.index  # measured before, kept, not measured again
    starts = [sample.timing.start_s for sample in cell.samples]
    assert starts == sorted(starts)
    assert [event.seq for _, event in server.events] == sorted({event.seq for _, event in server.events})


def test_sigterm_finishes_the_sample_and_gives_the_job_back(
    server: FakeServer, ollama: SimulatedOllama, tmp_path: Path
) -> None:
    with agent(server, ollama, tmp_path) as process:
        server.offer(job(ollama, LONG))
        server.wait_for(lambda: any(event.kind == "live" and event.value for _, event in server.events), 60)
        process.process.send_signal(signal.SIGTERM)
        assert process.end(60) == 0
    kinds = server.kinds()
    assert kinds[-1] == "released"
    assert "sample" in kinds


def test_a_second_sigterm_ends_it_within_two_seconds(
    server: FakeServer, ollama: SimulatedOllama, tmp_path: Path
) -> None:
    with agent(server, ollama, tmp_path) as process:
        server.offer(job(ollama, LONG))
        server.wait_for(lambda: any(event.kind == "live" and event.value for _, event in server.events), 60)
        process.process.send_signal(signal.SIGTERM)
        server.wait_for(lambda: "Stopping" in process.output)
        begun = time.monotonic()
        process.process.send_signal(signal.SIGTERM)
        assert process.end() == 0
        assert time.monotonic() - begun < 2.0
    assert "released" not in server.kinds()


def test_it_stops_when_its_parent_closes_the_pipe(server: FakeServer, ollama: SimulatedOllama, tmp_path: Path) -> None:
    arguments = ["--server", server.url, "--token", TOKEN, "--state-dir", str(tmp_path), "--ollama-url", ollama.url]
    with AgentProcess(*arguments, env={"OBT_PARENT_PIPE": "1"}, stdin=subprocess.PIPE) as process:
        server.wait_for(lambda: server.syncs)
        assert process.process.stdin is not None
        process.process.stdin.close()
        assert process.end() == 0
    assert "Fatal" not in process.output
    assert "Traceback" not in process.output


def test_a_second_agent_with_the_same_state_folder_is_refused(
    server: FakeServer, ollama: SimulatedOllama, tmp_path: Path
) -> None:
    with agent(server, ollama, tmp_path) as first:
        server.wait_for(lambda: server.syncs)
        with agent(server, ollama, tmp_path) as second:
            assert second.end() == 1
        assert second.lines == [
            f"Another agent (process {first.process.pid}) already runs with the state folder {tmp_path}."
        ]


def test_a_token_that_is_refused_ends_it_with_the_servers_sentence(
    server: FakeServer, ollama: SimulatedOllama, tmp_path: Path
) -> None:
    server.tokens.clear()
    with agent(server, ollama, tmp_path) as process:
        assert process.end() == 1
    assert process.lines == ["The enrolment token was not accepted: This enrolment token is unknown or was used."]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--server", "ftp://x"], "must begin with http:// or https://"),
        (["--server", "http://user:secret@x"], "must be only scheme, host and port"),
        ([], "No server was given"),
        (["--server", "http://127.0.0.1:1"], "not enrolled yet"),
    ],
)
def test_a_wrong_start_is_one_sentence(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    with AgentProcess(*arguments, "--state-dir", str(tmp_path)) as process:
        assert process.end() == 1
    assert len(process.lines) == 1
    assert sentence in process.lines[0]
    assert "secret" not in process.lines[0]


def test_it_waits_for_a_server_that_starts_later(ollama: SimulatedOllama, tmp_path: Path) -> None:
    server = FakeServer().start()
    server.stop()
    with agent(server, ollama, tmp_path) as process:
        deadline = time.monotonic() + 10
        while "cannot be enrolled yet" not in process.output and time.monotonic() < deadline:
            time.sleep(0.05)
        server.start()
        server.wait_for(lambda: server.syncs, 40)
    server.stop()
    assert process.output.count("cannot be enrolled yet") == 1


def test_its_settings_come_from_the_environment_too(
    server: FakeServer, ollama: SimulatedOllama, tmp_path: Path
) -> None:
    env = {
        "OBT_SERVER": server.url,
        "OBT_ENROL_TOKEN": TOKEN,
        "OLLAMA_HOST": ollama.url,
        "XDG_STATE_HOME": str(tmp_path),
        "OBT_LOG_FORMAT": "json",
    }
    with AgentProcess(env=env) as process:
        server.wait_for(lambda: server.syncs and server.syncs[-1].ollama.reachable)
    assert (tmp_path / "obt-agent" / "credential.json").is_file()
    assert process.lines[0].startswith('{"time": ')


def test_it_says_its_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "obt_agent", "--version"], cwd=AGENT_DIR, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("obt_agent ")


def test_the_doctor_says_what_is_there_and_what_to_do(ollama: SimulatedOllama, tmp_path: Path) -> None:
    well = AgentProcess("doctor", "--state-dir", str(tmp_path), "--ollama-url", ollama.url)
    assert well.end() == 0
    assert f"answers at {ollama.url}" in well.output
    ollama.stop()
    ill = AgentProcess("doctor", "--state-dir", str(tmp_path), "--ollama-url", ollama.url, "--server", ollama.url)
    assert ill.end() == 1
    assert f"✗ Ollama refused the connection at {ollama.url}" in ill.output
    assert "→ Start Ollama" in ill.output
    assert f"✗ The server at {ollama.url} refused the connection." in ill.output


def test_ctrl_c_stops_it(server: FakeServer, ollama: SimulatedOllama, tmp_path: Path) -> None:
    with agent(server, ollama, tmp_path) as process:
        server.wait_for(lambda: server.syncs)
        os.kill(process.process.pid, signal.SIGINT)
        assert process.end() == 0
    assert "Stopped." in process.output
    assert "Traceback" not in process.output
