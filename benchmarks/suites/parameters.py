"""Parameters of Ollama's that a cell's name carries in brackets, or that a whole session sends as options.

`tg128[num_ctx=8192,num_thread=4]`: only what was asked for, always in the order of PARAMETERS, so that one measurement
has one name. `num_ctx` goes before the context that is pinned by need. A session's options hold for every cell that
does not name the parameter itself.
"""

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any

from agent.obt_agent.contract import CellSpec
from obt_site.errors import FieldError, Invalid

NUMBER_SHOWN = 20  # characters of a number that are said back
ROOM = 7 / 8  # of num_ctx that prompt and output may fill: the rest is room for finding the prompt's length

# name → least and most. Layers, threads and tokens beyond these exist on no machine.
PARAMETERS: dict[str, tuple[int, int]] = {
    "num_ctx": (128, 1_048_576),
    "num_gpu": (0, 1000),
    "num_thread": (1, 1024),
    "num_batch": (1, 65_536),
}
SESSION_OPTIONS: dict[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "seed": (0, 2**31 - 1),
    **{name: limits for name, limits in PARAMETERS.items() if name != "num_ctx"},
}
FRACTIONAL = frozenset({"temperature"})
# What changes a load: where the weights go and how much context is reserved. Threads and batch do not.
OF_LOADING = frozenset({"num_ctx", "num_gpu"})
THERE_IS = f"there is {', '.join(PARAMETERS)}"

_NAME = re.compile(r"([^\[\]]*)(?:\[([^\[\]]*)\])?")
_ITEM = re.compile(r"([^=]*)=(-?\d{1,12})", re.ASCII)


def split(name: str) -> tuple[str, dict[str, int]]:
    """A cell's name without its brackets, and the parameters in them; raises Invalid with what is wrong."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise Invalid(f"{name} has brackets that do not close once, at its end.")
    base, inside = found.groups()
    values: dict[str, int] = {}
    for item in inside.split(",") if inside is not None else ():
        key, value = _item(name, item)
        if key in values:
            raise Invalid(f"{name} names {key} twice.")
        values[key] = value
    return base, values


def _item(name: str, item: str) -> tuple[str, int]:
    found = _ITEM.fullmatch(item)
    if found is None:
        raise Invalid(f"{name} has “{item[:40]}” in its brackets; write parameters as num_thread=4: {THERE_IS}.")
    key, value = found[1], int(found[2])
    if key not in PARAMETERS:
        raise Invalid(f"{name} has an unknown parameter “{key[:40]}”; {THERE_IS}.")
    problem = out_of_limits(key, value, *PARAMETERS[key])
    if problem:
        raise Invalid(f"{name} asks for {problem}")
    return key, value


def out_of_limits(name: str, value: float, least: float, most: float) -> str | None:
    """`num_thread 0; it can be 1 to 1024.`; None when the value is within its limits."""
    return None if least <= value <= most else f"{name} {shown(value)}; it can be {least} to {most}."


def shown(value: float) -> str:
    """A number that somebody sent, however long it is."""
    return f"{value:g}" if isinstance(value, float) else str(value)[:NUMBER_SHOWN]


def parameters_of(name: str) -> dict[str, int]:
    """What the name of a cell that was accepted carries."""
    return split(name)[1]


def base_of(name: str) -> str:
    """The name of a cell that was accepted, without its parameters."""
    return split(name)[0]


def tokens_of(spec: CellSpec) -> int:
    """Tokens of one request that must find room in its context; of a fixed prompt only the output is known."""
    return spec.depth + spec.prompt_tokens + spec.output_tokens


def least_context(spec: CellSpec) -> int:
    """The smallest `num_ctx` that leaves the cell its room."""
    return math.ceil(tokens_of(spec) / ROOM)


def with_parameters(spec: CellSpec, values: Mapping[str, int]) -> CellSpec:
    """The cell as it is measured under these parameters, by its own name; raises Invalid for too little context."""
    if not values:
        return spec
    known = {**parameters_of(spec.name), **values}
    inside = ",".join(f"{name}={known[name]}" for name in PARAMETERS if name in known)
    fields: dict[str, Any] = {"name": f"{base_of(spec.name)}[{inside}]", **values}
    changed = dataclasses.replace(spec, **fields)
    if changed.num_ctx < least_context(spec):
        needs = f"its {tokens_of(spec)} tokens need {least_context(spec)} or more"
        raise Invalid(f"{changed.name} asks for a context of {changed.num_ctx}; {needs}.")
    return changed


def concerns(spec: CellSpec, parameter: str) -> bool:
    """Whether the parameter can change what the cell measures."""
    return spec.kind != "load" or parameter in OF_LOADING


def options(asked: Mapping[str, float | None]) -> tuple[dict[str, float], list[FieldError]]:
    """A session's options without those that were left open, and what is wrong with them, by field."""
    given = {name: value for name, value in asked.items() if value is not None}
    found = ((name, _option_problem(name, value)) for name, value in given.items())
    return given, [FieldError(f"options.{name}", problem) for name, problem in found if problem]


def _option_problem(name: str, value: float) -> str | None:
    if name not in SESSION_OPTIONS:
        return f"There is no option “{name[:40]}”; there is {', '.join(SESSION_OPTIONS)}."
    if name not in FRACTIONAL and isinstance(value, float) and not value.is_integer():
        return f"{name} must be a whole number."
    problem = out_of_limits(name, value, *SESSION_OPTIONS[name])
    return f"It asks for {problem}" if problem else None
