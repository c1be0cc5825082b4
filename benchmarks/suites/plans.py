"""What a person asked for, as cells: checked whole, with one message per field that is wrong."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agent.obt_agent.contract import CellSpec
from benchmarks.suites import cells, limits, parameters, prompts, sweep
from benchmarks.suites.prompts import FixedPrompt
from benchmarks.suites.standard import BUDGETS_S, MOST_REPETITIONS, SUITE_VERSIONS, SUITES
from obt_site.errors import FieldError, Invalid

MOST_CELLS = 50
MOST_TEXT_BYTES = 1_000_000  # of all cells of a session: an offer must stay within what an agent reads, 4 MiB
OF_FIXED_REPETITIONS = frozenset({"load", "concurrency"})  # their rounds are few because each is long

Chosen = dict[str, tuple[CellSpec, str]]


@dataclass(frozen=True)
class Plan:
    """The cells of a job and the seconds it may take.

    `fields`: for each cell the field that asked for it (`cells.3`, `sweep.num_ctx.0`). `options`: what is sent with
    every request beside the pinned ones.
    """

    cells: tuple[CellSpec, ...]
    budget_s: float
    fields: tuple[str, ...] = ()
    options: Mapping[str, float] = field(default_factory=dict)
    suite_version: str | None = None


def plan(
    suite: str,
    budget: str,
    cells: Sequence[str] | None = None,
    *,
    sweep: sweep.Sweep | None = None,
    prompts: Sequence[FixedPrompt] = (),
    slo: limits.Stated | None = None,
    options: Mapping[str, float | None] | None = None,
) -> Plan:
    """The plan for a suite and budget, or for named cells of it; raises Invalid with an error per field.

    `sweep` multiplies all cells, fixed prompts too. `slo` is for the cells with requests at a time.
    """
    problems = _words(suite, budget)
    chosen, wrong = _chosen(SUITES.get(suite, ()), cells, prompts)
    problems += wrong
    made, wrong = _swept(chosen, sweep or {})
    problems += wrong
    made, wrong = _limited(made, slo or {})
    problems += wrong
    given, wrong = parameters.options(options or {})
    problems += wrong + [
        FieldError(f"options.{name}", f"The sweep varies {name}; leave it out of one of the two.")
        for name in given
        if name in (sweep or {})
    ]
    if problems:
        raise Invalid(problems[0].message if len(problems) == 1 else _many(problems), problems)
    most = MOST_REPETITIONS[budget]
    return Plan(
        cells=tuple(_repeated(spec, most) for spec, _ in made.values()),
        budget_s=BUDGETS_S[budget],
        fields=tuple(asked_by for _, asked_by in made.values()),
        options=given,
        suite_version=SUITE_VERSIONS[suite],
    )


def _many(problems: Sequence[FieldError]) -> str:
    return f"{problems[0].message} {len(problems) - 1} more value{'s' * (len(problems) > 2)} cannot be used."


def _words(suite: str, budget: str) -> list[FieldError]:
    problems = []
    if suite not in SUITES:
        problems.append(FieldError("suite", f"There is no suite “{suite[:60]}”; there is {', '.join(SUITES)}."))
    if budget not in BUDGETS_S:
        problems.append(FieldError("budget", f"A budget is one of {', '.join(BUDGETS_S)}."))
    return problems


def _chosen(
    suite: Sequence[str], names: Sequence[str] | None, texts: Sequence[FixedPrompt]
) -> tuple[Chosen, list[FieldError]]:
    """The cells before any sweep, by name. Without names the whole suite; the prompts come last."""
    if names is not None and not (names or texts):
        return {}, [FieldError("cells", f"Choose between 1 and {MOST_CELLS} cells.")]
    if names is not None and len(names) > MOST_CELLS:
        return {}, [FieldError("cells", f"Choose at most {MOST_CELLS} cells; these are {len(names)}.")]
    found: Chosen = {}
    problems = prompts.problems(texts)
    for i, name in enumerate(names if names is not None else suite):
        try:
            spec = cells.cell(name)
            found.setdefault(spec.name, (spec, f"cells.{i}"))
        except Invalid as error:
            problems.append(FieldError(f"cells.{i}", error.detail))
    if not problems:
        found |= {spec.name: (spec, f"prompts.{i}.text") for i, spec in enumerate(map(prompts.cell, texts))}
    return found, problems


def _swept(chosen: Chosen, values: sweep.Sweep) -> tuple[Chosen, list[FieldError]]:
    problems = sweep.problems(values)
    if not problems:
        problems = sweep.clashes(chosen, values)
        many = sweep.size(chosen, values)
        if many > MOST_CELLS:
            words = f"These values make {many} cells of {len(chosen)}; a session has at most {MOST_CELLS}."
            problems.append(FieldError("sweep" if values else "cells", f"{words} Choose fewer cells or values."))
    if problems:
        return {}, problems
    made = sweep.expand(chosen, values)
    together = sum(len(spec.text.encode()) for spec, _ in made.values() if spec.text)
    if together <= MOST_TEXT_BYTES:
        return made, []
    words = f"The texts of all cells have {together} bytes together; at most {MOST_TEXT_BYTES} can be sent."
    return {}, [FieldError("sweep" if values else "prompts", f"{words} Choose shorter texts or fewer values.")]


def _limited(made: Chosen, stated: limits.Stated) -> tuple[Chosen, list[FieldError]]:
    slo, problems = limits.slo(stated)
    if slo is not None and made and all(spec.kind != "concurrency" for spec, _ in made.values()):
        words = "Limits are for cells with requests at a time; choose one of them, such as c1 or c4."
        problems.append(FieldError(f"slo.{next(name for name in stated if stated[name] is not None)}", words))
    if slo is None or problems:
        return made, problems
    return {name: (limits.with_limits(spec, slo), asked_by) for name, (spec, asked_by) in made.items()}, []


def _repeated(spec: CellSpec, most: int | None) -> CellSpec:
    return spec if spec.kind in OF_FIXED_REPETITIONS else dataclasses.replace(spec, max_repetitions=most)
