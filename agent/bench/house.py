"""A whole OBT as a person runs it: `manage.py up` (database, server, agent) on a folder of its own, used by its API."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import requests

from agent.bench.report import CannotRun

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_S = 120.0
MODELS_WITHIN_S = 60.0
STOP_WITHIN_S = 30.0
POLL_S = 0.5
REQUEST_TIMEOUT_S = 30.0
BUDGETS_S = {"quick": 180.0, "standard": 900.0}
# The engine ends a job at one and a half times its budget; this is for one that does not.
MOST_TIMES_BUDGET = 2.0


class House:
    """`with House(ollama_url) as house:` has everything running. Raises CannotRun with what went wrong."""

    def __init__(self, ollama_url: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="obt-house-")
        self._log = Path(self._folder.name) / "up.log"
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OBT_", "DATABASE_"))}
        self._environment = {
            **inherited,
            "OBT_DATA_DIR": str(Path(self._folder.name) / "data"),
            "OBT_PORT": str(port),
            "OBT_OLLAMA_URL": ollama_url,
            "OBT_NO_VENV": "1",
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._http = requests.Session()

    def __enter__(self) -> House:
        command = [sys.executable, "manage.py", "up"]
        if shutil.which("setpriv"):  # Linux: when this process is killed, `up` stops as by Ctrl-C
            command = ["setpriv", "--pdeathsig", "INT", *command]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self._until(self._is_ready, READY_WITHIN_S, "the server was not ready")
            self._http.headers["Authorization"] = f"Bearer {self._token()}"
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop it as Ctrl-C does, then kill what is left of it, and remove its folder."""
        if self._process is not None and self._process.poll() is None:
            family = psutil.Process(self._process.pid).children(recursive=True)
            self._process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_WITHIN_S)
            self._process.kill()
            self._process.wait()
            for left in family:
                with contextlib.suppress(psutil.Error):
                    left.kill()
        self._folder.cleanup()

    def session(self, models: Sequence[str], budget: str) -> list[dict[str, Any]]:
        """A standard session over these models on this machine, to its end: each model's result as the API tells it.

        Raises CannotRun when a model is not found, a job has no result, or it takes too long.
        """
        client = self._client_with(models)
        targets = [{"client": client, "model": model} for model in models]
        begun = self._ask("POST", "sessions", json={"targets": targets, "suite": "standard", "budget": budget})
        limit_s = BUDGETS_S[budget] * len(models) * MOST_TIMES_BUDGET
        self._until(lambda: self._session(begun["id"])["finished_at"], limit_s, "the session did not end")
        jobs = self._session(begun["id"])["jobs"]
        failed = [f"{job['model']}: {(job['error'] or {}).get('message')}" for job in jobs if job["result"] is None]
        if failed:
            raise CannotRun(f"The session has no result of {'; '.join(failed)}")
        return [self._ask("GET", f"results/{job['result']}") for job in jobs]

    def windows(self, result: dict[str, Any]) -> dict[str, list[tuple[float, float]]]:
        """When the samples of each cell were taken, from begin to end in unix time, to about a second."""
        began_s = datetime.fromisoformat(result["created_at"]).timestamp() - result["duration_s"]
        found: dict[str, list[tuple[float, float]]] = {}
        for sample in self._ask("GET", f"results/{result['id']}/samples")["items"]:
            timing = sample["timing"]
            if timing["e2e_ns"] is not None and not sample["warmup"]:
                start_s = began_s + timing["start_s"]
                found.setdefault(sample["cell"], []).append((start_s, start_s + timing["e2e_ns"] / 1e9))
        return found

    def _session(self, identity: str) -> dict[str, Any]:
        return self._ask("GET", f"sessions/{identity}")

    def _client_with(self, models: Sequence[str]) -> str:
        """The id of the machine, once its agent has told of all these models."""
        known: set[str] = set()

        def told() -> bool:
            known.update(one["name"] for one in self._ask("GET", "models", params={"limit": 200})["items"])
            return set(models) <= known

        self._until(told, MODELS_WITHIN_S, "the agent did not tell of all models")
        (client,) = self._ask("GET", "clients")["items"]
        return str(client["id"])

    def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = self._http.request(method, f"{self.url}/api/v1/{path}", timeout=REQUEST_TIMEOUT_S, **options)
        if not answer.ok:
            raise CannotRun(f"{method} {path} was answered with {answer.status_code}: {answer.text[:300]}")
        content: dict[str, Any] = answer.json()
        return content

    def _token(self) -> str:
        command = [sys.executable, "manage.py", "api_token", "create", "bench", "--role", "operator"]
        done = subprocess.run(command, cwd=ROOT, env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CannotRun(f"No API token could be made: {done.stderr.strip()[-300:]}")
        return done.stdout.strip()

    def _is_ready(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.url}/health/ready", timeout=REQUEST_TIMEOUT_S).ok
        return False

    def _until(self, holds: Callable[[], object], within_s: float, failure: str) -> None:
        deadline = time.monotonic() + within_s
        while not holds():
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                why = "OBT ended" if ended else f"{failure} within {within_s:.0f} s"
                raise CannotRun(f"{why}: {self._log.read_text(errors='replace')[-400:]}")
            time.sleep(POLL_S)


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
