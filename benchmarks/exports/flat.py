"""Our own export: one flat row per (result, cell), the same columns in CSV, JSON and JSON lines.

Every unit is in its column's name. What is missing is empty in CSV and null in JSON, never 0. In CSV a text that a
spreadsheet would take for a formula gets an apostrophe; JSON has it as it is.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from benchmarks.documents import Result
from benchmarks.measures import MEASURES, Measure
from obt_site.formatting import iso
from obt_site.text import harmless

Row = dict[str, Any]
FACTS = (
    "result", "number", "measured_at_utc", "session", "session_number", "job", "attempt", "machine", "machine_id",
    "model", "digest", "family", "quantization", "parameter_size", "suite", "suite_version", "ollama_version",
    "hardware_config", "simulated", "outcome", "duration_s", "model_on_gpu_percent",
)  # fmt: skip
CELL_FACTS = ("cell", "kind", "valid", "n", "planned", "left_out", "flags", "skipped", "comparison_key")
PARTS = ("median", "low", "high")
COLUMNS = (
    *FACTS,
    *CELL_FACTS,
    *(f"{each.column}_{part}" for each in MEASURES.values() for part in PARTS),
)


def rows(results: Iterable[Result]) -> Iterator[Row]:
    """A row per cell of every result; what was not measured is None."""
    for result in results:
        facts = _facts(result)
        for cell in result.cells:
            yield {**facts, **_cell(cell), **_numbers(cell["metrics"])}


def _facts(result: Result) -> Row:
    return {
        "result": result.id,
        "number": result.number,
        "measured_at_utc": iso(result.created_at),
        "session": str(result.session),
        "session_number": result.session_number,
        "job": str(result.job),
        "attempt": result.attempt,
        "machine": result.client_name,
        "machine_id": str(result.client),
        "model": result.model,
        "digest": result.digest,
        "family": result.family,
        "quantization": result.quantization,
        "parameter_size": result.parameter_size,
        "suite": result.suite,
        "suite_version": result.suite_version,
        "ollama_version": result.ollama_version,
        "hardware_config": result.hardware_config,
        "simulated": bool(result.simulated),
        "outcome": result.outcome,
        "duration_s": result.duration_s,
        "model_on_gpu_percent": (result.placement or {}).get("gpu_share"),
    }


def _cell(cell: Mapping[str, Any]) -> Row:
    return {
        "cell": cell["cell"],
        "kind": cell["kind"],
        "valid": bool(cell["valid"]),
        "n": cell["n"],
        "planned": cell["planned"],
        "left_out": cell["left_out"],
        "flags": " ".join(f"{flag}:{count}" for flag, count in cell["flags"].items()) or None,
        "skipped": cell.get("skipped"),
        "comparison_key": cell.get("comparison_key"),
    }


def _numbers(metrics: Mapping[str, Any]) -> Row:
    return {f"{each.column}_{part}": _number(metrics, each, part) for each in MEASURES.values() for part in PARTS}


def _number(metrics: Mapping[str, Any], measure: Measure, part: str) -> float | None:
    found = metrics.get(measure.name)
    return None if found is None else found.get(part)


def csv_lines(results: Iterable[Result]) -> Iterator[str]:
    """Header first."""
    yield _line(COLUMNS)
    for row in rows(results):
        yield _line([_field(row[name]) for name in COLUMNS])


def _field(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return harmless(value) if isinstance(value, str) else value


def _line(values: Iterable[Any]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(values)
    return text.getvalue()


def json_lines(results: Iterable[Result]) -> Iterator[str]:
    """An object per line."""
    for row in rows(results):
        yield json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


def json_array(results: Iterable[Result]) -> Iterator[str]:
    """One array."""
    yield from array(rows(results))


def array(items: Iterable[Any]) -> Iterator[str]:
    """A JSON array in pieces."""
    before = "[\n"
    for item in items:
        yield before + json.dumps(item, ensure_ascii=False, allow_nan=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"
