"""The command line: `obt_agent [run] --server URL --token T`, `obt_agent doctor`, `obt_agent --version`."""

from __future__ import annotations

import argparse
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Optional

from . import __version__, logs
from .config import Config, check_ca_file, fingerprint, is_loopback, platform_state_dir, secret_in, server_url
from .doctor import examine, record_to, report
from .errors import AgentError
from .loop import Agent
from .worker import Engine

EXIT_STOPPED, EXIT_ERROR = 0, 1
PARENT_PIPE = "OBT_PARENT_PIPE"
TOKEN_VARIABLE = "OBT_ENROL_TOKEN"  # noqa: S105 - a name

log = logging.getLogger(__name__)


def main(arguments: Optional[Sequence[str]] = None, engine: Optional[Engine] = None) -> int:
    """Run the agent; returns the exit code: 0 stopped, 1 with one sentence of error on stderr."""
    options = _parser().parse_args(arguments)
    try:
        logs.set_up(options.log_level, os.environ.get("OBT_LOG_FORMAT", "text").lower())
        if options.command == "doctor":
            return _doctor(options)
        return _run(options, engine or _measure())
    except AgentError as error:
        print(error, file=sys.stderr)
        return EXIT_ERROR


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="obt_agent",
        description="Measures this machine's Ollama and reports to an OBT server.",
        epilog="Environment: OBT_SERVER, OBT_ENROL_TOKEN or OBT_ENROL_TOKEN_FILE, OBT_CA_FILE, OBT_POLICY, "
        "OBT_OLLAMA_URL, OLLAMA_HOST, OBT_LOG_LEVEL, OBT_LOG_FORMAT.",
    )
    environ = os.environ
    parser.add_argument("command", nargs="?", choices=("run", "doctor"), default="run")
    parser.add_argument("--server", default=environ.get("OBT_SERVER"), help="the server, e.g. http://127.0.0.1:8881")
    parser.add_argument("--token", help="enrolment token, needed once; others see it here, not in OBT_ENROL_TOKEN")
    parser.add_argument("--state-dir", type=Path, default=platform_state_dir(), help="default: %(default)s")
    parser.add_argument("--ollama-url", help="where Ollama is (default: found by OBT_OLLAMA_URL, OLLAMA_HOST, habit)")
    parser.add_argument("--name", help="the machine's name on the server (default: its host name)")
    ca_help = "certificate authority of the server, PEM"
    parser.add_argument("--ca-file", type=_file, default=environ.get("OBT_CA_FILE") or None, help=ca_help)
    parser.add_argument("--cert-sha256", help="trust the certificate with this fingerprint, and no other")
    policy_help = "what this machine's owner allows (default: policy.ini in the state folder)"
    parser.add_argument("--policy", type=_file, default=environ.get("OBT_POLICY") or None, help=policy_help)
    parser.add_argument("--record", type=Path, metavar="FILE", help="doctor: write what the probes read here to a file")
    parser.add_argument("--log-level", choices=logs.LEVELS, default=_log_level(environ))
    parser.add_argument("--version", action="version", version=f"obt_agent {__version__}")
    return parser


def _file(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _log_level(environ: Mapping[str, str]) -> str:
    level = environ.get("OBT_LOG_LEVEL", "info").lower()
    return level if level in logs.LEVELS else "info"


def _doctor(options: argparse.Namespace) -> int:
    if options.record is not None:
        return report(record_to(options.record, options.state_dir), lambda line: print(line, flush=True))
    server = server_url(options.server) if options.server else None
    findings = examine(server, options.state_dir, options.ollama_url, options.ca_file, _pinned(options), options.policy)
    return report(findings, lambda line: print(line, flush=True))


def _run(options: argparse.Namespace, engine: Engine) -> int:
    agent = Agent(_config(options), engine)
    _stop_on_signals(agent)
    if os.environ.get(PARENT_PIPE) == "1":
        threading.Thread(target=_stop_with_parent, args=(agent,), name="parent", daemon=True).start()
    agent.run()
    return EXIT_STOPPED


def _config(options: argparse.Namespace) -> Config:
    if not options.server:
        raise AgentError("No server was given; use --server URL or the environment variable OBT_SERVER.")
    config = Config(
        server=server_url(options.server),
        state_dir=options.state_dir.expanduser().absolute(),
        token=options.token or secret_in(os.environ, TOKEN_VARIABLE),
        ollama_url=options.ollama_url,
        name=options.name,
        ca_file=options.ca_file,
        cert_sha256=_pinned(options),
        policy=options.policy,
    )
    if config.ca_file:
        check_ca_file(config.ca_file)
    if config.cert_sha256 and not config.server.startswith("https:"):
        raise AgentError("--cert-sha256 is about https, and the server's address begins with http.")
    if config.server.startswith("http:") and not is_loopback(config.server):
        log.warning(
            "The connection to %s is not encrypted; use https between machines you do not trust.", config.server
        )
    return config


def _pinned(options: argparse.Namespace) -> Optional[str]:
    return fingerprint(options.cert_sha256) if options.cert_sha256 else None


def _measure() -> Engine:
    from .measure import run_job  # noqa: PLC0415 - doctor and tests with an engine of their own do without

    return run_job


def _stop_on_signals(agent: Agent) -> None:
    """Each SIGINT or SIGTERM is one `agent.stop()`, called by a thread.

    A handler runs between any two steps of the main thread; were it to set an Event whose lock that thread holds at
    that moment, neither would ever go on. SimpleQueue.put may be called there: it takes no lock of Python's.
    """
    asked: queue.SimpleQueue[int] = queue.SimpleQueue()

    def pass_on() -> None:
        while True:
            asked.get()
            agent.stop()

    threading.Thread(target=pass_on, name="signals", daemon=True).start()
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, _frame: asked.put(number))


def _stop_with_parent(agent: Agent) -> None:
    """Stop when stdin ends: the process that started this one is gone, or closed the pipe to say so."""
    while True:
        try:
            if not os.read(0, 4096):  # not sys.stdin: its lock would be in the way of the exit
                break
        except OSError:
            break
    agent.stop()
