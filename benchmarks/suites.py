"""Suites and cells: what a session measures, from names to the wire's `CellSpec`.

A cell's name says what it is: `load`, `pp512` (prefill of 512 tokens), `tg128` (decode of 128 tokens), `chat512/128`
(512 tokens in, 128 out). Budgets bound the time per model.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.obt_agent.contract import CellSpec
from agents.documents import ModelInstallation
from obt_site.errors import FieldError, Invalid

NUM_CTX = 4096
DECODE_PROMPT_TOKENS = 32
REPETITIONS = 6
LOAD_REPETITIONS = 3
WARMUPS = 1
MOST_TOKENS = 3584  # prompt and output of one cell together, so that they fit NUM_CTX with room for calibration
BUDGETS_S = {"quick": 180.0, "standard": 900.0, "full": 2700.0}
SUITES = {"standard": ("load", "pp512", "tg128", "chat512/128")}
TITLES = {"load": "Load", "prefill": "Prefill", "decode": "Decode", "chat": "Chat"}
MOST_CELLS = 50


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


def cell(name: str) -> CellSpec:
    """The measurement a name stands for; raises Invalid with what names there are."""
    if name == "load":
        return CellSpec(name, "load", LOAD_REPETITIONS, 0, prompt_tokens=0, output_tokens=1, num_ctx=NUM_CTX)
    if match := re.fullmatch(r"pp([1-9]\d{0,6})", name):
        return _sized(name, "prefill", int(match[1]), 1)
    if match := re.fullmatch(r"tg([1-9]\d{0,6})", name):
        return _sized(name, "decode", DECODE_PROMPT_TOKENS, int(match[1]))
    if match := re.fullmatch(r"chat([1-9]\d{0,6})/([1-9]\d{0,6})", name):
        return _sized(name, "chat", int(match[1]), int(match[2]))
    raise Invalid(f"There is no cell “{name[:60]}”. Cells are load, ppN, tgN and chatN/M, with N and M in tokens.")


def _sized(name: str, kind: str, prompt: int, output: int) -> CellSpec:
    if prompt + output > MOST_TOKENS:
        raise Invalid(f"{name} needs {prompt + output} tokens of context; at most {MOST_TOKENS} fit beside the rest.")
    if kind == "prefill" and prompt < DECODE_PROMPT_TOKENS:
        raise Invalid(f"{name} is too short to measure; prefill starts at pp{DECODE_PROMPT_TOKENS}.")
    if kind != "prefill" and output < 2:
        raise Invalid(f"{name} has no decode phase: at least two tokens are needed for a rate.")
    return CellSpec(name, kind, REPETITIONS, WARMUPS, prompt_tokens=prompt, output_tokens=output, num_ctx=NUM_CTX)  # type: ignore[arg-type]


def unsuitable(model: ModelInstallation) -> str | None:
    """Why a model cannot be measured, as a sentence; None when it can."""
    if model.remote:
        return f"{model.name} runs in the cloud: its speed says nothing about this machine."
    if model.capabilities and "completion" not in model.capabilities:
        return f"{model.name} does not generate text ({', '.join(model.capabilities)}); the suite measures text."
    return None
