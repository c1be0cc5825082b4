"""Ollama's settings as its runner's command line shows them. Ollama has no API for them: what is not seen is unknown.

Seen with releases up to 0.6 (`ollama runner … --flash-attn --kv-cache-type q8_0 --parallel 4`) and from 0.30 on
(`llama-server … --flash-attn on --cache-type-k q8_0 --parallel 4`). The runners between are given their settings over
a socket: their command line shows none (looked at with 0.24.0).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional
from urllib.parse import urlsplit

import psutil

from .contract import ServerSettings

FLASH_ATTENTION_FLAGS = ("--flash-attn", "-fa")
KV_CACHE_FLAGS = ("--kv-cache-type", "--cache-type-k", "-ctk")
PARALLEL_FLAGS = ("--parallel", "-np")
FLASH_ATTENTION_WORDS = {"on": "on", "1": "on", "true": "on", "off": "off", "0": "off", "false": "off", "auto": "auto"}
MAX_PARALLEL = 4096
NOT_SHOWN = "The runner's command line does not show it."
SETTINGS = ("flash_attention", "kv_cache_type", "num_parallel")
DEFAULT_PORTS = {"http": 80, "https": 443}


def read_server_settings(url: str, digest: str) -> ServerSettings:
    """The settings of the runner that has the model `digest` loaded, under the Ollama that listens at `url`.

    All unknown (None) when that runner cannot be told apart for certain. Never raises.
    """
    try:
        lines = runner_command_lines(url)
    except (psutil.Error, OSError):
        return ServerSettings()
    ours = [line for line in lines if any(digest.split(":", 1)[-1] in word for word in line)]
    chosen = ours or lines  # the model's own digest is not that of the file with its weights
    found = {parse_command_line(line) for line in chosen}
    return found.pop() if len(found) == 1 else ServerSettings()


def missing_reasons(settings: ServerSettings) -> dict[str, str]:
    """Why settings are unknown, by their names in ServerSettings; empty when all are known."""
    return {name: NOT_SHOWN for name in SETTINGS if getattr(settings, name) is None}


def runner_command_lines(url: str) -> list[list[str]]:
    """The command lines of the runners below the process that listens on the port of `url`. Raises psutil.Error."""
    server = server_process(url)
    if server is None:
        return []
    lines = []
    for child in server.children(recursive=True):
        try:
            line = child.cmdline()
        except psutil.Error:
            continue
        if is_runner(line):
            lines.append(line)
    return lines


def server_process(url: str) -> Optional[psutil.Process]:
    """Ollama's server process: it listens on the port. None when it is another user's or not on this machine."""
    parts = urlsplit(url)
    port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    for process in psutil.process_iter(["name"]):
        if "ollama" not in (process.info["name"] or "").lower():
            continue
        try:
            if any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in connections_of(process)):
                return process
        except psutil.Error:
            continue
    return None


def connections_of(process: psutil.Process) -> list[Any]:
    """The process's TCP sockets, whichever name this psutil has for them."""
    read = getattr(process, "net_connections", None) or process.connections
    return list(read(kind="tcp"))


def is_runner(line: Sequence[str]) -> bool:
    """Whether a command line is that of a process that runs a model."""
    program = line[0].replace("\\", "/").rsplit("/", 1)[-1].lower() if line else ""
    if program.startswith("llama-server") or "ollama_llama_server" in program:
        return True
    return program.startswith("ollama") and "runner" in line[1:3]


def parse_command_line(line: Sequence[str]) -> ServerSettings:
    """What a runner's command line says; None for what it does not."""
    flash = _value(line, FLASH_ATTENTION_FLAGS)
    cache = _value(line, KV_CACHE_FLAGS)
    parallel = _value(line, PARALLEL_FLAGS)
    return ServerSettings(
        # without a value the flag means on
        flash_attention=None if flash is None else FLASH_ATTENTION_WORDS.get(flash.lower(), "on"),
        kv_cache_type=cache[:40] if cache else None,
        num_parallel=int(parallel) if parallel and parallel.isdecimal() and int(parallel) <= MAX_PARALLEL else None,
    )


def _value(line: Sequence[str], flags: Sequence[str]) -> Optional[str]:
    """The word after a flag, or after its `=`; empty when it stands alone; None when it is not there."""
    for position, word in enumerate(line):
        name, equals, value = word.partition("=")
        if name not in flags:
            continue
        if equals:
            return value
        following = line[position + 1] if position + 1 < len(line) else ""
        return "" if following.startswith("-") else following
    return None
