"""Rows of the results page: a short result with its number, or with the reason why it has none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.obt_agent import metrics
from benchmarks.documents import Result
from benchmarks.headline import best_cell
from benchmarks.measures import Measure
from benchmarks.presenters import figures, stored
from benchmarks.shelf import Short, Spread
from obt_site import publishing

NOT_MEASURED = "this metric was not measured"
WHOLLY_ON_GPU_PERCENT = 99.5
FLAG_FIELDS = {"error": 1, "cells.cell": 1, "cells.left_out": 1}


@dataclass(frozen=True)
class Extra:
    """Another metric beside the main one."""

    measure: Measure
    spread: Spread | None

    @property
    def word(self) -> str:
        return figures.metric_word(self.measure.name)


@dataclass(frozen=True)
class ResultRow:
    """One result in the list, by the chosen metric; `missing` says why there is no number."""

    short: Short
    machine: str
    hardware: str | None
    spread: Spread | None
    missing: str
    flags: Sequence[tuple[str, str]]
    series: int | None
    extras: Sequence[Extra]

    @property
    def id(self) -> str:
        return self.short.id


@dataclass(frozen=True)
class Seen:
    """What rows need beside the short results, read for those on the page only."""

    documents: Mapping[str, Mapping[str, Any]]
    hardware: Mapping[str, Mapping[str, Any]]
    machines: Mapping[str, str]
    series: Mapping[str, int]


def rows(
    shorts: Sequence[Short], metric: Measure, cell: str | None, more: Sequence[Measure],
    machines: Mapping[str, str], series: Mapping[str, int],
) -> list[ResultRow]:  # fmt: skip
    """The rows of these results, in their order. Three reads, whatever their number."""
    seen = Seen(
        _documents(shorts, metric, cell), stored.hardware_of(one.hardware_config for one in shorts), machines, series
    )
    return [_row(one, metric, cell, more, seen) for one in shorts]


def _documents(shorts: Sequence[Short], metric: Measure, cell: str | None) -> dict[str, Mapping[str, Any]]:
    """The parts that flags are made of; whole cells where a number is missing, for the reason."""
    missing = [one.id for one in shorts if one.median(metric.name, cell) is None]
    found = _read([one.id for one in shorts], FLAG_FIELDS)
    return {**found, **_read(missing, {"error": 1, "cells": 1})}


def _read(ids: Sequence[str], fields: Mapping[str, int]) -> dict[str, Mapping[str, Any]]:
    if not ids:
        return {}
    return {found["_id"]: found for found in Result._get_collection().find({"_id": {"$in": list(ids)}}, fields)}


def _row(one: Short, metric: Measure, cell: str | None, more: Sequence[Measure], seen: Seen) -> ResultRow:
    document = seen.documents.get(one.id, {})
    spread = one.spread(metric.name, cell)
    return ResultRow(
        short=one,
        machine=seen.machines.get(one.client, one.client_name),
        hardware=stored.hardware_line(seen.hardware.get(one.hardware_config or "")),
        spread=spread,
        missing="" if spread else why_missing(document, metric.name, cell),
        flags=_flags(one, document, spread),
        series=seen.series.get(one.client),
        extras=[Extra(measure, one.spread(measure.name, cell)) for measure in more],
    )


def why_missing(document: Mapping[str, Any], metric: str, cell: str | None) -> str:
    """Why a result has no such number, in words."""
    error = (document.get("error") or {}).get("message")
    if error:
        return publishing.reason(str(error))
    cells = [each for each in document.get("cells", ()) if cell is None or each["cell"] == cell]
    found = best_cell(cells, metric) or next(
        (each for each in cells if metrics.HEADLINE.get(each["kind"]) == metric), None
    )
    if found is None:
        found = next((each for each in cells if metric in (each.get("missing") or {})), None)
    return NOT_MEASURED if found is None else figures.published(found, metric).reason or NOT_MEASURED


def _flags(one: Short, document: Mapping[str, Any], spread: Spread | None) -> list[tuple[str, str]]:
    """Remarks as (word, tone), most important first."""
    flags = []
    if one.outcome != "succeeded":
        flags.append((one.outcome.replace("_", " "), "bad"))
    if one.excluded:
        flags.append(("excluded", "bad"))
    if one.simulated:
        flags.append(("simulated", ""))
    if one.gpu_share is not None and 0 < one.gpu_share < WHOLLY_ON_GPU_PERCENT:
        flags.append((f"{one.gpu_share:.0f} % GPU", "warn"))
    left = figures.left_out(each for each in document.get("cells", ()) if spread and each["cell"] == spread.cell)
    if left:
        flags.append((f"{left} left out", "warn"))
    return flags
