"""Reading runners' command lines: as parsed text, and of real processes."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.obt_agent.contract import ServerSettings
from agent.obt_agent.ollama import OllamaClient, StreamLimits
from agent.obt_agent.server_settings import (
    NOT_SHOWN,
    SETTINGS,
    is_runner,
    missing_reasons,
    parse_command_line,
    read_server_settings,
    runner_command_lines,
    server_process,
)
from agent.real_ollama.fixtures import REAL_OLLAMA_MARKS
from agent.real_ollama.serve import RealOllama

OLD = "/usr/local/bin/ollama runner --model /m/sha256-ab --ctx-size 8192 --flash-attn --kv-cache-type q8_0 --parallel 4"
NEW = "/usr/lib/ollama/llama-server --model /m/sha256-ab -c 4096 -fa on --cache-type-k q4_0 --cache-type-v q4_0 -np 1"
MIDDLE = "/usr/local/bin/ollama runner --ollama-engine --model /m/sha256-ab --port 41233"


@pytest.mark.parametrize(
    ("line", "settings"),
    [
        (OLD, ServerSettings("on", "q8_0", 4)),
        (NEW, ServerSettings("on", "q4_0", 1)),
        (MIDDLE, ServerSettings()),
        ("llama-server --flash-attn=off --parallel=2", ServerSettings("off", None, 2)),
        ("llama-server --flash-attn auto", ServerSettings("auto", None, None)),
        ("llama-server --parallel many --kv-cache-type", ServerSettings()),
        ("llama-server --parallel 99999999999999999999", ServerSettings()),
        ("", ServerSettings()),
    ],
)
def test_a_command_line_says_what_it_says_and_no_more(line: str, settings: ServerSettings) -> None:
    assert parse_command_line(line.split()) == settings


@pytest.mark.parametrize(
    ("line", "runner"),
    [
        (OLD, True),
        (NEW, True),
        ("C:\\Ollama\\ollama.exe runner --port 5", True),
        ("/tmp/ollama123/runners/cpu/ollama_llama_server --port 5", True),
        ("/usr/local/bin/ollama serve", False),
        ("/usr/bin/python runner", False),
        ("", False),
    ],
)
def test_runners_are_told_from_other_processes(line: str, runner: bool) -> None:
    assert is_runner(line.split()) is runner


def test_an_address_where_no_ollama_of_this_machine_listens_is_unknown() -> None:
    assert read_server_settings("http://192.0.2.1:11434", "d") == ServerSettings()
    assert read_server_settings("http://127.0.0.1:1", "d") == ServerSettings()


def test_each_unknown_setting_has_its_reason_and_a_known_one_has_none() -> None:
    assert missing_reasons(ServerSettings()) == dict.fromkeys(SETTINGS, NOT_SHOWN)
    assert missing_reasons(ServerSettings("on", "f16", 4)) == {}
    assert missing_reasons(ServerSettings("auto", None, 1)) == {"kv_cache_type": NOT_SHOWN}
    assert set(SETTINGS) == {one.name for one in dataclasses.fields(ServerSettings)}


# -- the processes of 0.30 and later -----------------------------------------------------------------------------

# Ollama 0.30.1 starts it so (llm/llama_server.go, startLlamaServer); without OLLAMA_KV_CACHE_TYPE no cache type.
LLAMA_SERVER_ARGUMENTS = (
    "--port 1 --host 127.0.0.1 --no-webui --offline -c 16384 -np 4 --flash-attn auto -b 512 -ub 512"
)
SERVER = """
import socket, subprocess, sys
listener = socket.create_server(("127.0.0.1", 0))
children = []
for model, _, more in (word.partition("=") for word in sys.argv[2:]):
    command = [sys.argv[1], "-c", "import sys; sys.stdin.read()", "--model", model, *ARGUMENTS, *more.split()]
    children.append(subprocess.Popen(command, stdin=subprocess.PIPE))
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
for child in children:
    child.communicate()
"""


@contextlib.contextmanager
def ollama_with_llama_servers(folder: Path, *models: str) -> Iterator[str]:
    """A process called ollama that listens, with a child called llama-server for each `model=more arguments`."""
    python = os.path.realpath(sys.executable)
    for name in ("ollama", "llama-server"):
        (folder / name).symlink_to(python)
    script = SERVER.replace("ARGUMENTS", repr(LLAMA_SERVER_ARGUMENTS.split()))
    command = [str(folder / "ollama"), "-c", script, str(folder / "llama-server"), *models]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        server.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links to a program")
def test_the_child_process_of_0_30_shows_its_settings(tmp_path: Path) -> None:
    with ollama_with_llama_servers(tmp_path, "/m/sha256-ab=--cache-type-k q8_0 --cache-type-v q8_0") as url:
        assert read_server_settings(url, "another") == ServerSettings("auto", "q8_0", 4)


@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links to a program")
def test_of_two_children_with_different_settings_only_the_models_own_is_read(tmp_path: Path) -> None:
    with ollama_with_llama_servers(tmp_path, "/m/sha256-ab=--cache-type-k q4_0", "/m/sha256-cd=") as url:
        assert read_server_settings(url, "sha256:ab") == ServerSettings("auto", "q4_0", 4)
        assert read_server_settings(url, "cd") == ServerSettings("auto", None, 4)
        assert read_server_settings(url, "not-among-them") == ServerSettings()


class TestRealOllama:
    """With a real server process that has a model loaded."""

    pytestmark = REAL_OLLAMA_MARKS

    def test_its_runner_is_found_below_the_process_that_listens(self, real_ollama_server: RealOllama) -> None:
        body = {"model": "obt-tiny", "prompt": "x", "raw": True, "options": {"num_predict": 1}}
        assert OllamaClient(real_ollama_server.url).generate(body, StreamLimits(30, 30)).error is None
        server = server_process(real_ollama_server.url)
        assert server is not None
        assert server.pid == real_ollama_server.process.process.pid  # type: ignore[union-attr]
        lines = runner_command_lines(real_ollama_server.url)
        assert lines
        assert all("runner" in line for line in lines)

    def test_0_24_shows_no_settings_so_they_are_unknown(self, real_ollama_server: RealOllama) -> None:
        settings = read_server_settings(real_ollama_server.url, "d")
        assert settings == ServerSettings()
        assert missing_reasons(settings)["flash_attention"] == "The runner's command line does not show it."
