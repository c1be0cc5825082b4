"""The whole agent as a machine runs it, a process of its own, measuring one model for a small server of the tests."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from agent.bench.report import CannotRun
from agent.obt_agent.contract import CellSpec, JobOffer, ResultBody
from agent.obt_agent.ollama import OllamaClient, full_name
from agent.tests.agent_world import AgentProcess, offer
from agent.tests.fake_server import TOKEN, FakeServer

START_TIMEOUT_S = 30.0
JOB_TIMEOUT_S = 240.0
JOB_BUDGET_S = 600.0


class WholeAgent:
    """An enrolled agent that waits for work."""

    def __init__(self, server: FakeServer, pid: int, ollama_url: str) -> None:
        self.server, self.ollama_url = server, ollama_url
        self.process = psutil.Process(pid)
        self._offers = 0

    def begin(self, model: str, cells: Sequence[CellSpec]) -> JobOffer:
        """Offer it a job; returns once its first cell begins. Raises CannotRun when it does not."""
        job = self.offer(model, cells)
        self._wait(lambda: "cell" in self.server.kinds(job.job), START_TIMEOUT_S)
        return job

    def offer(self, model: str, cells: Sequence[CellSpec]) -> JobOffer:
        """Offer it a job."""
        digest = next(one.digest for one in OllamaClient(self.ollama_url).tags() if one.name == full_name(model))
        self._offers += 1
        job = offer(
            f"job-{self._offers}", model=full_name(model), digest=digest, cells=list(cells), budget_s=JOB_BUDGET_S
        )
        return self.server.offer(job)

    def result(self, job: JobOffer) -> ResultBody:
        """The job's result. Raises CannotRun when none comes."""
        self._wait(lambda: self.server.result(job), JOB_TIMEOUT_S)
        found = self.server.result(job)
        assert found is not None
        return found

    def cpu_s(self) -> float:
        """Seconds of CPU time, user and system, that all its threads have used."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def peak_bytes(self) -> int:
        """The most main memory it ever had resident; what it has now where the system does not keep the most."""
        return peak_bytes(self.process)

    def _wait(self, what: object, timeout_s: float) -> None:
        try:
            self.server.wait_for(what, timeout_s)  # type: ignore[arg-type]
        except AssertionError as error:
            raise CannotRun(f"The agent did not do what was waited for: {error}.") from None


def peak_bytes(process: psutil.Process) -> int:
    """VmHWM of Linux, the peak working set of Windows, else the memory of this moment."""
    status = Path(f"/proc/{process.pid}/status")
    if status.exists():
        lines = status.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    memory = process.memory_info()
    return int(getattr(memory, "peak_wset", memory.rss))


@contextmanager
def whole_agent(ollama_url: str) -> Iterator[WholeAgent]:
    """Start one at this Ollama. Raises CannotRun when it does not come up."""
    server = FakeServer().start()
    with tempfile.TemporaryDirectory(prefix="obt-bench-") as folder:
        options = ("--server", server.url, "--token", TOKEN, "--state-dir", folder, "--ollama-url", ollama_url)
        try:
            with AgentProcess(*options) as agent:
                started = WholeAgent(server, agent.process.pid, ollama_url)
                started._wait(lambda: server.syncs and server.syncs[-1].slots, START_TIMEOUT_S)
                yield started
        finally:
            server.stop()
