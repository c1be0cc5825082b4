"""Does the telemetry slow down what it watches? Decode rate of a real Ollama with and without it, in turns: + − − +."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from agent.bench.ollama_bench import own_spread, pooled
from agent.bench.one_job import real_ollama
from agent.bench.report import CannotRun, Row, Settings
from agent.obt_agent.metrics import decode_rate
from agent.obt_agent.ollama import OllamaClient, StreamLimits
from agent.obt_agent.probes.choose import choose
from agent.obt_agent.probes.ollama import OllamaProbe
from agent.obt_agent.processes import find_server
from agent.obt_agent.prompts import write_prompt
from agent.obt_agent.telemetry import Recorder
from agent.real_ollama.models import NEVER_STOPS
from agent.real_ollama.tools import DEFAULT_VERSION

BLOCKS, QUICK_BLOCKS = 6, 2  # of + − − +
REQUESTS = 6  # a turn
TOKENS = 512
PROMPT_CHARACTERS = 120
LIMITS = StreamLimits(first_byte_s=60.0, stall_s=30.0)
TOLERANCE = 0.01
ON, OFF = "+", "-"


@dataclass
class Turns:
    """Decode rates in tok/s, turn by turn; points of telemetry recorded."""

    on: list[list[float]] = field(default_factory=list)
    off: list[list[float]] = field(default_factory=list)
    points: int = 0


def rows(settings: Settings) -> Iterable[Row]:
    """One row. Raises CannotRun where Ollama is not built."""
    blocks = QUICK_BLOCKS if settings.quick else BLOCKS
    turns = Turns()
    with real_ollama([NEVER_STOPS], environment={"OLLAMA_NUM_PARALLEL": "1"}) as ollama:
        client = OllamaClient(ollama.url)
        for _ in range(REQUESTS):
            rate(client)  # loads the model and warms up
        for _ in range(blocks):
            for turn in (ON, OFF, OFF, ON):
                if turn == ON:
                    watched(client, turns)
                else:
                    turns.off.append([rate(client) for _ in range(REQUESTS)])
    return [row(turns, blocks)]


def watched(client: OllamaClient, turns: Turns) -> None:
    """A turn with all the probes of a job."""
    machine = choose(Path.cwd())
    recorder = Recorder([*machine.probes, OllamaProbe(lambda: find_server(client.url))])
    recorder.start(time.perf_counter())
    try:
        turns.on.append([rate(client) for _ in range(REQUESTS)])
    finally:
        turns.points += len(recorder.stop().t_s)


def rate(client: OllamaClient) -> float:
    """Decode rate of one request, tok/s. Raises CannotRun when it fails."""
    options = {"num_predict": TOKENS, "num_ctx": 4096, "temperature": 0.0, "seed": 42, "stop": [], "num_thread": 1}
    prompt = write_prompt(PROMPT_CHARACTERS).text
    body = {"model": NEVER_STOPS.name, "prompt": prompt, "raw": True, "options": options, "keep_alive": "600s"}
    answer = client.generate(body, LIMITS)
    value = decode_rate(answer.raw.eval_count, answer.raw.eval_duration).value
    if answer.error is not None or value is None:
        raise CannotRun(f"Ollama did not answer: {answer.error or 'it counted nothing'}.")
    return value


def row(turns: Turns, blocks: int) -> Row:
    """The ratio of medians beside what Ollama does by itself."""
    ratio, spread = pooled(turns.on) / pooled(turns.off), own_spread(turns.off)
    return Row(
        what="telemetry on against off",
        how=f"decode rate, Ollama {DEFAULT_VERSION}, {NEVER_STOPS.name}, {TOKENS} tokens, {blocks} × on-off-off-on",
        must=f"ratio of medians {1 - TOLERANCE:.2f}–{1 + TOLERANCE:.2f}, or within the spread of off against off",
        measured=(
            f"ratio {ratio:.4f} ({pooled(turns.on):,.0f} ÷ {pooled(turns.off):,.0f} tok/s); "
            f"off against off ±{100 * spread:.1f} %"
        ),
        ok=abs(ratio - 1) <= max(TOLERANCE, spread),
        details={
            "unit": "tok/s",
            "on": turns.on,
            "off": turns.off,
            "ratio": ratio,
            "own_spread": spread,
            "telemetry_points": turns.points,
        },
    )
