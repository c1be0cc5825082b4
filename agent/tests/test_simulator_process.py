"""`python -m agent.simulator` as a process: ready line, port file, models file, and its ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 15


@contextmanager
def simulator(*arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running process and its address, read from the line it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "agent.simulator", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found is not None, line
        yield process, found.group()
    finally:
        process.kill()
        process.wait(TIMEOUT_S)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def test_it_says_where_it_listens_and_writes_its_port(tmp_path: Path) -> None:
    port_file = tmp_path / "port"
    with simulator("--port-file", str(port_file)) as (_, url):
        assert url.endswith(f":{port_file.read_text().strip()}")
        assert "simulator" in requests.get(f"{url}/api/version", timeout=TIMEOUT_S).json()["version"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_without_a_word(number: signal.Signals) -> None:
    with simulator() as (process, url):
        requests.get(url, timeout=TIMEOUT_S)
        process.send_signal(number)
        out, errors = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out, errors) == (0, "", "")


def test_a_signal_stops_it_in_the_middle_of_a_stream() -> None:
    with simulator() as (process, url):
        body: dict[str, Any] = {"model": "sim-llama3.2:1b", "prompt": "x", "raw": True}
        with requests.post(f"{url}/api/generate", json=body, stream=True, timeout=TIMEOUT_S) as response:
            lines = response.iter_lines()
            next(lines)
            start = time.monotonic()
            process.terminate()
            _, errors = process.communicate(timeout=TIMEOUT_S)
            with pytest.raises(requests.exceptions.RequestException):
                list(lines)
    assert process.returncode == 0
    assert errors == ""
    assert time.monotonic() - start < 2


def test_it_goes_when_its_parent_dies() -> None:
    with simulator(OBT_PARENT_PIPE="1") as (process, _):
        assert process.poll() is None
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(TIMEOUT_S) == 0


def test_without_a_parent_pipe_the_end_of_its_input_means_nothing() -> None:
    with simulator() as (process, url):
        assert process.stdin is not None
        process.stdin.close()
        assert requests.get(url, timeout=TIMEOUT_S).status_code == 200
        assert process.poll() is None


def test_it_takes_models_from_a_file(tmp_path: Path) -> None:
    models = tmp_path / "models.json"
    models.write_text(json.dumps([{"name": "mine:1b", "decode_tps": 50}]))
    with simulator("--models", str(models), "--parallel", "2") as (_, url):
        names = [one["name"] for one in requests.get(f"{url}/api/tags", timeout=TIMEOUT_S).json()["models"]]
    assert names == ["mine:1b"]


@pytest.mark.parametrize(
    "content", ["{", '{"name": "x"}', "[3]", '[{"name": "x", "colour": 1}]', '[{"name": "x", "decode_tps": 0}]']
)
def test_a_wrong_models_file_is_one_sentence_and_exit_code_1(tmp_path: Path, content: str) -> None:
    models = tmp_path / "models.json"
    models.write_text(content)
    assert_one_sentence(run("--models", str(models)))


def test_a_missing_models_file_and_a_wrong_port_are_one_sentence(tmp_path: Path) -> None:
    assert_one_sentence(run("--models", str(tmp_path / "none.json")))
    assert_one_sentence(run("--port", "99999"))
    assert_one_sentence(run("--speed", "0"))


def test_a_taken_port_is_one_sentence() -> None:
    with simulator() as (_, url):
        assert_one_sentence(run("--port", url.rsplit(":", 1)[1]))


def test_clients_that_leave_make_no_noise() -> None:
    with simulator() as (process, url):
        body = {"model": "sim-llama3.2:1b", "prompt": "x", "raw": True}

        def leave_early() -> None:
            with requests.post(f"{url}/api/generate", json=body, stream=True, timeout=TIMEOUT_S) as response:
                next(response.iter_lines())

        leavers = [threading.Thread(target=leave_early) for _ in range(4)]
        for leaver in leavers:
            leaver.start()
        for leaver in leavers:
            leaver.join(TIMEOUT_S)
        process.terminate()
        _, errors = process.communicate(timeout=TIMEOUT_S)
    assert errors == ""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agent.simulator", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def assert_one_sentence(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 1
    assert done.stderr.startswith("The simulated Ollama cannot start: ")
    assert len(done.stderr.splitlines()) == 1


def test_it_plays_the_era_that_is_asked_for_and_knows_no_other() -> None:
    with simulator("--era", "mlx") as (_, url):
        assert requests.get(f"{url}/api/version", timeout=TIMEOUT_S).json() == {"version": "0.33.3-obt-simulator"}
        (one, *_) = requests.get(f"{url}/api/tags", timeout=TIMEOUT_S).json()["models"]
        assert one["details"]["format"] == "safetensors"
    refused = subprocess.run(
        [sys.executable, "-m", "agent.simulator", "--era", "9"],
        cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert refused.returncode == 2
    assert "invalid choice: '9'" in refused.stderr
