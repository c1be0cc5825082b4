"""Two sets of results compared over the user API."""

from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

from django.http import HttpRequest
from ninja import Query as FromQuery
from ninja import Router
from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from benchmarks import compare, conditions
from benchmarks.api import problems, results
from benchmarks.api.callers import open_to
from benchmarks.api.shapes import Line, Query, Shape, flag_sentences
from benchmarks.compare import Row, Side
from benchmarks.conditions import Difference
from benchmarks.listing import ResultFilters
from benchmarks.pairing import HIGHER_IS_BETTER
from benchmarks.statistics import Verdict
from obt_site.access import Role

router = Router(tags=["results"])
FILTER_LENGTH = 2000
MOST_PARTS = 20  # of a filter
FILTERS = frozenset(results.ResultFilterQuery.model_fields)
FilterText = Annotated[Line, StringConstraints(min_length=1, max_length=FILTER_LENGTH)]


def _known_metric(name: str) -> str:
    if name not in HIGHER_IS_BETTER:
        raise ValueError(f"must be one of {', '.join(HIGHER_IS_BETTER)}")
    return name


def _known_groups(text: str) -> str:
    unknown = [group for group in text.split(",") if group not in conditions.GROUPS]
    if unknown:
        raise ValueError(f"must be some of {', '.join(conditions.GROUPS)}, with commas between")
    return text


class CompareQuery(Query):
    """Both filters are written as the query of `results`: `model=llama3.2:3b&since=2026-01-31T00:00:00Z`, encoded."""

    base: FilterText = Field(description="the results to compare with, as a query of results, URL-encoded")
    other: FilterText = Field(alias="with", description="the results that are faster or slower, likewise")
    about: Annotated[Line, StringConstraints(max_length=FILTER_LENGTH), AfterValidator(_known_groups)] | None = Field(
        None,
        description=(
            f"which conditions may differ: some of {', '.join(conditions.GROUPS)}, with commas between;"
            " left out: what the filters name differently (machine, model, ollama); of results that are named by id,"
            " whatever differs"
        ),
    )
    metric: Annotated[Line, AfterValidator(_known_metric)] | None = Field(
        None, description="compare by this metric; left out: each cell's headline"
    )


class SideShape(Shape):
    """What one side brought: `n` values with their median, and the ids of the results they are from, newest first.

    `low` to `high` is a 95 % interval of the median, or with too few values their range. `left_out` counts results
    that match and were not used: of other conditions, or older than the one session that was used. `flags`: the gates
    that samples of the used results' cell failed; those samples do not count.
    """

    results: list[str]
    left_out: int
    client_name: str | None
    model: str
    ollama_version: str | None
    n: int
    median: float | None
    low: float | None
    high: float | None
    flags: list[str]
    flag_sentences: dict[str, str]


class DifferenceShape(Shape):
    """A condition in which the two sides differ."""

    condition: str
    group: str
    base: str
    other: str = Field(serialization_alias="with")
    sentence: str


class RowShape(Shape):
    """One cell, `with` against `base`.

    `change_percent` is the median of all ratios between the sides, less one; `low_percent` to `high_percent` its 95 %
    interval. `p` is the two-sided Mann–Whitney test's, `p_corrected` that for all tests of this answer together.
    Faster or slower needs `p_corrected` below 0.05 and a change of at least 3 %. What is null is explained in
    `reasons`. `varied`: the differences that the comparison is about.
    """

    client: str | None
    model: str | None
    cell: str
    metric: str
    unit: str
    higher_is_better: bool
    base: SideShape | None
    other: SideShape | None = Field(serialization_alias="with")
    compared: Literal["session medians", "samples"] | None
    change_percent: float | None
    low_percent: float | None
    high_percent: float | None
    coverage: float | None
    p: float | None
    p_corrected: float | None
    method: str | None
    verdict: Verdict
    reasons: list[str]
    varied: list[DifferenceShape]


class ComparisonShape(Shape):
    """The rows by machine, model and cell. `…_has_more`: only the newest results of that side were read."""

    about: list[str]
    rows: list[RowShape]
    base_has_more: bool
    with_has_more: bool


