"""A sweep: the chosen cells times values of parameters, each as a cell of its own.

`{"num_thread": [4, 8]}` makes `tg128[num_thread=4]` and `tg128[num_thread=8]` of `tg128`. Cells that share a value come
together, so that the model is loaded as seldom as possible. A load is multiplied only by what concerns it.
"""

import itertools
import math
from collections.abc import Mapping, Sequence

from agent.obt_agent.contract import CellSpec
from benchmarks.suites.parameters import (
    PARAMETERS,
    THERE_IS,
    concerns,
    least_context,
    out_of_limits,
    parameters_of,
    with_parameters,
)
from obt_site.errors import FieldError

MOST_VALUES = 20
MOST_NAMED = 3  # cells that a message lists

Sweep = Mapping[str, Sequence[int]]
Chosen = Mapping[str, tuple[CellSpec, str]]  # by name: the cell, and the field that asked for it


def problems(sweep: Sweep) -> list[FieldError]:
    """What is wrong with the values themselves, by field: `sweep.num_ctx.1`."""
    found = []
    for name, values in sweep.items():
        if name not in PARAMETERS:
            found.append(FieldError(f"sweep.{name}"[:60], f"There is no parameter “{name[:40]}”; {THERE_IS}."))
        elif not 1 <= len(values) <= MOST_VALUES:
            found.append(FieldError(f"sweep.{name}", f"Give between 1 and {MOST_VALUES} values of {name}."))
        else:
            wrong = ((i, out_of_limits(name, value, *PARAMETERS[name])) for i, value in enumerate(values))
            found += [FieldError(f"sweep.{name}.{i}", f"It asks for {problem}") for i, problem in wrong if problem]
    return found


def clashes(chosen: Chosen, sweep: Sweep) -> list[FieldError]:
    """Cells that cannot be swept so: they name the parameter themselves, or a swept context has no room for them."""
    found = []
    for spec, field in chosen.values():
        twice = [name for name in parameters_of(spec.name) if name in sweep]
        if twice:
            words = f"{spec.name} names {twice[0]}, which the sweep varies; leave it out of one of the two."
            found.append(FieldError(field, words))
    for i, num_ctx in enumerate(sweep.get("num_ctx", ())):
        tight = [spec for spec, _ in chosen.values() if num_ctx < least_context(spec)]
        if tight:
            names = ", ".join(spec.name for spec in tight[:MOST_NAMED]) + (" …" if len(tight) > MOST_NAMED else "")
            least = max(least_context(spec) for spec in tight)
            words = f"A context of {num_ctx} is too small for {names}: {least} or more would do for all of these."
            found.append(FieldError(f"sweep.num_ctx.{i}", words))
    return found


def size(chosen: Chosen, sweep: Sweep) -> int:
    """How many cells it makes, without making them."""
    distinct = {name: len(set(values)) for name, values in sweep.items()}
    return sum(
        math.prod(count for name, count in distinct.items() if concerns(spec, name)) for spec, _ in chosen.values()
    )


def expand(chosen: Chosen, sweep: Sweep) -> dict[str, tuple[CellSpec, str]]:
    """The cells of a sweep that has no problems, by name. Without a sweep, the chosen ones."""
    if not sweep:
        return dict(chosen)
    made: dict[str, tuple[CellSpec, str]] = {}
    axes = [[(name, value, i) for i, value in enumerate(sweep[name])] for name in PARAMETERS if name in sweep]
    for point in itertools.product(*axes):
        for spec, field in chosen.values():
            own = {name: (value, i) for name, value, i in point if concerns(spec, name)}
            variant = with_parameters(spec, {name: value for name, (value, _) in own.items()})
            asked_by = f"sweep.num_ctx.{own['num_ctx'][1]}" if "num_ctx" in own else field
            made.setdefault(variant.name, (variant, asked_by))
    return made
