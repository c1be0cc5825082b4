"""Suites and cells: what a session measures, from names to the wire's `CellSpec`.

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

`num_ctx` is pinned by need: 4,096 for most, 10,240 for 8,192 tokens, 512 for embeddings; a longer cell gets the next
multiple of 4,096 with an eighth to spare. Budgets bound the time per model; what they shed is the agent's
`measure_plan.py`.
"""

import dataclasses
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.obt_agent.contract import CellSpec
from agents.documents import ModelInstallation
from obt_site.errors import FieldError, Invalid

NUM_CTX = 4096
LONG_NUM_CTX = 10_240
EMBED_NUM_CTX = 512
NUM_CTX_STEP = 4096
ROOM = 7 / 8  # of num_ctx that prompt and output may fill: the rest is room for finding the prompt's length
DECODE_PROMPT_TOKENS = 32
CONCURRENT_PROMPT_TOKENS = 512
CONCURRENT_OUTPUT_TOKENS = 128
REPETITIONS = 6
FEW_REPETITIONS = 3  # of loads, and of rounds of several requests
WARMUPS = 1
FEWEST_TOKENS = 32
MOST_TOKENS = 131_072  # prompt and output of one request together
MOST_OUTPUT_TOKENS = 16_384
MOST_CONCURRENT = 64
MOST_BATCH = 256
MOST_BATCH_TOKENS = 65_536
MOST_CELLS = 50
NAME_LENGTH = 60

BUDGETS_S = {"quick": 180.0, "standard": 900.0, "full": 2700.0}
SUITES = {
    "standard": (
        "load", "pp128", "pp512", "pp2048", "tg128", "chat512/128", "tg128@2048", "c1", "c2", "c4", "c8",
        "pp8192", "tg128@8192", "embed256x1", "embed256x32",
    )
}  # fmt: skip
TITLES = {
    "load": "Load",
    "prefill": "Prefill",
    "decode": "Decode",
    "chat": "Chat",
    "concurrency": "Concurrency",
    "embed": "Embedding",
}
NAMES = "load, ppN, tgN, tgN@D, chatN/M, cN and embedNxB"

Kind = Literal["load", "prefill", "decode", "chat", "concurrency", "embed"]


@dataclass(frozen=True)
class Plan:
    """The cells of a job and the seconds it may take."""

    cells: tuple[CellSpec, ...]
    budget_s: float


def plan(suite: str, budget: str, names: Sequence[str] | None = None) -> Plan:
    """The plan for a suite and budget, or for named cells of it; raises Invalid with an error per field."""
    problems = []
    if suite not in SUITES:
        problems.append(FieldError("suite", f"There is no suite “{suite[:60]}”; there is {', '.join(SUITES)}."))
    if budget not in BUDGETS_S:
        problems.append(FieldError("budget", f"A budget is one of {', '.join(BUDGETS_S)}."))
    if names is not None and not 1 <= len(names) <= MOST_CELLS:
        problems.append(FieldError("cells", f"Choose between 1 and {MOST_CELLS} cells."))
    cells: list[CellSpec] = []
    if not problems:
        for i, name in enumerate(dict.fromkeys(names if names is not None else SUITES[suite])):
            try:
                cells.append(cell(name))
            except Invalid as error:
                problems.append(FieldError(f"cells.{i}", error.detail))
    if problems:
        raise Invalid(problems[0].message, problems)
    return Plan(tuple(cells), BUDGETS_S[budget])


# -- one cell ----------------------------------------------------------------------------------------------------------


def cell(name: str) -> CellSpec:
    """The measurement a name stands for; raises Invalid with the names there are or what is wrong with the numbers."""
    if len(name) <= NAME_LENGTH:
        for pattern, make in _FORMS:
            if match := re.fullmatch(pattern, name, re.ASCII):
                return make(name, *map(int, match.groups()))
    raise Invalid(f"There is no cell “{name[:60]}”. Cells are {NAMES}, with numbers in tokens, requests and texts.")


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
    """At least two: one token has no decode rate."""
    _between(name, "output tokens", tokens, 2, MOST_OUTPUT_TOKENS)
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


# -- what a model gets -------------------------------------------------------------------------------------------------


def unsuitable(model: ModelInstallation) -> str | None:
    """Why a model cannot be measured, as a sentence; None when it can."""
    if model.remote:
        return f"{model.name} runs in the cloud: its speed says nothing about this machine."
    if model.capabilities and not (_completes(model) or _embeds(model)):
        return f"{model.name} neither generates text nor embeds ({', '.join(model.capabilities)})."
    return None


def cells_for(cells: Iterable[CellSpec], model: ModelInstallation) -> list[CellSpec]:
    """The cells that concern this model: embedding models embed, others generate, all load.

    A model with a short context gets all of it where the cell fits; one that does not fit stays as it is, and the
    agent skips it with the reason.
    """
    mine = [each for each in cells if _concerns(each, model)]
    if not _completes(model):
        mine = [dataclasses.replace(each, num_ctx=EMBED_NUM_CTX) if each.kind == "load" else each for each in mine]
    return [_within(each, model.context_length) for each in mine]


def too_long(spec: CellSpec, model: ModelInstallation) -> bool:
    """Whether the cell needs more context than the model has."""
    return model.context_length is not None and _within(spec, model.context_length).num_ctx > model.context_length


def useless(cells: Sequence[CellSpec], model: ModelInstallation) -> str | None:
    """Why these cells measure nothing of a model, as a sentence; None when one does."""
    if all(each.kind == "load" for each in cells) or any(each.kind != "load" for each in cells_for(cells, model)):
        return None
    verb = "generates text" if _completes(model) else "only embeds"
    return f"{model.name} {verb}, and none of the chosen cells measures that."


def used(cells: Sequence[CellSpec], models: Sequence[ModelInstallation]) -> list[CellSpec]:
    """The cells that concern any of the models; raises Invalid by field for one that is too long for all of these.

    A cell of the standard suite may be: it is skipped then, with its reason on the result.
    """
    found, problems = [], []
    for i, each in enumerate(cells):
        having = [model for model in models if _concerns(each, model)]
        found += [each] if having else []
        if having and each.name not in SUITES["standard"] and all(too_long(each, model) for model in having):
            most = max(model.context_length or 0 for model in having)
            message = f"{each.name} needs a context of {each.num_ctx} tokens; the chosen models have at most {most}."
            problems.append(FieldError(f"cells.{i}", message))
    if problems:
        raise Invalid(problems[0].message, problems)
    return found


def _completes(model: ModelInstallation) -> bool:
    """A model that says nothing of itself is taken for one that generates."""
    return not model.capabilities or "completion" in model.capabilities


def _embeds(model: ModelInstallation) -> bool:
    return "embedding" in (model.capabilities or ())


def _concerns(spec: CellSpec, model: ModelInstallation) -> bool:
    if spec.kind == "load":
        return True
    return _embeds(model) if spec.kind == "embed" else _completes(model)


def _within(spec: CellSpec, context_length: int | None) -> CellSpec:
    if context_length is None or spec.num_ctx <= context_length:
        return spec
    fits = spec.depth + spec.prompt_tokens + spec.output_tokens <= context_length * ROOM
    return dataclasses.replace(spec, num_ctx=context_length) if fits and context_length >= 128 else spec
