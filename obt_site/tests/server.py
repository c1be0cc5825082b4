"""A real server for tests: daphne as a process, on a free port, with the test's database and a folder of its own."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import requests
from django.conf import settings

from obt_site import env

START_S = 120.0
STOP_S = 10.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RunningServer:
    """`with RunningServer(uri, folder) as server:` serves at `server.url`; `kill()` and `start()` restart it."""

    def __init__(self, mongodb_uri: str, data_dir: Path, **environment: str) -> None:
        self.mongodb_uri = mongodb_uri
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data_dir = data_dir
        self.environment = {
            **os.environ,
            "OBT_MONGODB_URI": mongodb_uri,
            "OBT_DATA_DIR": str(data_dir),
            "OBT_PORT": str(self.port),
            "OBT_SECRET_KEY": settings.SECRET_KEY,  # so that what the test signs, the server knows
            "PYTHONUNBUFFERED": "1",
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "RunningServer":
        self.manage("migrate", "--verbosity", "0")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def manage(self, *arguments: str) -> str:
        """Run a management command against this server's data; its output."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=env.ROOT, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def start(self) -> None:
        """Start daphne and wait until it is ready."""
        command = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(self.port), "obt_site.asgi:application"]
        with (self.data_dir / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=env.ROOT, env=self.environment, stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while not self.ready():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, "the server did not become ready:\n" + self.log()
            time.sleep(0.05)

    def ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/health/ready", timeout=2).status_code == 200
        except requests.ConnectionError:
            return False

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def log(self) -> str:
        return (self.data_dir / "server.log").read_text(errors="replace")[-4000:]
