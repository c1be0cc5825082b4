"""Starting and ending a real Ollama: by `serve`, by `RealOllama`, and by the fixtures where none is built."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import requests

from agent.real_ollama.fixtures import REAL_OLLAMA_MARKS, StartRealOllama, require_built_ollama
from agent.real_ollama.models import NEVER_STOPS, main, write_gguf
from agent.real_ollama.process import OllamaNotStarted, OllamaProcess
from agent.real_ollama.tools import ollama_binary, ollama_dir

pytestmark = REAL_OLLAMA_MARKS

ROOT = Path(__file__).resolve().parents[2]
END_TIMEOUT_S = 20
ONE_TEST = "def test_it_answers(real_ollama):\n    assert real_ollama\n"


def wait_until(happened: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + END_TIMEOUT_S
    while not happened():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/api/version", timeout=5).ok
    except requests.ConnectionError:
        return False


def start_serve(**environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "agent.real_ollama", "serve", "--port", "0"]
    env = {**os.environ, **environment}
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def url_printed_by(serving: subprocess.Popen[str]) -> str:
    assert serving.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:\d+", serving.stdout.readline())
    assert found is not None
    return found[0]


def load_a_model(url: str) -> None:
    body = {"model": NEVER_STOPS.name, "stream": False}
    assert requests.post(f"{url}/api/generate", json=body, timeout=60).json()["done_reason"] == "load"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_serve_prints_its_address_and_ends_with_all_its_processes(how: signal.Signals) -> None:
    require_built_ollama()
    serving = start_serve()
    url = url_printed_by(serving)
    load_a_model(url)
    started = psutil.Process(serving.pid).children(recursive=True)
    serving.send_signal(how)
    output, _ = serving.communicate(timeout=END_TIMEOUT_S)

    assert serving.returncode == 0
    assert "stopped" in output
    assert len(started) >= 2  # the server and its runner
    assert not any(process.is_running() for process in started)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent was killed")
def test_a_killed_serve_leaves_no_ollama_behind(tmp_path: Path) -> None:
    require_built_ollama()
    serving = start_serve(TMPDIR=str(tmp_path))  # a killed process cannot tidy up
    url = url_printed_by(serving)
    load_a_model(url)
    started = psutil.Process(serving.pid).children(recursive=True)
    serving.kill()
    serving.communicate(timeout=END_TIMEOUT_S)

    _, alive = psutil.wait_procs(started, timeout=END_TIMEOUT_S)
    assert not alive
    assert not answers(url)


def test_serve_says_what_to_do_when_ollama_is_not_built(tmp_path: Path) -> None:
    serving = start_serve(OBT_TOOLS_DIR=str(tmp_path))
    output, _ = serving.communicate(timeout=END_TIMEOUT_S)

    assert serving.returncode == 1
    assert "run `make ollama`" in output


def test_a_port_in_use_is_a_sentence_and_leaves_nothing_running(start_real_ollama: StartRealOllama) -> None:
    taken = start_real_ollama([NEVER_STOPS])
    second = OllamaProcess(ollama_binary(), taken.folder, taken.process.port)

    with pytest.raises(OllamaNotStarted, match="address already in use"):
        second.start()
    assert second.process is None
    second.close()
    assert answers(taken.url)


def test_each_real_ollama_has_models_of_its_own(start_real_ollama: StartRealOllama) -> None:
    one, other = start_real_ollama([NEVER_STOPS]), start_real_ollama([NEVER_STOPS])
    requests.delete(f"{one.url}/api/delete", json={"model": NEVER_STOPS.name}, timeout=30).raise_for_status()

    assert requests.get(f"{one.url}/api/tags", timeout=30).json()["models"] == []
    assert len(requests.get(f"{other.url}/api/tags", timeout=30).json()["models"]) == 1


def test_two_at_once_prepare_the_models_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_built_ollama()
    built = ollama_dir()
    (tmp_path / "ollama").mkdir()
    (tmp_path / "ollama" / built.name).symlink_to(built)
    both = [start_serve(OBT_TOOLS_DIR=str(tmp_path)) for _ in range(2)]
    urls = [url_printed_by(serving) for serving in both]
    stores = [path for path in (tmp_path / "ollama" / "models").iterdir() if not path.name.startswith(".")]

    assert all(answers(url) for url in urls)
    assert len(stores) == 1
    for serving in both:
        serving.terminate()
        serving.communicate(timeout=END_TIMEOUT_S)


def test_a_model_is_the_same_file_each_time_it_is_written(tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_gguf(NEVER_STOPS, tmp_path / name)

    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_the_models_command_writes_a_file_for_each(tmp_path: Path) -> None:
    assert main([str(tmp_path / "new")]) == 0
    assert sorted(path.stem for path in (tmp_path / "new").iterdir()) == [
        "obt-embed",
        "obt-small",
        "obt-stops",
        "obt-tiny",
    ]


@pytest.mark.parametrize(
    ("environment", "outcome"),
    [({}, "1 skipped"), ({"CI": "true"}, "1 error"), ({"OBT_REQUIRE_REAL_OLLAMA": "1"}, "1 error")],
)
def test_a_missing_ollama_skips_on_a_laptop_and_fails_in_ci(
    tmp_path: Path, environment: dict[str, str], outcome: str
) -> None:
    (tmp_path / "test_one.py").write_text(ONE_TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    options = ["-p", "no:django", "-p", "no:cacheprovider", "-p", "agent.real_ollama.fixtures", "-rsE"]
    command = [sys.executable, "-m", "pytest", *options, f"--rootdir={tmp_path}", str(tmp_path)]
    outside = {name: value for name, value in os.environ.items() if name not in {"CI", "OBT_REQUIRE_REAL_OLLAMA"}}
    env = {**outside, "OBT_TOOLS_DIR": str(tmp_path / "tools"), "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)

    assert outcome in done.stdout
    assert "run `make ollama`" in done.stdout
