"""Decode and prefill rate against Ollama's own tool `bench`, on the same real Ollama and model, in turns: A B B A.

Both sides' raw counters go through the same formula (`metrics.py`), so what is compared is the way of measuring: who
warms up, who defeats the prompt cache, who disturbs the server. `bench` prints count and nanoseconds per count; their
product is Ollama's own duration again. It cannot send `repeat_penalty`, so the model carries the agent's value of it.

A/A spread: the runs of `bench` alone are split into two equal halves in every way there is (of very many a sample),
and in 95 % of the splits the halves' medians differ by no more than this. Noise of the machine makes such differences
without any other tool. Blocks are added until that spread is within the tolerance, or there are enough of them; the
ratio itself is not looked at before the end.
"""

from __future__ import annotations

import csv
import os
import random
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import comb

from agent.bench.one_job import counted, real_ollama, run
from agent.bench.report import CannotRun, Row, Settings
from agent.obt_agent.contract import CellSpec, PinnedOptions, RawCounters
from agent.obt_agent.metrics import decode_rate, prefill_rate
from agent.obt_agent.statistics import median, quantile
from agent.real_ollama.models import NEVER_STOPS
from agent.real_ollama.serve import RealOllama
from agent.real_ollama.tools import DEFAULT_VERSION, ollama_dir

MODEL = "obt-bench:latest"
CELL = CellSpec("chat512/128", "chat", 6, 1, prompt_tokens=512, output_tokens=128, num_ctx=4096)
TOOL_WARMUPS = 2  # the first finds out how many tokens its words have
FEWEST_BLOCKS, MOST_BLOCKS, QUICK_BLOCKS = 4, 12, 2  # of A B B A
TOOL_TIMEOUT_S = 120
TOLERANCE = 0.01
SPREAD_COVERS = 0.95
MOST_SPLITS = 2000
PROMPTS_EQUAL_WITHIN = 0.02
RATES = ("decode_rate", "prefill_rate")
WORDS = {"decode_rate": "decode", "prefill_rate": "prefill"}


@dataclass
class Side:
    """One tool's runs, each a list of Ollama's raw counters."""

    runs: list[list[RawCounters]] = field(default_factory=list)

    def values(self, rate: str) -> list[list[float]]:
        """That rate of every request, run by run."""
        return [[value for raw in one if (value := rate_of(raw, rate)) is not None] for one in self.runs]

    def prompt_tokens(self) -> float:
        return median([raw.prompt_eval_count or 0 for one in self.runs for raw in one])


def rows(settings: Settings) -> Iterable[Row]:
    """Two rows: decode and prefill. Raises CannotRun where Ollama or its tool is not built."""
    if not (ollama_dir() / "bench").is_file():
        raise CannotRun(f"Ollama's tool bench {DEFAULT_VERSION} is not built here: run `make ollama`.")
    fewest, most = (QUICK_BLOCKS, QUICK_BLOCKS) if settings.quick else (FEWEST_BLOCKS, MOST_BLOCKS)
    ours, theirs, blocks = Side(), Side(), 0
    with real_ollama([NEVER_STOPS], environment={"OLLAMA_NUM_PARALLEL": "1"}) as ollama:
        create(ollama)
        while blocks < fewest or (blocks < most and not quiet(theirs)):
            for turn in "ABBA":
                if turn == "A":
                    ours.runs.append(our_run(ollama.url))
                else:
                    theirs.runs.append(their_run(ollama.url))
            blocks += 1
    for rate in RATES:
        yield row(rate, ours, theirs, blocks)


def quiet(theirs: Side) -> bool:
    """Whether the tool agrees with itself within the tolerance, in both rates."""
    return all(own_spread(theirs.values(rate)) <= TOLERANCE for rate in RATES)


def create(ollama: RealOllama) -> None:
    """The tiny model with what `bench` cannot ask for: one thread, and the agent's repeat penalty."""
    parameters = {"num_thread": 1, "repeat_penalty": PinnedOptions().repeat_penalty}
    body = {"model": MODEL, "from": NEVER_STOPS.name, "parameters": parameters, "stream": False}
    ollama.process.post("/api/create", body)


def our_run(url: str) -> list[RawCounters]:
    """One job of OBT; the counters of the samples that count."""
    return [sample.raw for sample in counted(run(url, MODEL, [CELL]), CELL.name)]


