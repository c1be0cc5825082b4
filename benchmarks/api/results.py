"""Results over the user API: the lists, one result, its raw samples, its telemetry."""

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Query as FromQuery
from ninja import Router
from pydantic import Field, StringConstraints

from agent.obt_agent import contract, wire
from agent.obt_agent.contract import Telemetry
from agent.obt_agent.metrics import FORMULAS
from benchmarks import listing, measured, results, statistics
from benchmarks.api import cursors
from benchmarks.api.callers import open_to
from benchmarks.api.jobs import ErrorShape
from benchmarks.api.shapes import (
    Id,
    Line,
    ModelName,
    Moment,
    PageQuery,
    Query,
    Shape,
    Time,
    Truth,
    Word,
    flag_sentences,
)
from benchmarks.documents import Result
from benchmarks.listing import Excluded, Outcome, ResultFilters, Simulated
from obt_site import publishing
from obt_site.access import Role

router = Router(tags=["results"])
IDS_LENGTH = 2000  # characters, about 70 ids


class ResultFilterQuery(Query):
    """Which results: all filters are exact and hold together."""

    client: Id | None = None
    model: ModelName | None = None
    digest: Word | None = None
    family: Word | None = None
    quantization: Word | None = None
    suite: Word | None = None
    cell: Word | None = Field(None, description="results that have this cell, e.g. tg128")
    since: Moment | None = Field(None, description="at this time or later")
    until: Moment | None = Field(None, description="before this time")
    valid: Truth | None = None
    session: Id | None = None
    simulated: Simulated | None = Field(
        None, description="any, or only those of (or not of) the simulator; left out: real ones as soon as one exists"
    )
    outcome: Outcome | None = Field(None, description="left out: every outcome that measured at least one cell")
    ollama_version: Word | None = None
    excluded: Excluded | None = Field(
        None, description="with, or only, those that somebody has excluded; left out: without them"
    )
    result: Annotated[Line, StringConstraints(min_length=1, max_length=IDS_LENGTH)] | None = Field(
        None, description="only these, by their ids with commas between"
    )


class ResultQuery(ResultFilterQuery, PageQuery):
    """Results come newest first."""

    sort: Literal["-created_at"] = Field("-created_at", description="newest first is the only order")


class MetricShape(Shape):
    """One metric of one cell: the median of `n` samples, in `unit`.

    `low` to `high` is a 95 % interval of the median (`interval` true, its exact probability in `coverage`), or with
    too few samples their range.
    """

    median: float
    low: float
    high: float
    unit: str
    n: int
    interval: bool
    coverage: float | None
    iqr: float
    cv: float | None
    minimum: float
    maximum: float
    note: str | None = Field(None, description="how it was measured, where that limits what it says (energy)")


class CellShape(Shape):
    """What a cell came to. `missing` says why a metric has no number.

    `flags` are the gates its samples failed, with how many in `flag_counts` and what they mean in `flag_sentences`.
    """

    cell: str
    kind: str
    n: int
    planned: int
    warmups: int
    left_out: int
    headline: str
    metrics: dict[str, MetricShape]
    missing: dict[str, str]
    valid: bool
    flags: list[str]
    flag_counts: dict[str, int]
    flag_sentences: dict[str, str]
    skipped: str | None
    stopped: str | None = Field(description="why no more samples were taken")
    order: int | None = Field(None, description="its place among the cells by its first sample, from 0")
    expected_s: float | None = Field(None, description="what its agent predicted after the probe")
    took_s: float | None = Field(None, description="what it took, warm-ups included")
    limits: contract.Slo | None = Field(None, description="what goodput is counted by")
    conditions: dict[str, str] | None = Field(None, description="what this cell adds to the result's conditions")
    comparison_key: str | None = None


class PlacementShape(Shape):
    """Where the model was while it ran; `gpu_share` in percent."""

    size_bytes: int | None
    size_vram_bytes: int | None
    gpu_share: float | None


class RemarkShape(Shape):
    """What a person has said of a result."""

    reason: str
    by: str
    at: Time


class ResultShape(Shape):
    """What one attempt of a job measured."""

    id: str
    number: int
    session: str
    job: str
    attempt: int
    client: str
    client_name: str | None
    model: str
    digest: str | None
    family: str | None
    quantization: str | None
    parameter_size: str | None
    suite: str | None
    suite_version: str | None
    ollama_version: str | None
    hardware_config: str | None
    simulated: bool
    created_at: Time
    duration_s: float | None
    outcome: str
    error: ErrorShape | None
    valid: bool
    placement: PlacementShape | None
    conditions: dict[str, str] | None = Field(description="what is known of all that affects speed")
    excluded: RemarkShape | None = Field(None, description="lists leave it out unless they are asked for it")
    marked_invalid: RemarkShape | None = Field(None, description="`valid` is false by this")
    comparison_key: str | None = Field(description="their hash: equal keys, equal conditions")
    cells: list[CellShape]


