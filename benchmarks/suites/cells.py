"""One cell by its name.

A cell's name says what it is:

| name | measures |
|---|---|
| `load` | loading, weights in the page cache |
| `ppN` | prefill of N tokens |
| `tgN` | decode of N tokens after a short prompt |
| `tgN@D` | decode of N tokens after D tokens of context |
| `chatN/M` | N tokens in, M out: TTFT, ITL, end to end |
| `cN` | N requests at the same time, 512 tokens in and 128 out each |
| `embedNxB` | one request with B texts of N tokens each, for embedding models |

Any of them may carry parameters in brackets (`parameters.py`). `num_ctx` is pinned by need where it is not named: 4,096
for most, 10,240 for 8,192 tokens, 512 for embeddings; a longer cell gets the next multiple of 4,096 with an eighth to
spare.
"""

import dataclasses
import re
from collections.abc import Callable
from typing import Literal

from agent.obt_agent.contract import CellSpec
from benchmarks.suites import parameters
from benchmarks.suites.parameters import ROOM
from obt_site.errors import Invalid

NUM_CTX = 4096
LONG_NUM_CTX = 10_240
EMBED_NUM_CTX = 512
NUM_CTX_STEP = 4096
DECODE_PROMPT_TOKENS = 32
CONCURRENT_PROMPT_TOKENS = 512
CONCURRENT_OUTPUT_TOKENS = 128
REPETITIONS = 6
FEW_REPETITIONS = 3  # of loads, and of rounds of several requests
WARMUPS = 1
FEWEST_TOKENS = 32
MOST_TOKENS = 131_072  # prompt and output of one request together
LEAST_OUTPUT_TOKENS = 2  # one token has no decode rate
MOST_OUTPUT_TOKENS = 16_384
MOST_CONCURRENT = 64
MOST_BATCH = 256
MOST_BATCH_TOKENS = 65_536
NAME_LENGTH = 120

NAMES = "load, ppN, tgN, tgN@D, chatN/M, cN and embedNxB"

Kind = Literal["load", "prefill", "decode", "chat", "concurrency", "embed"]


def cell(name: str) -> CellSpec:
    """The measurement a name stands for; raises Invalid with the names there are or what is wrong with the numbers."""
    if len(name) <= NAME_LENGTH:
        base, values = parameters.split(name)
        for pattern, make in _FORMS:
            if match := re.fullmatch(pattern, base, re.ASCII):
                return parameters.with_parameters(make(base, *map(int, match.groups())), values)
    raise Invalid(
        f"There is no cell “{name[:60]}”. Cells are {NAMES}, with numbers in tokens, requests and texts;"
        " parameters follow in brackets, as in tg128[num_ctx=8192,num_thread=4]."
    )


def _load(name: str) -> CellSpec:
    return CellSpec(name, "load", FEW_REPETITIONS, 0, prompt_tokens=0, output_tokens=1, num_ctx=NUM_CTX)


def _prefill(name: str, prompt: int) -> CellSpec:
    _between(name, "prompt tokens", prompt, FEWEST_TOKENS, MOST_TOKENS - 1)
    return _sized(name, "prefill", prompt, 1)


def _decode(name: str, output: int) -> CellSpec:
    return _sized(name, "decode", DECODE_PROMPT_TOKENS, _output(name, output))


def _decode_at(name: str, output: int, depth: int) -> CellSpec:
    _between(name, "tokens of context", depth, FEWEST_TOKENS, MOST_TOKENS)
    return _sized(name, "decode", 0, _output(name, output), depth=depth)


def _chat(name: str, prompt: int, output: int) -> CellSpec:
    _between(name, "prompt tokens", prompt, FEWEST_TOKENS, MOST_TOKENS)
    return _sized(name, "chat", prompt, _output(name, output))


def _concurrent(name: str, requests: int) -> CellSpec:
    _between(name, "requests at a time", requests, 1, MOST_CONCURRENT)
    spec = _sized(name, "concurrency", CONCURRENT_PROMPT_TOKENS, CONCURRENT_OUTPUT_TOKENS)
    return dataclasses.replace(spec, concurrency=requests, repetitions=FEW_REPETITIONS)


def _embed(name: str, tokens: int, batch: int) -> CellSpec:
    _between(name, "tokens in a text", tokens, FEWEST_TOKENS, MOST_TOKENS)
    _between(name, "texts in a request", batch, 1, MOST_BATCH)
    _between(name, "tokens in a request", tokens * batch, FEWEST_TOKENS, MOST_BATCH_TOKENS)
    return dataclasses.replace(_sized(name, "embed", tokens, 0), batch=batch)


_NUMBER = r"(-?\d{1,12})"
_FORMS: tuple[tuple[str, Callable[..., CellSpec]], ...] = (
    ("load", _load),
    (f"pp{_NUMBER}", _prefill),
    (f"tg{_NUMBER}", _decode),
    (f"tg{_NUMBER}@{_NUMBER}", _decode_at),
    (f"chat{_NUMBER}/{_NUMBER}", _chat),
    (f"c{_NUMBER}", _concurrent),
    (f"embed{_NUMBER}x{_NUMBER}", _embed),
)


def _output(name: str, tokens: int) -> int:
    _between(name, "output tokens", tokens, LEAST_OUTPUT_TOKENS, MOST_OUTPUT_TOKENS)
    return tokens


def _between(name: str, what: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise Invalid(f"{name} asks for {value} {what}; it can be {least} to {most}.")
    if re.search(r"(?<!\d)0\d", name):
        raise Invalid(f"{name} has a number that begins with 0; write it without.")


def _sized(name: str, kind: Kind, prompt: int, output: int, depth: int = 0) -> CellSpec:
    _between(name, "tokens of prompt and output", depth + prompt + output, 1, MOST_TOKENS)
    num_ctx = context_for(depth + prompt + output, embeds=kind == "embed")
    return CellSpec(name, kind, REPETITIONS, WARMUPS, prompt, output, num_ctx, depth=depth)


def context_for(tokens: int, embeds: bool = False) -> int:
    """The `num_ctx` that is pinned for so many tokens of prompt and output."""
    for num_ctx in (EMBED_NUM_CTX,) * embeds + (NUM_CTX, LONG_NUM_CTX):
        if tokens <= num_ctx * ROOM:
            return num_ctx
    return -(-round(tokens / ROOM) // NUM_CTX_STEP) * NUM_CTX_STEP
