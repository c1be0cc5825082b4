"""`obt_agent doctor`: looks at everything the agent needs and says what to do about what is missing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Callable, NamedTuple, Optional

from .config import check_ca_file, is_loopback, load_enrolment, make_state_dir
from .contract import MINIMUM_FREE_DISK_BYTES
from .detect import find
from .errors import AgentError
from .hardware import collect
from .link import Link, LinkError, Refused
from .locality import is_local
from .ollama import OllamaClient, OllamaError
from .owner import Owner
from .power import read_power
from .probes.choose import choose, nvml
from .probes.record import record, write

OK, NOTE, PROBLEM = "ok", "note", "problem"
TIMEOUT_S = 5.0
_MARKS = {OK: "✓", NOTE: "·", PROBLEM: "✗"}


class Finding(NamedTuple):
    """One thing looked at: how it is, and what to do (empty when nothing is to be done)."""

    level: str
    text: str
    do: str = ""


def examine(
    server: Optional[str],
    state_dir: Path,
    ollama_url: Optional[str],
    ca_file: Optional[Path] = None,
    cert_sha256: Optional[str] = None,
    policy: Optional[Path] = None,
) -> Iterator[Finding]:
    yield from _state(state_dir)
    yield from _ollama(ollama_url)
    yield from _machine(state_dir)
    yield from _policy(Owner(state_dir, policy))
    yield from _server(server, state_dir, ca_file, cert_sha256)


def record_to(file: Path, state_dir: Path) -> Iterator[Finding]:
    """Write what the probes read on this machine, for tests and for people who ask what is not shown."""
    machine = choose(state_dir if state_dir.exists() else Path.cwd())
    recorded = record(machine, nvml=nvml())
    try:
        write(recorded, file)
    except OSError as error:
        yield Finding(PROBLEM, f"{file} could not be written: {error.strerror}.", "Give a file in a folder of yours.")
        return
    yield Finding(OK, f"Recorded {len(recorded['reading'])} quantities and {len(recorded['files'])} files: {file}.")
    for what, why in recorded["missing"].items():
        yield Finding(NOTE, f"{what}: {why}")


def report(findings: Iterator[Finding], write: Callable[[str], object]) -> int:
    """Print the findings; returns 1 when one is a problem."""
    worst = 0
    for finding in findings:
        write(f"{_MARKS[finding.level]} {finding.text}")
        if finding.do:
            write(f"  → {finding.do}")
        worst |= finding.level == PROBLEM
    return int(worst)


def _state(state_dir: Path) -> Iterator[Finding]:
    try:
        make_state_dir(state_dir)
        enrolment = load_enrolment(state_dir)
    except AgentError as error:
        yield Finding(PROBLEM, str(error))
        return
    if enrolment is None:
        yield Finding(
            NOTE, f"Not enrolled yet (state folder {state_dir}).", "Start the agent with --server and --token."
        )
    else:
        yield Finding(OK, f"Enrolled at {enrolment.server} as {enrolment.name} (state folder {state_dir}).")


def _ollama(ollama_url: Optional[str]) -> Iterator[Finding]:
    found = find(ollama_url, os.environ)
    client = OllamaClient(found.url, TIMEOUT_S)
    try:
        version, models = client.version(), client.tags()
    except OllamaError as error:
        yield Finding(
            PROBLEM,
            f"{error.message} (address from {found.source}).",
            "Start Ollama, or give its address with --ollama-url.",
        )
        return
    yield Finding(OK, f"Ollama {version} answers at {found.url} (from {found.source}).")
    if models:
        yield Finding(OK, f"Models installed: {len(models)}.")
    else:
        yield Finding(PROBLEM, "No model is installed.", "Pull one, e.g. `ollama pull llama3.2`.")
    local = is_local(found.url)
    if local is False:
        yield Finding(NOTE, "Ollama runs in a container or on another host: telemetry of this machine is not about it.")
    elif local is None:
        yield Finding(NOTE, "Whether Ollama runs on this machine cannot be told; telemetry is marked so.")


def _machine(state_dir: Path) -> Iterator[Finding]:
    machine = choose(state_dir if state_dir.exists() else Path.cwd())
    hardware = collect(machine.gpus(), machine.missing)
    yield Finding(
        OK, f"{hardware.cpu.model or 'CPU of unknown model'}, {hardware.cpu.logical_cores} threads, {hardware.os.name}."
    )
    for gpu in hardware.gpus:
        yield Finding(OK, f"GPU {gpu.index}: {gpu.name}, driver {gpu.driver_version or 'unknown'}.")
    for what, why in hardware.missing.items():
        yield Finding(NOTE, f"{what}: {why}")
    yield from _power()
    free = machine.read().values.get("disk_free_bytes")
    if free is not None and free < MINIMUM_FREE_DISK_BYTES:
        yield Finding(
            PROBLEM, f"Only {free / 1e6:.0f} MB are free at {state_dir}.", "Make room: below 500 MB no job is taken."
        )


def _power() -> Iterator[Finding]:
    power = read_power()
    if power.power_source == "battery":
        yield Finding(NOTE, "The machine runs on its battery.", "Plug it in: on battery most machines are slower.")
    elif power.power_source is not None:
        yield Finding(OK, "The machine runs on mains power.")
    if power.cpu_governor is not None:
        yield Finding(OK, f"The CPU's clock is governed by: {power.cpu_governor}.")
    for what, why in power.missing.items():
        yield Finding(NOTE, f"{what}: {why}")


def _policy(owner: Owner) -> Iterator[Finding]:
    """The policy in force, as it is at this moment."""
    try:
        words = list(owner.in_words())
    except AgentError as error:
        yield Finding(PROBLEM, str(error), "Mend the file, or remove it to allow everything (docs/machine-policy.md).")
        return
    if not words:
        yield Finding(OK, f"No policy of this machine ({owner.path}): any model may run, at any hour.")
        return
    yield Finding(OK, f"The policy of this machine is {owner.path}.")
    for sentence in words:
        yield Finding(NOTE, sentence)
    waits = owner.waits()
    if waits:
        yield Finding(NOTE, f"No job would begin now. {waits}")


def _server(
    server: Optional[str], state_dir: Path, ca_file: Optional[Path], cert_sha256: Optional[str]
) -> Iterator[Finding]:
    try:
        stored = load_enrolment(state_dir)
    except AgentError:
        stored = None
    url = server or (stored.server if stored else None)
    if url is None:
        yield Finding(NOTE, "No server was given.", "Give one with --server to have it looked at.")
        return
    try:
        if ca_file is not None:
            check_ca_file(ca_file)
        Link(url, ca_file=ca_file, cert_sha256=cert_sha256).look(TIMEOUT_S)
    except Refused as error:
        yield Finding(PROBLEM, f"The server at {url} answers HTTP {error.status}.", "Check that this is OBT's address.")
    except (AgentError, LinkError) as error:
        yield Finding(PROBLEM, str(error), "Check the address, the network and whether the server runs.")
        return
    else:
        yield Finding(OK, f"The server at {url} answers.")
    if url.startswith("http:") and not is_loopback(url):
        yield Finding(NOTE, "The connection is not encrypted.", "Use https between machines you do not trust.")
