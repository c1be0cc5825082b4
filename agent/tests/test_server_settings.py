"""Reading runners' command lines: as parsed text, and of real processes."""

from __future__ import annotations

import pytest

from agent.obt_agent.contract import ServerSettings
from agent.obt_agent.ollama import OllamaClient, StreamLimits
from agent.obt_agent.server_settings import (
    is_runner,
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
        assert read_server_settings(real_ollama_server.url, "d") == ServerSettings()
