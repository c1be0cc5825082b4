"""Deriving a stored result anew from its raw samples: what a change of the formulas or gates asks for.

The samples are what was measured and stay as they are. Cells whose samples are not stored keep their numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.obt_agent import contract, wire
from agents.documents import HardwareConfig
from benchmarks import audited, conditions, derive, numbers, results
from benchmarks.documents import Result, SampleBlock
from obt_site.errors import Conflict, NotFound

NAMED = 20  # changed cells that the audit names
Cell = Mapping[str, Any]


@dataclass(frozen=True)
class Derived:
    """The fields as they come out now, and what of the cells is not what it was."""

    fields: Mapping[str, Any]
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def derived(result: Result) -> Derived:
    """What the samples of this result come to now; writes nothing. A Conflict where none are stored."""
    blocks = {block.position: block for block in results.samples_of(result)}
    if not blocks:
        raise Conflict("The raw samples of this result are not stored, so there is nothing to derive it from.")
    runs = {place: _run(cell, blocks[place]) for place, cell in enumerate(result.cells) if place in blocks}
    fresh = derive.cells(list(runs.values()), results.environment_of(result), _telemetry(result))
    cells = [dict(cell) for cell in result.cells]
    for place, cell in zip(runs, fresh, strict=True):
        cells[place] = cell
    fields = _stamped(result, cells, list(runs.values()))
    before = {cell["cell"]: _numbers(cell) for cell in result.cells}
    after = {cell["cell"]: _numbers(cell) for cell in cells}
    other = [name for name in after if after[name] != before[name]][:NAMED]
    return Derived(fields, {name: before[name] for name in other}, {name: after[name] for name in other})


def rederive(result: Result) -> int:
    """Store what the samples come to now; returns how many cells have other numbers. Raises Conflict."""
    found = derived(result)
    Result._get_collection().update_one({"_id": result.id}, {"$set": dict(found.fields)})
    if found.after:
        numbers.renew("results")
    words = f"was derived anew from its samples: {len(found.after) or 'no'} cells have other numbers"
    audited.result_changed("result.rederive", words, result, found.before, found.after)
    return len(found.after)


def _run(cell: Cell, block: SampleBlock) -> contract.CellRun:
    kept = {name: cell.get(name) for name in ("skipped", "stopped", "expected_s", "took_s")}
    return wire.decode(contract.CellRun, {"spec": block.spec, "samples": block.samples, **kept})


def _telemetry(result: Result) -> contract.Telemetry | None:
    try:
        return wire.decode(contract.Telemetry, results.telemetry_of(result, whole=True))
    except NotFound:
        return None


def _stamped(result: Result, cells: list[dict[str, Any]], runs: list[contract.CellRun]) -> dict[str, Any]:
    """The fields that follow from the cells. A mark of a person stays: it is not the samples' to take back."""
    fields = {
        "cells": cells,
        "valid": derive.all_valid(cells) and not result.marked_invalid,
        "placement": derive.placement(runs) or result.placement,
    }
    config = HardwareConfig.objects(id=result.hardware_config).first() if result.hardware_config else None
    specs = {run.spec.name: wire.encode(run.spec) for run in runs}
    whole = {**result.to_mongo(), **fields}
    stamp = conditions.stamp(whole, dict(config.content) if config else None, specs)
    stamp["cells"] = [_keys_kept(new, old, specs) for new, old in zip(stamp["cells"], result.cells, strict=True)]
    return {**fields, **stamp}


def _keys_kept(new: dict[str, Any], old: Cell, specs: Mapping[str, Any]) -> dict[str, Any]:
    """A cell whose samples are not stored was not stamped for want of its spec: it keeps what it had."""
    if new["cell"] in specs:
        return new
    return {**new, "conditions": old.get("conditions"), "comparison_key": old.get("comparison_key")}


def _numbers(cell: Cell) -> dict[str, float]:
    return {name: each["median"] for name, each in cell["metrics"].items()}
