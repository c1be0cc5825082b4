"""`python -m agent.simulator`: a simulated Ollama in the foreground, until SIGTERM, Ctrl-C or its parent's end."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

from .eras import ERAS, TODAY, era_named
from .models import ModelSpec, spec_from_json
from .server import SimulatedOllama

PARENT_PIPE_VARIABLE = "OBT_PARENT_PIPE"
WAIT_SLICE_S = 0.5
"""Windows delivers signals only between waits."""
FAILURE = 1
PIPE_BYTES = 4096


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop; the exit status."""
    options = _parser().parse_args(arguments)
    try:
        simulator = _simulator(options).start()
    except (OSError, ValueError, OverflowError) as wrong:
        print(f"The simulated Ollama cannot start: {wrong}", file=sys.stderr)
        return FAILURE
    stop = threading.Event()
    _stop_on_signals(stop)
    _announce(simulator, options.port_file)
    while not stop.wait(WAIT_SLICE_S):
        pass
    simulator.stop()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m agent.simulator", description="A simulated Ollama.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument("--models", type=Path, help="JSON list of models instead of the built-in ones")
    parser.add_argument("--speed", type=float, default=1.0, help="factor on all rates")
    parser.add_argument("--parallel", type=int, default=1, help="requests a model serves at the same time")
    parser.add_argument("--era", choices=list(ERAS), default=TODAY.name, help="the releases whose counters it copies")
    parser.add_argument("--port-file", type=Path, help="where to write the port once it listens")
    return parser


def _simulator(options: argparse.Namespace) -> SimulatedOllama:
    models = None if options.models is None else _models_of(options.models)
    return SimulatedOllama(
        models,
        host=options.host,
        port=options.port,
        speed=options.speed,
        parallel=options.parallel,
        era=era_named(options.era),
    )


def _models_of(path: Path) -> list[ModelSpec]:
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, list):
        raise ValueError(f"{path} must hold a JSON list of models")
    return [spec_from_json(one) for one in value]


def _announce(simulator: SimulatedOllama, port_file: Path | None) -> None:
    if port_file is not None:
        part = port_file.with_name(f"{port_file.name}.part")
        part.write_text(f"{simulator.port}\n", encoding="utf-8")
        part.replace(port_file)  # a reader sees the whole number or no file
    print(f"Simulated Ollama {simulator.world.version} listens on {simulator.url}", flush=True)


def _stop_on_signals(stop: threading.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if os.environ.get(PARENT_PIPE_VARIABLE) == "1":
        threading.Thread(target=_stop_when_parent_dies, args=(stop,), daemon=True).start()


def _stop_when_parent_dies(stop: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), PIPE_BYTES):
        pass
    stop.set()


if __name__ == "__main__":
    sys.exit(main())