def both(texts: dict[str, str]) -> list[ResultFilters]:
    """The filters as they stand in `base` and `with`; raises Invalid with an error per field, named `base.client`."""
    read = [read_filter(name, text) for name, text in texts.items()]
    wrong = [problem for _, found in read for problem in found]
    if wrong:
        raise problems.invalid(wrong)
    return [filters for filters, _ in read]


def read_filter(name: str, text: str) -> tuple[ResultFilters, list[dict[str, Any]]]:
    """A filter, and what is wrong with it as pydantic says such things."""
    nothing = ResultFilters()
    try:
        parts = parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=MOST_PARTS, errors="strict")
    except ValueError:
        return nothing, [_problem(name, "is not a query such as model=llama3.2:3b&client=…")]
    names = [part for part, _ in parts]
    wrong = [
        _problem(f"{name}.{part}", f"is no filter of results; there is {', '.join(sorted(FILTERS))}")
        for part in dict.fromkeys(names)
        if part not in FILTERS
    ]
    wrong += [
        _problem(f"{name}.{part}", "is given more than once") for part in dict.fromkeys(names) if names.count(part) > 1
    ]
    if wrong:
        return nothing, wrong
    try:
        return results.filters(results.ResultFilterQuery.model_validate(dict(parts))), []
    except ValidationError as error:
        found: list[Any] = error.errors(include_url=False)
        return nothing, [{**one, "loc": (name, *one["loc"])} for one in found]


@router.get("/compare", by_alias=True, **open_to(Role.VIEWER, ComparisonShape, public=True))
def compare_results(request: HttpRequest, query: FromQuery[CompareQuery]) -> ComparisonShape:
    """Two sets of results, cell by cell: what changed, how certainly, or why the two cannot be compared."""
    about = None if query.about is None else query.about.split(",")
    base, other = both({"base": query.base, "with": query.other})
    found = compare.compare(base, other, about, query.metric)
    return ComparisonShape(
        about=list(found.about),
        rows=[_row(row) for row in found.rows],
        base_has_more=found.base_has_more,
        with_has_more=found.other_has_more,
    )


def _problem(field: str, message: str) -> dict[str, Any]:
    return {"loc": (field,), "type": "value_error", "ctx": {"error": message}, "msg": message}


def _row(row: Row) -> RowShape:
    change, test = row.change, row.test
    return RowShape(
        client=row.place.client,
        model=row.place.model,
        cell=row.place.cell,
        metric=row.place.metric,
        unit=row.unit,
        higher_is_better=HIGHER_IS_BETTER[row.place.metric],
        base=_side(row.base, row.place.cell),
        other=_side(row.other, row.place.cell),
        compared=row.compared,  # type: ignore[arg-type]
        change_percent=_percent(change.change if change else None),
        low_percent=_percent(change.low if change else None),
        high_percent=_percent(change.high if change else None),
        coverage=change.coverage if change else None,
        p=test.p if test else None,
        p_corrected=row.p_corrected,
        method=test.method if test else None,
        verdict=row.verdict,
        reasons=list(row.reasons),
        varied=[_difference(one) for one in row.varied],
    )


def _side(side: Side | None, cell: str) -> SideShape | None:
    if side is None:
        return None
    newest, summary = side.used[0], side.summary
    failed = [flag for result in side.used for one in result.cells if one["cell"] == cell for flag in one["flags"]]
    flags = list(dict.fromkeys(failed))
    return SideShape(
        results=[result.id for result in side.used],
        left_out=side.left_out,
        client_name=newest.client_name,
        model=newest.model,
        ollama_version=newest.ollama_version,
        n=len(side.values),
        median=summary.median if summary else None,
        low=summary.low if summary else None,
        high=summary.high if summary else None,
        flags=flags,
        flag_sentences=flag_sentences(flags),
    )


def _difference(one: Difference) -> DifferenceShape:
    said = conditions.words(one.name)[1]
    return DifferenceShape(condition=said, group=one.group, base=one.base, other=one.other, sentence=one.sentence)


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
