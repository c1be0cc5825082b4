"""What the agent takes from the machine while it measures: CPU time of its whole process over a stream of 50 tok/s."""

from __future__ import annotations

import time
from collections.abc import Iterable

from agent.bench.report import CannotRun, Row, Settings
from agent.bench.whole_agent import whole_agent
from agent.obt_agent.contract import CellSpec, ResultBody
from agent.truth.process import TruthProcess
from agent.truth.profiles import STEADY_PER_S

STREAM_S, QUICK_STREAM_S = 60.0, 15.0
BEFORE_S, AFTER_S = 2.0, 2.0  # the request's beginning and the sample's end are no part of the stream
MOST_PERCENT = 1.0
TICKS_PER_S = 5  # of the telemetry


def rows(settings: Settings) -> Iterable[Row]:
    """One row."""
    stream_s = QUICK_STREAM_S if settings.quick else STREAM_S
    tokens = round((BEFORE_S + stream_s + AFTER_S) * STEADY_PER_S)
    cell = CellSpec(f"tg{tokens}", "decode", 1, 0, prompt_tokens=32, output_tokens=tokens, num_ctx=8192)
    with TruthProcess() as truth, whole_agent(truth.url) as agent:
        job = agent.begin("steady", [cell])
        time.sleep(BEFORE_S)
        begun, before_s = time.perf_counter(), agent.cpu_s()
        time.sleep(stream_s)
        seconds, used_s = time.perf_counter() - begun, agent.cpu_s() - before_s
        result = agent.result(job)
    yield row(used_s, seconds, result)


def row(used_s: float, seconds: float, result: ResultBody) -> Row:
    """The share of one core. Raises CannotRun when the agent did not measure what it should have."""
    points = len(result.telemetry.t_s) if result.telemetry else 0
    samples = [sample for run in result.cells for sample in run.samples]
    if not samples or samples[0].error is not None or points < seconds * TICKS_PER_S / 2:
        why = samples[0].error.message if samples and samples[0].error else f"{points} points of telemetry"
        raise CannotRun(f"The agent did not measure the stream: {why}.")
    percent = 100 * used_s / seconds
    return Row(
        what="agent's CPU while measuring",
        how=f"CPU time of the whole agent process over {seconds:.0f} s of {STEADY_PER_S:.0f} tok/s, telemetry on",
        must=f"< {MOST_PERCENT:g} % of one core",
        measured=f"{percent:.2f} % of one core",
        ok=percent < MOST_PERCENT,
        details={
            "unit": "% of one core",
            "percent": percent,
            "cpu_s": used_s,
            "seconds": seconds,
            "chunks": len(samples[0].timing.chunk_ns),
            "telemetry_points": points,
        },
    )
