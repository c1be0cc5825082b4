"""A small test world for the measuring engine: an offer, a real recorder, a real spool, and what was reported."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.obt_agent.cancel import Cancel
from agent.obt_agent.contract import (
    CellSpec,
    Cpu,
    Hardware,
    JobOffer,
    OllamaState,
    OperatingSystem,
    ResultBody,
    Sample,
)
from agent.obt_agent.measure import run_job
from agent.obt_agent.ollama import OllamaClient, StreamLimits, full_name
from agent.obt_agent.probes.host import HostProbe
from agent.obt_agent.spool import Spool
from agent.obt_agent.telemetry import Recorder
from agent.obt_agent.validity import is_valid
from agent.simulator.models import ModelSpec
from agent.simulator.server import SimulatedOllama

LOAD = CellSpec("load", "load", repetitions=3, warmups=1, prompt_tokens=0, output_tokens=1, num_ctx=4096)
PP512 = CellSpec("pp512", "prefill", repetitions=6, warmups=1, prompt_tokens=512, output_tokens=1, num_ctx=4096)
TG128 = CellSpec("tg128", "decode", repetitions=6, warmups=1, prompt_tokens=32, output_tokens=128, num_ctx=4096)
CHAT = CellSpec("chat", "chat", repetitions=6, warmups=1, prompt_tokens=512, output_tokens=128, num_ctx=4096)
# Short enough to run in a second.
TG16 = CellSpec("tg16", "decode", repetitions=3, warmups=1, prompt_tokens=32, output_tokens=16, num_ctx=2048)
PP64 = CellSpec("pp64", "prefill", repetitions=3, warmups=1, prompt_tokens=64, output_tokens=1, num_ctx=2048)

FAST = ModelSpec("fast:1b", decode_tps=4000.0, prefill_tps=100_000.0, load_s=0.05)
SLOW = ModelSpec("slow:1b", decode_tps=60.0, prefill_tps=5000.0, load_s=0.05)
EARLY = ModelSpec("early:1b", decode_tps=4000.0, prefill_tps=100_000.0, load_s=0.05, end_probability=0.5)
EMBEDS = ModelSpec("embeds:1b", capabilities=("embedding",))
CLOUD = ModelSpec("big:cloud", remote_host="https://ollama.com", remote_model="big")


def digest_of(url: str, model: str) -> str:
    """The digest now behind a model's name."""
    return next(one.digest for one in OllamaClient(url).tags() if one.name == full_name(model))


class World:
    """One job on one Ollama. `run()` may be called again: the spool keeps the samples, like after a restart."""

    def __init__(self, url: str, model: str, cells: Sequence[CellSpec], folder: Path, **offer: Any) -> None:
        settings: dict[str, Any] = {"budget": "quick", "budget_s": 120.0, "stall_timeout_s": 10.0, "digest": None}
        settings.update(offer)
        settings["digest"] = settings["digest"] or digest_of(url, model)
        self.url = url
        self.offer = JobOffer(
            job="job",
            attempt=1,
            lease="lease",
            session="session",
            model=model,
            suite="s",
            cells=list(cells),
            **settings,
        )
        self.cancel = Cancel()
        folder.mkdir(parents=True, exist_ok=True)
        self.spool = Spool(folder, reserve_bytes=0)
        self.spool.take(self.offer)
        self.store = self.spool.store(self.offer)
        self.events: list[dict[str, Any]] = []
        self.when: dict[str, Any] = {}

    def report(self, kind: str, **fields: Any) -> None:
        """Keep the event, and call what waits for its kind."""
        self.events.append({"kind": kind, **fields})
        waiting = self.when.get(kind)
        if waiting is not None:
            waiting(self.events[-1])

    def run(self) -> ResultBody:
        """The job, to its end."""
        hardware = Hardware(Cpu("test", 1, 1), OperatingSystem("Linux"))
        state = OllamaState(self.url, True)
        recorder = Recorder([HostProbe()])
        return run_job(
            self.offer,
            OllamaClient(self.url),
            recorder,
            self.store,
            self.report,
            self.cancel,
            hardware,
            state,
            time.perf_counter(),
        )

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The events of one kind."""
        return [event for event in self.events if event["kind"] == kind]


def samples_of(result: ResultBody, cell: str, warmup: bool = False) -> list[Sample]:
    """The measured samples (or the warm-ups) of a cell."""
    (run,) = [run for run in result.cells if run.spec.name == cell]
    return [sample for sample in run.samples if sample.warmup is warmup]


WATCHED_TOO_LITTLE = "telemetry_gap"  # on a busy machine, whatever the test is about


def the_one_that_failed(samples: Sequence[Sample]) -> Sample:
    """The second sample, which must have failed alone beside three that count."""
    failed = [sample for sample in samples if set(sample.flags) - {WATCHED_TOO_LITTLE}]
    assert [sample.index for sample in failed] == [1], [sample.flags for sample in samples]
    assert sum(is_valid(sample) for sample in samples) == 3
    return dataclasses.replace(failed[0], flags=flags_beside_gaps(failed)[0])


def flags_beside_gaps(samples: Sequence[Sample]) -> list[list[str]]:
    """Their flags without those of a busy machine."""
    return [[flag for flag in sample.flags if flag != WATCHED_TOO_LITTLE] for sample in samples]


def world(simulator: SimulatedOllama, folder: Path, *cells: CellSpec, model: str = "fast:1b", **offer: object) -> World:
    return World(simulator.url, model, cells or (TG16,), folder, **offer)


def load(simulator: SimulatedOllama, model: str, options: dict[str, int] | None = None) -> None:
    """What another user of the same Ollama does."""
    body = {"model": model, "prompt": "hello", "options": options or {"num_predict": 1}}
    assert OllamaClient(simulator.url).generate(body, StreamLimits(10.0, 10.0)).error is None


def error_kind(result: ResultBody) -> str | None:
    """The kind of a failed job's error."""
    assert result.outcome == "failed"
    assert result.error is not None
    return result.error.kind
