"""The comparison with Ollama's own tool: its output is read right, and the row says no where it has to."""

from __future__ import annotations

import dataclasses

import pytest

from agent.bench import ollama_bench
from agent.bench.ollama_bench import CELL, Side, own_spread, parsed, row
from agent.obt_agent.contract import RawCounters
from agent.real_ollama.fixtures import REAL_OLLAMA_MARKS, StartRealOllama
from agent.real_ollama.models import NEVER_STOPS

# As bench of 0.24.0 prints it, with two requests; the second ended before the asked length.
PRINTED = """NAME,STEP,COUNT,NS_PER_COUNT,TOKEN_PER_SEC
# Model: obt-bench:latest | Params: 743.62K | Quant: F32 | Family: llama | Size: 36 | VRAM: 0 | NumCtx: 4096
obt-bench:latest,prefill,511,2000000.25,500.00
obt-bench:latest,generate,128,3500000.50,285.71
obt-bench:latest,ttft,1,1030000000,0
obt-bench:latest,load,1,1300000,0
obt-bench:latest,total,1,1480000000,0
obt-bench:latest,prefill,511,2000000.25,500.00
obt-bench:latest,generate,17,3500000.50,285.71
"""


def side(decode_ns: float, prompt_tokens: int = 512, runs: int = 8, wobble: float = 0.0) -> Side:
    """Runs of six requests, whose durations go up and down by `wobble` from run to run."""
    made = []
    for i in range(runs):
        duration = round(decode_ns * (1 + wobble * (-1) ** i))
        raw = RawCounters(
            prompt_eval_count=prompt_tokens, prompt_eval_duration=duration, eval_count=128, eval_duration=duration
        )
        made.append([dataclasses.replace(raw, eval_duration=duration + j) for j in range(6)])
    return Side(made)


def test_counts_and_durations_of_the_tool_are_ollamas_own_again() -> None:
    (raw,) = parsed(PRINTED)
    assert (raw.prompt_eval_count, raw.prompt_eval_duration) == (511, round(511 * 2000000.25))
    assert (raw.eval_count, raw.eval_duration) == (128, 448_000_064)


def test_a_failed_request_leaves_no_counters_of_another() -> None:
    assert parsed("") == []
    assert parsed("\n".join(PRINTED.splitlines()[:3])) == []


def test_equal_rates_meet_the_row_and_three_percent_do_not() -> None:
    assert row("decode_rate", side(1e9), side(1e9), 4).ok
    assert row("decode_rate", side(1e9), side(1.009e9), 4).ok
    assert not row("decode_rate", side(1e9), side(1.03e9), 4).ok
    assert not row("prefill_rate", side(1e9), side(1.03e9), 4).ok


def test_the_tools_own_spread_is_allowed_where_it_is_larger() -> None:
    quiet, noisy = side(1.03e9), side(1.03e9, wobble=0.10)
    assert own_spread(quiet.values("decode_rate")) < 0.001
    assert own_spread(noisy.values("decode_rate")) > 0.05
    assert row("decode_rate", side(1e9), noisy, 4).ok


def test_prompts_of_other_lengths_are_no_comparison() -> None:
    assert not row("decode_rate", side(1e9, prompt_tokens=480), side(1e9), 4).ok


@REAL_OLLAMA_MARKS[0]
@REAL_OLLAMA_MARKS[1]
def test_both_tools_ask_a_real_ollama_for_the_same(start_real_ollama: StartRealOllama) -> None:
    ollama = start_real_ollama(models=[NEVER_STOPS], environment={"OLLAMA_NUM_PARALLEL": "1"})
    ollama_bench.create(ollama)

    for run in (ollama_bench.their_run(ollama.url), ollama_bench.our_run(ollama.url)):
        assert len(run) == CELL.repetitions
        for raw in run:
            assert raw.eval_count == CELL.output_tokens
            assert raw.prompt_eval_count == pytest.approx(CELL.prompt_tokens, rel=0.02)
            assert raw.eval_duration
            assert raw.prompt_eval_duration


def test_many_runs_are_split_in_a_sample_of_all_ways_and_always_the_same() -> None:
    assert len(list(ollama_bench.halves(8))) == 70
    drawn = list(ollama_bench.halves(24))
    assert len(drawn) == ollama_bench.MOST_SPLITS
    assert drawn == list(ollama_bench.halves(24))
    assert all(len(set(half)) == 12 for half in drawn)
    assert own_spread(side(1e9, runs=24, wobble=0.05).values("decode_rate")) < 0.12
