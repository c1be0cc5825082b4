"""A real agent for tests, as a process, with a state folder of its own."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from agents import enrolment
from agents.documents import Client
from obt_site import env
from obt_site.tests.server import RunningServer

ONLINE_S = 30.0
STOP_S = 15.0


class RunningAgent:
    """`with RunningAgent(server, ollama_url, folder, name) as agent:`; `agent.client`: what the server knows of it."""

    def __init__(self, server: RunningServer, ollama_url: str, folder: Path, name: str = "forge") -> None:
        self.server, self.ollama_url, self.folder, self.name = server, ollama_url, folder, name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.token, _ = enrolment.create_token(name)
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "RunningAgent":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def start(self) -> None:
        """Start it and wait until the server has its models."""
        command = [sys.executable, "-m", "agent.obt_agent", "run", "--server", self.server.url]
        command += ["--state-dir", str(self.folder), "--ollama-url", self.ollama_url]
        environment = {**os.environ, "OBT_ENROL_TOKEN": self.token}
        with (self.folder / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=env.ROOT, env=environment, stdout=log, stderr=log)
        self.wait_until(lambda: self.found is not None and bool(self.found.models_count))

    def wait_until(self, holds: "object") -> None:
        assert callable(holds)
        deadline = time.monotonic() + ONLINE_S
        while not holds():
            assert self.process is not None
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    @property
    def found(self) -> Client | None:
        client: Client | None = Client.objects(name=self.name).first()
        return client

    @property
    def client(self) -> Client:
        assert self.found is not None
        return self.found

    def kill(self) -> None:
        """kill -9, its children too."""
        assert self.process is not None
        for child in psutil.Process(self.process.pid).children(recursive=True):
            child.kill()
        self.process.kill()
        self.process.wait()

    def log(self) -> str:
        return (self.folder / "agent.log").read_text(errors="replace")[-4000:]
