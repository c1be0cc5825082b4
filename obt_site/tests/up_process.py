"""`manage.py up` as a process for tests: its output as it grows, its parts, its end."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from obt_site import embedded, env

BLOCK_WITHIN_S = 60
STOP_WITHIN_S = 10


class Up:
    """One `manage.py up`; `output` grows while it runs."""

    def __init__(self, data_dir: Path, *arguments: str, **given: str) -> None:
        self.data_dir = data_dir
        self.port = given.setdefault("OBT_PORT", str(embedded.free_port()))
        clean = {name: value for name, value in os.environ.items() if not name.startswith("OBT_")}
        clean.pop("DATABASE_URL", None)
        settings = {"OBT_DATA_DIR": str(data_dir), "OBT_NO_VENV": "1"}
        settings["OBT_OLLAMA_URL"] = f"http://127.0.0.1:{embedded.free_port()}"
        self.output = ""
        self.process = subprocess.Popen(
            [sys.executable, str(env.ROOT / "manage.py"), "up", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**clean, **settings, **given},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with self.process.stdout as lines:
            for line in lines:
                self.output += line

    def wait_for(self, text: str) -> "Up":
        deadline = time.monotonic() + BLOCK_WITHIN_S
        while text not in self.output:
            assert self.process.poll() is None or text in self.output, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.02)
        return self

    def ready(self) -> "Up":
        return self.wait_for("  Stop ")

    def ends(self, within_s: float = BLOCK_WITHIN_S) -> int:
        code = self.process.wait(within_s)
        self._reader.join(5)
        return code

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.ends(STOP_WITHIN_S)

    def parts(self) -> dict[str, psutil.Process]:
        marks = {"agent.obt_agent": "agent", "daphne": "server", "agent.simulator": "simulator", "db-": "database"}
        found = {}
        for child in psutil.Process(self.process.pid).children():
            command = " ".join(child.cmdline())
            found[next(name for mark, name in marks.items() if mark in command)] = child
        return found

    def get(self, path: str) -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return answer.status


@contextlib.contextmanager
def starting(default_data_dir: Path) -> Iterator[Callable[..., Up]]:
    """Gives a function that starts `up`; whatever is left running at the end is killed."""
    started = []

    def start(*arguments: str, data_dir: Path = default_data_dir, **given: str) -> Up:
        started.append(Up(data_dir, *arguments, **given))
        return started[-1]

    yield start
    for each in started:
        family = [each.process, *psutil.Process(each.process.pid).children()] if each.process.poll() is None else []
        for process in family:
            process.kill()
        each.process.wait()


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def all_gone(processes: list[psutil.Process], within_s: float = 10) -> bool:
    deadline = time.monotonic() + within_s
    while not all(is_gone(each) for each in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def sentence(text: str) -> str:
    """The one line that is left when progress lines are taken away."""
    lines = [line for line in text.splitlines() if line and not line.endswith("…")]
    assert len(lines) == 1, text
    return lines[0]
