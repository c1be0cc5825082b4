"""The limits a request must meet to count for goodput, in ms; they belong to cells with requests at a time."""

import dataclasses
from collections.abc import Mapping

from agent.obt_agent.contract import CellSpec, Slo
from benchmarks.suites.parameters import shown
from obt_site.errors import FieldError

LIMITS = {"ttft_ms": "time to first token", "itl_ms": "time between tokens", "e2e_ms": "end to end"}
LONGEST_MS = 3_600_000.0

Stated = Mapping[str, float | None]


def slo(stated: Stated) -> tuple[Slo | None, list[FieldError]]:
    """The limits, None when none was stated; and what is wrong with them, by field: `slo.ttft_ms`."""
    given = {name: value for name, value in stated.items() if value is not None}
    found = ((name, _problem(name, value)) for name, value in given.items())
    problems = [FieldError(f"slo.{name}"[:60], problem) for name, problem in found if problem]
    return (None, problems) if problems or not given else (Slo(**given), [])


def _problem(name: str, value: float) -> str | None:
    if name not in LIMITS:
        return f"There is no limit “{name[:40]}”; there is {', '.join(LIMITS)}."
    if not 0 < value <= LONGEST_MS:
        return f"A limit is more than 0 and at most {LONGEST_MS:.0f} ms; this is {shown(value)}."
    return None


def with_limits(spec: CellSpec, stated: Slo | None) -> CellSpec:
    """The cell with the limits it is judged by; other kinds have none."""
    return dataclasses.replace(spec, slo=stated) if spec.kind == "concurrency" else spec
