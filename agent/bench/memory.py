"""The agent's memory whatever Ollama sends: the most its process ever had resident, over jobs made to fill it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from agent.bench.report import CannotRun, Row, Settings
from agent.bench.whole_agent import whole_agent
from agent.obt_agent.contract import CellSpec, Sample
from agent.obt_agent.stream_lines import MAX_CHUNK_STAMPS
from agent.truth.process import TruthProcess
from agent.truth.profiles import LONG_LINE

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 150_000_000
CHILD_TIMEOUT_S = 300.0
ROUNDS, QUICK_ROUNDS = 3, 1


def rows(settings: Settings) -> Iterable[Row]:
    """Two rows: jobs of the whole agent, and the longest recording there can be."""
    yield jobs(QUICK_ROUNDS if settings.quick else ROUNDS)
    yield recording()


def jobs(rounds: int) -> Row:
    """100,000 chunks several times over, all of them kept and delivered, then a line that does not end."""
    tokens = MAX_CHUNK_STAMPS
    flood = CellSpec(f"tg{tokens}", "decode", rounds, 0, prompt_tokens=32, output_tokens=tokens, num_ctx=131_072)
    line = CellSpec("tg128", "decode", 1, 0, prompt_tokens=32, output_tokens=128, num_ctx=4096)
    with TruthProcess() as truth, whole_agent(truth.url) as agent:
        before = agent.peak_bytes()
        result = agent.result(agent.begin("flood", [flood]))
        samples = [sample for run in result.cells for sample in run.samples]
        check_flood(samples, rounds)
        failed = agent.result(agent.offer(LONG_LINE, [line]))
        peak = agent.peak_bytes()
    how = f"the whole agent: {rounds} × {tokens:,} chunks kept and delivered, then one line of 256 MiB"
    details = {"bytes_before": before, "bytes": peak, "failed_as": failed.error.kind if failed.error else None}
    return row("agent's memory: streams", how, peak, details)


def check_flood(samples: list[Sample], rounds: int) -> None:
    """Raise CannotRun unless all of it was measured: nothing is proved by what did not arrive."""
    chunks = [len(sample.timing.chunk_ns) for sample in samples]
    if chunks != [MAX_CHUNK_STAMPS] * rounds:
        raise CannotRun(f"The agent did not keep the {rounds} long streams: it kept {chunks} chunks.")


def recording() -> Row:
    """Telemetry until its memory is full, and the result it goes into, in a process of its own."""
    command = [sys.executable, "-m", "agent.bench.memory_child"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=CHILD_TIMEOUT_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode or not done.stdout.split():
        raise CannotRun(f"The recording process failed: {done.stderr.strip()[-200:]}")
    peak, points, series, sent = map(int, done.stdout.split())
    how = f"the longest recording: {points:,} points of {series} series, made into a result of {sent / 1e6:.1f} MB"
    return row("agent's memory: telemetry", how, peak, {"bytes": peak, "points": points, "result_bytes": sent})


def row(what: str, how: str, peak: int, details: Mapping[str, object]) -> Row:
    """The peak against the limit."""
    return Row(
        what=what,
        how=how,
        must=f"< {MOST_BYTES / 1e6:.0f} MB resident",
        measured=f"{peak / 1e6:.0f} MB at most",
        ok=peak < MOST_BYTES,
        details=dict(details),
    )
