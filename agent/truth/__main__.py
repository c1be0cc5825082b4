"""`python -m agent.truth`: serve in the foreground until SIGTERM, Ctrl-C, or the end of what its parent writes."""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

from agent.truth.process import CHILD_PIPE
from agent.truth.server import TruthServer

# The agent looks for a process of this name behind the port, as it does for the real one.
NAME = "ollama-truth"
OWN_NAME_FILE = "/proc/self/comm"
IDLE = "import sys; sys.stdin.read()"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m agent.truth", description="A server whose timing is known.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    options = parser.parse_args(arguments)
    take_name(NAME)
    server = TruthServer(options.port)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop(server))
    if os.environ.get(CHILD_PIPE) == "1":
        threading.Thread(target=_stop_with_parent, args=(server,), daemon=True).start()
    # The real one has a runner below it, and so has this one: what is read of a tree of processes is read of two.
    with subprocess.Popen([sys.executable, "-c", IDLE], stdin=subprocess.PIPE):
        print(f"The truth server listens on {server.url}", flush=True)
        gc.disable()  # a collection in the wrong moment would make a piece late
        server.serve_forever(poll_interval=0.05)
    return 0


def take_name(name: str) -> None:
    """Call this process so, where the system lets it."""
    with contextlib.suppress(OSError), open(OWN_NAME_FILE, "w", encoding="ascii") as file:
        file.write(name)


def stop(server: TruthServer) -> None:
    """End `serve_forever`, from any thread, the serving one included."""
    threading.Thread(target=server.shutdown, daemon=True).start()


def _stop_with_parent(server: TruthServer) -> None:
    sys.stdin.read()
    stop(server)


if __name__ == "__main__":
    sys.exit(main())