class DriftShape(Shape):
    """How a cell's headline moved while it was measured, in percent.

    `change_percent`: the median of the last third of its values against that of the first. `per_sample_percent`: the
    median slope. `drifted`: the thirds differ by more than 3 %; `steady`: and the slope says so too.
    """

    n: int
    change_percent: float
    per_sample_percent: float
    drifted: bool
    steady: bool


class WholeResultShape(ResultShape):
    """One result with everything that belongs to it."""

    environment: contract.RunEnvironment | None = Field(
        description="what it was measured on; null when it failed before that was read"
    )
    drift: dict[str, DriftShape | None] = Field(description="by cell; null of fewer than six values")
    formulas: dict[str, str] = Field(description="how each metric is computed from a sample's raw and timing")


class ResultPage(Shape):
    items: list[ResultShape]
    next: str | None


PLAIN = frozenset(ResultShape.model_fields) - {
    "session",
    "job",
    "client",
    "error",
    "placement",
    "excluded",
    "marked_invalid",
    "cells",
}


def shape(result: Result) -> ResultShape:
    """The result as the API tells it."""
    return ResultShape(
        session=str(result.session),
        job=str(result.job),
        client=str(result.client),
        error=ErrorShape(**result.error) if result.error else None,
        placement=PlacementShape(**result.placement) if result.placement else None,
        excluded=RemarkShape(**result.excluded) if result.excluded else None,
        marked_invalid=RemarkShape(**result.marked_invalid) if result.marked_invalid else None,
        cells=[_cell(cell) for cell in result.cells],
        **{name: getattr(result, name) for name in PLAIN},
    )


def _cell(cell: dict[str, Any]) -> CellShape:
    flags = cell["flags"]
    told = {"flags": list(flags), "flag_counts": dict(flags), "flag_sentences": flag_sentences(flags)}
    return CellShape(**{**cell, **told})


def whole(result: Result) -> WholeResultShape:
    """The result with its environment, drift and formulas."""
    names = {name for cell in result.cells for name in (*cell["metrics"], *cell["missing"])}
    return WholeResultShape(
        **dict(shape(result)),
        environment=publishing.environment(results.environment_of(result)),
        drift=_drifts(result),
        formulas={name: text for name, text in FORMULAS.items() if name in names},
    )


def _drifts(result: Result) -> dict[str, DriftShape | None]:
    headlines = {cell["cell"]: cell["headline"] for cell in result.cells}
    found: dict[str, DriftShape | None] = {}
    for block in results.samples_of(result):
        run = wire.decode(contract.CellRun, {"spec": block.spec, "samples": block.samples})
        found[block.cell] = _drift(statistics.drift(measured.of_run(result, run, headlines[block.cell])))
    return found


def _drift(one: statistics.Drift | None) -> DriftShape | None:
    if one is None:
        return None
    return DriftShape(
        n=one.n,
        change_percent=100 * one.change,
        per_sample_percent=100 * one.per_sample,
        drifted=one.drifted,
        steady=one.steady,
    )


def filters(query: ResultFilterQuery) -> ResultFilters:
    """The query as the filters that pages and API share."""
    plain = query.model_dump(include=set(ResultFilterQuery.model_fields) - {"valid", "result"})
    ids = None if query.result is None else tuple(query.result.split(","))
    return ResultFilters(**plain, ids=ids, valid=None if query.valid is None else query.valid == "true")


@router.get("/results", **open_to(Role.VIEWER, ResultPage, public=True))
def list_results(request: HttpRequest, query: FromQuery[ResultQuery]) -> ResultPage:
    """The results, newest first. A page can have fewer than `limit` and still a `next`, when few results match."""
    page = listing.results(filters(query), cursors.number_of(query.cursor), query.limit)
    return ResultPage(items=[shape(result) for result in page.items], next=cursors.after_number(page.next))


@router.get("/results/{result_id}", **open_to(Role.VIEWER, WholeResultShape, public=True))
def get_result(request: HttpRequest, result_id: str) -> WholeResultShape:
    """One result, with what it was measured on, how it drifted, and the formulas of its numbers."""
    return whole(results.find(result_id))


class TelemetryQuery(Shape):
    """`raw`: every reading of a long run too, not the selection that keeps each minimum, maximum and phase border."""

    raw: Truth = "false"


@router.get("/results/{result_id}/telemetry", **open_to(Role.VIEWER, Telemetry, public=True))
def get_telemetry(request: HttpRequest, result_id: str, query: FromQuery[TelemetryQuery]) -> dict[str, Any]:
    """The machine's readings while it ran: one list of values per quantity, all as long as `t_s`."""
    return results.telemetry_of(results.find(result_id), whole=query.raw == "true")
