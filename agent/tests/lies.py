"""What the tests of lies share: a naive tool, a simulated Ollama whose truth is known, and how a test says its figures.

`python -m agent.bench --only lies` runs those tests and prints what each of them told.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from agent.obt_agent.contract import CellSpec, ResultBody
from agent.obt_agent.rounds import round_metrics, rounds_of
from agent.obt_agent.statistics import Summary, summarise
from agent.simulator.models import ModelSpec

Tell = Callable[[str, str], None]

DECODE_TPS = 200.0
PREFILL_TPS = 4000.0
LOAD_S = 0.5
PROMPT_TOKENS = 512
# The simulator's speed moves by 1 % from request to request (3 % at most), and it counts by this machine's clock.
CLOSE = 0.05

# Every fifth word is followed by a character of two tokens, which come as one chunk.
TALKS = ModelSpec(
    "talks:1b", decode_tps=DECODE_TPS, prefill_tps=PREFILL_TPS, load_s=LOAD_S, depth_cost_per_1k=0.0, sign_every=5
)
THINKS = ModelSpec(
    "thinks:1b", decode_tps=DECODE_TPS, prefill_tps=PREFILL_TPS, load_s=LOAD_S, depth_cost_per_1k=0.0,
    capabilities=("completion", "thinking"),
)  # fmt: skip
SPILLS = ModelSpec("spills:1b", decode_tps=DECODE_TPS, prefill_tps=PREFILL_TPS, load_s=0.05, gpu_fraction=0.25)

PREFILL = CellSpec("pp512", "prefill", 6, 1, prompt_tokens=PROMPT_TOKENS, output_tokens=1, num_ctx=4096)
CHAT = CellSpec("chat512/64", "chat", 6, 1, prompt_tokens=PROMPT_TOKENS, output_tokens=64, num_ctx=4096)
NINE = CellSpec("c9", "concurrency", 3, 0, prompt_tokens=64, output_tokens=16, num_ctx=4096, concurrency=9)


def told(tell: Tell, lie: str, naive: str, truth: str, ours: str) -> None:
    """Say what the naive method, the truth and OBT came to; before the assertions, so that a failure shows it too."""
    for name, text in (("lie", lie), ("naive", naive), ("truth", truth), ("ours", ours)):
        tell(name, text)


@dataclass(frozen=True)
class Heard:
    """What a naive tool gets of one stream: the texts with their arrival in seconds since sending, the last message."""

    texts: Sequence[tuple[float, str]]
    done: dict[str, Any]
    wall_s: float

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.texts)

    @property
    def first_s(self) -> float:
        return self.texts[0][0]

    @property
    def talking_s(self) -> float:
        """First to last text: the kindest time to divide by."""
        return self.texts[-1][0] - self.first_s


def ask(url: str, model: str, prompt: str, tokens: int = 64, **fields: Any) -> Heard:
    """One request as a naive tool makes it: nothing pinned, `response` read, the clock on the wall."""
    body = {"model": model, "prompt": prompt, "raw": True, "options": {"num_predict": tokens}, **fields}
    begun, texts, done = time.perf_counter(), [], {}
    with requests.post(f"{url}/api/generate", json=body, stream=True, timeout=30) as answer:
        for line in answer.iter_lines():
            message = json.loads(line)
            if message["response"]:
                texts.append((time.perf_counter() - begun, message["response"]))
            done = message if message["done"] else done
    return Heard(texts, done, time.perf_counter() - begun)


def summary(result: ResultBody, cell: str, metric: str) -> Summary:
    """OBT's number: the cell's valid rounds in one line."""
    (run,) = [run for run in result.cells if run.spec.name == cell]
    counted = [one for one in rounds_of(run.samples, run.spec) if one.valid]
    found = summarise([round_metrics(one, run.spec)[metric].value for one in counted])
    assert found is not None, [sample.flags for sample in run.samples]
    return found


def close(value: float, truth: float, within: float = CLOSE) -> bool:
    return abs(value / truth - 1) <= within
