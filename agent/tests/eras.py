"""What tests of Ollama's eras share: one exact model, and whole jobs on a simulator of each era."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from agent.obt_agent.contract import CellSpec, Cpu, Hardware, OllamaState, OperatingSystem, RawCounters, ResultBody
from agent.obt_agent.engines import Engine
from agent.obt_agent.measure import run_job
from agent.obt_agent.ollama import Generation, OllamaClient, StreamLimits
from agent.obt_agent.probes.host import HostProbe
from agent.obt_agent.telemetry import Recorder
from agent.simulator.models import ModelSpec
from agent.simulator.server import SimulatedOllama

from .measuring import World

LIMITS = StreamLimits(20.0, 20.0)
DECODE_TPS, PREFILL_TPS = 200.0, 5000.0
EXACT = ModelSpec("exact:1b", decode_tps=DECODE_TPS, prefill_tps=PREFILL_TPS, load_s=0.02, depth_cost_per_1k=0.0)
# Noise is at most 3 %; the wrong formula for this length is off by 9 %.
TOLERANCE = 0.06
TG12 = CellSpec("tg12", "decode", 4, 1, prompt_tokens=32, output_tokens=12, num_ctx=2048)
PP600 = CellSpec("pp600", "prefill", 5, 1, prompt_tokens=600, output_tokens=1, num_ctx=2048)

ENGINES = {
    "0.6.1": Engine.GO_RUNNER,
    "0.12.5": Engine.GO_RUNNER,
    "0.24": Engine.GO_RUNNER,
    "0.30.0": Engine.LLAMA_SERVER,
    "0.30.1": Engine.LLAMA_SERVER,
    "0.33.3": Engine.LLAMA_SERVER,
    "mlx": Engine.MLX,
}


def ask(simulator: SimulatedOllama, prompt: str, tokens: int = 1, **more: Any) -> Generation:
    """One raw request, as the agent sends it."""
    options = {"num_predict": tokens, "num_ctx": 2048, "temperature": 0, "stop": [], **more.pop("options", {})}
    body = {"model": EXACT.name, "prompt": prompt, "raw": True, "truncate": False, "options": options, **more}
    return OllamaClient(simulator.url).generate(body, LIMITS)


def raw(simulator: SimulatedOllama, prompt: str, tokens: int = 1, **more: Any) -> RawCounters:
    """The counters of one request that must succeed."""
    answer = ask(simulator, prompt, tokens, **more)
    assert answer.error is None, answer.error.message
    return answer.raw


def decode_ns(simulator: SimulatedOllama, tokens: int) -> int:
    """`eval_duration` of a request that nothing delayed: a busy machine makes it longer, never shorter."""
    return min(raw(simulator, f"a short one, number {number}", tokens).eval_duration or 0 for number in range(4))


def job(simulator: SimulatedOllama, folder: Path, *cells: CellSpec) -> World:
    """A job that is not yet run."""
    return World(simulator.url, EXACT.name, cells, folder)


def run(world: World) -> ResultBody:
    """Run the job as the agent's loop does: with the version that this Ollama says."""
    hardware = Hardware(Cpu("test", 1, 1), OperatingSystem("Linux"))
    ollama = OllamaClient(world.url)
    state = OllamaState(world.url, True, version=ollama.version(), simulated=True, local=True)
    recorder = Recorder([HostProbe()])
    began = time.perf_counter()
    return run_job(world.offer, ollama, recorder, world.store, world.report, world.cancel, hardware, state, began)
