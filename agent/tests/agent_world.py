"""What tests of the agent share: offers, readings, a scripted engine, an agent in this process or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.obt_agent.cancel import Cancel, Released
from agent.obt_agent.config import Config
from agent.obt_agent.contract import CellRun, CellSpec, JobOffer, RawCounters, ResultBody, Sample, Timing
from agent.obt_agent.loop import Agent

from .fake_server import TOKEN, FakeServer

AGENT_DIR = Path(__file__).resolve().parents[1]
TG = CellSpec(name="tg8", kind="decode", repetitions=3, warmups=0, prompt_tokens=16, output_tokens=8, num_ctx=2048)


def offer(job: str = "job-1", **fields: Any) -> JobOffer:
    known: dict[str, Any] = {
        "attempt": 1,
        "lease": f"lease-of-{job}",
        "session": "session-1",
        "model": "model:latest",
        "digest": "0" * 64,
        "suite": "standard",
        "budget": "quick",
        "budget_s": 180.0,
        "cells": [TG],
    }
    return JobOffer(job=job, **{**known, **fields})


def sample(index: int, cell: str = TG.name, start_s: float = 0.0) -> Sample:
    raw = RawCounters(total_duration=10**9, eval_count=8, eval_duration=7 * 10**8, done=True, done_reason="length")
    return Sample(cell=cell, index=index, warmup=False, raw=raw, timing=Timing(start_s=start_s, e2e_ns=10**9))


class ScriptedEngine:
    """Stands where measure.run_job does: "measures" samples that end when the test says so."""

    def __init__(self, samples: int = 3, sample_s: float = 0.0) -> None:
        self.samples, self.sample_s = samples, sample_s
        self.calls: list[dict[str, Any]] = []
        self.measured: list[int] = []
        self.go = threading.Event()
        self.go.set()
        self.begun = threading.Event()
        self.behave: Callable[[dict[str, Any]], ResultBody] | None = None

    def __call__(self, **job: Any) -> ResultBody:
        self.calls.append(job)
        self.begun.set()
        if self.behave is not None:
            return self.behave(job)
        cancel: Cancel = job["cancel"]
        job["recorder"].start(job["t0"])
        job["report"]("cell", cell=TG.name, of=self.samples)
        first = len(job["store"].samples())
        for index in range(first, self.samples):
            if cancel.finishing and index > first:  # who heard of the cell knows that its first sample has begun
                raise Released
            if self._wait(cancel):
                return self.result(job, "cancelled")
            self.measured.append(index)
            job["store"].keep(sample(index))
            job["report"]("sample", cell=TG.name, index=index, of=self.samples, valid=True)
        return self.result(job, "succeeded")

    def _wait(self, cancel: Cancel) -> bool:
        """Until the test lets it go on; True when cancelled."""
        cancel.wait(self.sample_s)
        while not self.go.is_set() and not cancel.is_set():
            self.go.wait(0.02)
        return cancel.is_set()

    def result(self, job: dict[str, Any], outcome: str) -> ResultBody:
        the_offer: JobOffer = job["offer"]
        return ResultBody(
            attempt=the_offer.attempt,
            lease=the_offer.lease,
            outcome=outcome,  # type: ignore[arg-type]
            duration_s=time.perf_counter() - job["t0"],
            cells=[CellRun(TG, job["store"].samples())],
            telemetry=job["recorder"].stop(),
        )


@contextmanager
def running_agent(
    server: FakeServer, state_dir: Path, engine: Any, ollama_url: str, **options: Any
) -> Iterator[tuple[Agent, threading.Thread]]:
    """An agent on threads of this process; told to stop, and made to, at the end."""
    config = Config(server=server.url, state_dir=state_dir, token=TOKEN, ollama_url=ollama_url)
    agent = Agent(config, engine, **options)
    agent_errors: list[BaseException] = []

    def run() -> None:
        try:
            agent.run()
        except BaseException as error:
            agent_errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.errors = agent_errors  # type: ignore[attr-defined]
    thread.start()
    try:
        yield agent, thread
    finally:
        agent.stop()
        agent.stop()
        thread.join(10)
        assert not thread.is_alive()


class AgentProcess:
    """`python -m obt_agent` as a machine runs it: from the package's folder, nothing else on the path."""

    def __init__(self, *arguments: str, env: dict[str, str] | None = None, **options: Any) -> None:
        environ = {key: value for key, value in os.environ.items() if not key.startswith(("OBT_", "OLLAMA_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "obt_agent", *arguments],
            cwd=AGENT_DIR,
            env={**environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def end(self, timeout_s: float = 15.0) -> int:
        """Wait for the exit; its code."""
        code = self.process.wait(timeout_s)
        self._reader.join(2)
        return code

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def __enter__(self) -> AgentProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(5)