def their_run(url: str) -> list[RawCounters]:
    """One call of `bench` with the same lengths, context, seed and temperature. Raises CannotRun when it fails."""
    options = {
        "model": MODEL,
        "epochs": CELL.repetitions,
        "warmup": TOOL_WARMUPS,
        "prompt-tokens": CELL.prompt_tokens,
        "max-tokens": CELL.output_tokens,
        "num-ctx": CELL.num_ctx,
        "seed": PinnedOptions().seed,
        "temperature": PinnedOptions().temperature,
        "format": "csv",
    }
    command = [str(ollama_dir() / "bench"), *(f"-{name}={value}" for name, value in options.items())]
    environment = {**os.environ, "OLLAMA_HOST": url}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TOOL_TIMEOUT_S, check=False)
    found = parsed(done.stdout)
    if done.returncode or not found:
        raise CannotRun(f"Ollama's bench measured nothing: {(done.stderr or done.stdout).strip()[-200:]}")
    return found


def parsed(text: str) -> list[RawCounters]:
    """Ollama's counters out of the CSV: NAME, STEP, COUNT, NS_PER_COUNT, TOKEN_PER_SEC. Raises ValueError."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    found: list[RawCounters] = []
    prompt: tuple[int, int] | None = None
    for line in csv.DictReader(lines):
        count, duration_ns = int(line["COUNT"]), round(int(line["COUNT"]) * float(line["NS_PER_COUNT"]))
        if line["STEP"] == "prefill":
            prompt = (count, duration_ns)
        elif line["STEP"] == "generate" and prompt is not None and count == CELL.output_tokens:
            found.append(
                RawCounters(
                    prompt_eval_count=prompt[0],
                    prompt_eval_duration=prompt[1],
                    eval_count=count,
                    eval_duration=duration_ns,
                )
            )
    return found


def rate_of(raw: RawCounters, rate: str) -> float | None:
    """The same formula for both sides."""
    if rate == "decode_rate":
        return decode_rate(raw.eval_count, raw.eval_duration).value
    return prefill_rate(raw.prompt_eval_count, raw.prompt_eval_duration, raw.prompt_eval_cached_count).value


def row(rate: str, ours: Side, theirs: Side, blocks: int) -> Row:
    """The ratio of medians beside the tool's own spread."""
    a, b = ours.values(rate), theirs.values(rate)
    ratio, spread = pooled(a) / pooled(b), own_spread(b)
    allowed = max(TOLERANCE, spread)
    off_target = abs(ours.prompt_tokens() / theirs.prompt_tokens() - 1)
    return Row(
        what=f"{WORDS[rate]} rate against Ollama's bench",
        how=f"real Ollama {DEFAULT_VERSION}, {NEVER_STOPS.name}, {CELL.name}, {blocks} × A B B A, same formula",
        must=f"ratio of medians {1 - TOLERANCE:.2f}–{1 + TOLERANCE:.2f}, or within bench's own A/A spread",
        measured=(
            f"ratio {ratio:.4f} ({pooled(a):,.0f} ÷ {pooled(b):,.0f} tok/s); A/A spread ±{100 * spread:.1f} %; "
            f"prompts {ours.prompt_tokens():.0f} and {theirs.prompt_tokens():.0f} tokens"
        ),
        ok=abs(ratio - 1) <= allowed and off_target <= PROMPTS_EQUAL_WITHIN,
        details={"unit": "tok/s", "obt": a, "bench": b, "ratio": ratio, "bench_own_spread": spread},
    )


def pooled(runs: Sequence[Sequence[float]]) -> float:
    """The median of all requests of all runs."""
    return median([value for one in runs for value in one])


def own_spread(runs: Sequence[Sequence[float]]) -> float:
    """How far the ratio of medians of two halves of one tool's runs is from 1, in 95 % of all splits."""
    departures = []
    for half in halves(len(runs)):
        other = [one for i, one in enumerate(runs) if i not in half]
        departures.append(abs(pooled([runs[i] for i in half]) / pooled(other) - 1))
    return quantile(sorted(departures), SPREAD_COVERS)


def halves(runs: int) -> Iterable[Sequence[int]]:
    """Every half of so many runs, or 2,000 of them, always the same."""
    if comb(runs, runs // 2) <= MOST_SPLITS:
        return combinations(range(runs), runs // 2)
    drawn = random.Random(runs)  # noqa: S311 (no secret)
    return [drawn.sample(range(runs), runs // 2) for _ in range(MOST_SPLITS)]
