"""One real `ollama serve` as a child process: started, found answering, stopped with everything it started."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 8
POLL_S = 0.05
REQUEST_TIMEOUT_S = 60
LISTENING = re.compile(r"Listening on [^ ]*:(\d+) ")


class OllamaNotStarted(Exception):
    """The server did not come up. The message ends with the last lines of its log."""


class OllamaProcess:
    """A real Ollama on loopback with a models folder of its own. Not thread-safe; `start` may follow `kill`.

    `port` 0 lets the system choose one, which stays the same over later starts. HOME and the log are in a private
    folder that `close` removes. `environment` adds variables, e.g. `OLLAMA_MAX_QUEUE`.
    """

    def __init__(self, binary: Path, models: Path, port: int = 0, environment: dict[str, str] | None = None) -> None:
        self.binary = binary
        self.models = models
        self.port = port
        self.environment = environment or {}
        self.home = Path(tempfile.mkdtemp(prefix="obt-ollama-"))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers, e.g. `http://127.0.0.1:43121`. Known after the first start."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What the server prints. It complains about its cloud catalogue and works on."""
        return self.home / "ollama.log"

    def start(self) -> None:
        """Start and wait until it answers. Raises OllamaNotStarted after 30 s, or when it ends by itself."""
        command = [str(self.binary), "serve"]
        if shutil.which("setpriv"):  # Linux: when the parent is killed, Ollama ends and takes its runners along
            command = ["setpriv", "--pdeathsig", "TERM", *command]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_it_answers()
        except OllamaNotStarted:
            self.kill()
            raise

    def _environment(self) -> dict[str, str]:
        """The caller's environment without its own Ollama settings, which would change what is measured."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OLLAMA_")}
        return {
            **inherited,
            "HOME": str(self.home),
            "USERPROFILE": str(self.home),
            "OLLAMA_HOST": f"127.0.0.1:{self.port}",
            "OLLAMA_MODELS": str(self.models),
            "OLLAMA_NUM_PARALLEL": "4",
            **self.environment,
        }

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                raise OllamaNotStarted(f"ollama serve ended by itself.\n{self._last_lines()}")
            if self._answers():
                return
            time.sleep(POLL_S)
        raise OllamaNotStarted(f"ollama serve did not answer in {START_TIMEOUT_S} s.\n{self._last_lines()}")

    def _answers(self) -> bool:
        """Whether this very process listens (its log says so, with the port) and serves requests."""
        listening = LISTENING.search(self.log.read_text(errors="replace"))
        if listening is None:
            return False
        self.port = int(listening[1])
        try:
            return bool(self.get("/api/version"))
        except OSError:
            return False

    def _last_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-10:])

    def get(self, path: str) -> Any:
        """The decoded JSON answer to a GET. Raises OSError (urllib's errors are ones)."""
        with urllib.request.urlopen(self.url + path, timeout=REQUEST_TIMEOUT_S) as answer:  # noqa: S310 (own server)  # nosec B310
            return json.load(answer)

    def post(self, path: str, body: dict[str, Any] | bytes) -> bytes:
        """The raw answer to a POST of JSON, or of bytes as they are. Raises OSError."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method="POST")  # noqa: S310 (own server)
        with urllib.request.urlopen(request, timeout=REQUEST_TIMEOUT_S) as answer:  # noqa: S310  # nosec B310
            return bytes(answer.read())

    def stop(self) -> None:
        """End it as a user would, then whatever of it is left after 8 s. Does nothing when it does not run."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_TIMEOUT_S)
        self.kill()

    def kill(self) -> None:
        """Kill server and runners at once, as a crash would. Does nothing when it does not run."""
        if self.process is None:
            return
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()
        self.process.wait()
        self.process = None

    def close(self) -> None:
        """Stop it and remove its private folder."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)
