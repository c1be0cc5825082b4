"""Suites and cells: what a session measures, from names to the wire's `CellSpec`.

| file | has |
|---|---|
| `standard.py` | the suites there are, their versions, the budgets |
| `cells.py` | one cell by its name: `tg128@2048` |
| `parameters.py` | what a name carries in brackets: `tg128[num_ctx=8192,num_thread=4]`; options of a whole session |
| `sweep.py` | cells times values of parameters |
| `prompts.py` | fixed prompts of a person's own |
| `limits.py` | the limits that goodput is counted by |
| `plans.py` | all of it together, with one message per field that is wrong |
| `fitting.py` | which of the cells a model gets |
"""

from benchmarks.suites.cells import NAME_LENGTH, NAMES, cell, context_for
from benchmarks.suites.fitting import cells_for, too_long, unsuitable, used, useless
from benchmarks.suites.limits import LIMITS
from benchmarks.suites.parameters import PARAMETERS, base_of, parameters_of
from benchmarks.suites.plans import MOST_CELLS, Plan, plan
from benchmarks.suites.prompts import MOST_PROMPTS, PROMPT_NAME_LENGTH, TEXT_LENGTH, FixedPrompt
from benchmarks.suites.standard import BUDGETS_S, MOST_REPETITIONS, SUITE_VERSIONS, SUITES, TITLES

__all__ = [
    "BUDGETS_S",
    "LIMITS",
    "MOST_CELLS",
    "MOST_PROMPTS",
    "MOST_REPETITIONS",
    "NAMES",
    "NAME_LENGTH",
    "PARAMETERS",
    "PROMPT_NAME_LENGTH",
    "SUITES",
    "SUITE_VERSIONS",
    "TEXT_LENGTH",
    "TITLES",
    "FixedPrompt",
    "Plan",
    "base_of",
    "cell",
    "cells_for",
    "context_for",
    "parameters_of",
    "plan",
    "too_long",
    "unsuitable",
    "used",
    "useless",
]
