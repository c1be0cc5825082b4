"""The list of results: filters as a URL says them, rows grouped by model, one metric at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from bson import ObjectId

from agent.obt_agent import metrics
from agents.documents import Client
from benchmarks import listing
from benchmarks.documents import Result, Session
from benchmarks.headline import best_cell
from benchmarks.listing import ResultFilters
from benchmarks.presenters import figures, stored
from benchmarks.presenters.figures import Figure

METRICS = ("decode_rate", "prefill_rate", "ttft", "load_time")
SIMULATED_WORDS = {"any": "included", "true": "only", "false": "left out"}
LONGEST = 300  # characters of a filter's value
MOST_BEFORE = 2**53


@dataclass(frozen=True)
class Query:
    """What the address asks for. `ignored` says in words what of it was not understood."""

    filters: ResultFilters
    metric: str
    before: int | None
    params: Mapping[str, str]
    ignored: Sequence[str]

    def url(self, **changes: str | None) -> str:
        """This query with other values; None takes a filter away. Changing a filter starts from the first page."""
        changed = {key: value for key, value in self.params.items() if key != "before"}
        for key, value in changes.items():
            changed.pop(key, None)
            if value is not None:
                changed[key] = value
        return f"?{urlencode(changed)}"


@dataclass(frozen=True)
class Chip:
    """An active filter: what, which value, and the address without it."""

    word: str
    value: str
    without: str


@dataclass(frozen=True)
class ResultRow:
    """One result in the list, by the chosen metric."""

    id: str
    number: int
    client_name: str
    hardware: str | None
    figure: Figure | None
    flags: Sequence[tuple[str, str]]
    series: int | None
    simulated: bool
    valid: bool
    outcome: str
    error: str
    session_id: str
    session_number: int | None
    created_at: datetime
    ollama_version: str | None

    @property
    def missing(self) -> str:
        """Why there is no number, in words."""
        return self.error or (self.figure.reason if self.figure else "this metric was not measured")


@dataclass(frozen=True)
class Group:
    model: str
    about: str
    url: str
    rows: Sequence[ResultRow]


@dataclass(frozen=True)
class ResultList:
    """Everything the results page shows."""

    query: Query
    chips: Sequence[Chip]
    groups: Sequence[Group]
    count: int
    highest: float
    unit: str
    next_url: str | None
    simulated_hidden: bool
    nothing_at_all: bool
    metrics: Sequence[tuple[str, str, str]]  # name, word, address
    machines: Sequence[tuple[str, str]]
    models: Sequence[str]
    formula: str
    metric_word: str

    @property
    def with_simulated(self) -> str:
        return self.query.url(simulated="any")

    @property
    def first_url(self) -> str:
        return self.query.url()


def read_query(params: Mapping[str, Any]) -> Query:
    """Read a query string; what makes no sense is named and left out, never an error page."""
    given = {key: str(value).strip()[:LONGEST] for key, value in params.items() if str(value).strip()}
    ignored: list[str] = []
    filters = ResultFilters(
        client=_id(given, "client", "machine", ignored),
        model=given.get("model"),
        suite=given.get("suite"),
        cell=given.get("cell"),
        valid=_choice(given, "valid", {"true": True, "false": False}, ignored),
        session=_id(given, "session", "session", ignored),
        simulated=_choice(given, "simulated", {"any": "any", "true": "true", "false": "false"}, ignored),
    )
    metric = _choice(given, "metric", {name: name for name in METRICS}, ignored) or METRICS[0]
    before = given.get("before", "")
    number = int(before) if before.isdecimal() and before.isascii() and 0 < int(before) < MOST_BEFORE else None
    if before and number is None:
        ignored.append("the place in the list")
    known = {field.name for field in fields(ResultFilters)} | {"metric", "before"}
    return Query(filters, metric, number, {key: value for key, value in given.items() if key in known}, ignored)


def _id(given: dict[str, str], key: str, word: str, ignored: list[str]) -> str | None:
    value = given.get(key)
    if value is not None and not ObjectId.is_valid(value):
        ignored.append(f"the {word}, because “{value[:40]}” is no id")
        del given[key]
        return None
    return value


def _choice(given: dict[str, str], key: str, choices: Mapping[str, Any], ignored: list[str]) -> Any:
    value = given.get(key)
    if value is None:
        return None
    if value not in choices:
        ignored.append(f"“{key}”, which is one of {', '.join(choices)}")
        del given[key]
        return None
    return choices[value]


def result_list(query: Query, limit: int) -> ResultList:
    """The page of results this query asks for."""
    page = listing.results(query.filters, query.before, limit)
    clients = stored.machines()
    contents = stored.hardware_of(result.hardware_config for result in page.items)
    series = series_of(clients)
    rows = [(result, _row(result, query, contents, series)) for result in page.items]
    ends = [row.figure.high or row.figure.value for _, row in rows if row.figure and row.figure.value is not None]
    hidden = query.filters.simulated is None and listing.real_exists() and any_simulated()
    return ResultList(
        query=query,
        chips=_chips(query, clients),
        groups=_groups(rows, query),
        count=len(rows),
        highest=max((end for end in ends if end), default=0.0),
        unit=next((row.figure.unit for _, row in rows if row.figure and row.figure.unit), ""),
        next_url=None if page.next is None else query.url(before=str(page.next)),
        simulated_hidden=hidden,
        nothing_at_all=not stored.any_result(),
        metrics=[(name, figures.metric_word(name), query.url(metric=name)) for name in METRICS],
        machines=[(str(client.id), client.name) for client in clients],
        models=sorted({result.model for result in page.items}),
        formula=metrics.FORMULAS[query.metric],
        metric_word=figures.metric_word(query.metric),
    )


def any_simulated() -> bool:
    return Result._get_collection().find_one({"simulated": True}, {"_id": 1}) is not None


def series_of(clients: Sequence[Client]) -> dict[ObjectId, int]:
    """Each machine's colour, by when it joined, so that a new machine changes nobody's colour."""
    joined = sorted(clients, key=lambda client: (client.created_at, str(client.id)))
    return {client.id: place for place, client in enumerate(joined, start=1)}


def _row(result: Result, query: Query, contents: Mapping[str, Any], series: Mapping[ObjectId, int]) -> ResultRow:
    figure = _figure(result, query)
    return ResultRow(
        id=result.id,
        number=result.number,
        client_name=result.client_name or "a machine",
        hardware=stored.hardware_line(contents.get(result.hardware_config or "")),
        figure=figure,
        flags=_flags(result, figure),
        series=series.get(result.client),
        simulated=result.simulated,
        valid=result.valid,
        outcome=result.outcome,
        error=(result.error or {}).get("message") or "",
        session_id=str(result.session),
        session_number=result.session_number,
        created_at=result.created_at,
        ollama_version=result.ollama_version,
    )


def _figure(result: Result, query: Query) -> Figure | None:
    cells = result.cells
    if query.filters.cell:
        cells = [cell for cell in cells if cell["cell"] == query.filters.cell]
    cell = best_cell(cells, query.metric)
    if cell is not None:
        return figures.published(cell, query.metric)
    asked = [cell for cell in cells if metrics.HEADLINE.get(cell["kind"]) == query.metric]
    return figures.published(asked[0], query.metric) if asked else None


def _flags(result: Result, figure: Figure | None) -> list[tuple[str, str]]:
    """Remarks as (word, tone), most important first."""
    flags = []
    if result.outcome != "succeeded":
        flags.append((result.outcome.replace("_", " "), "bad"))
    if result.simulated:
        flags.append(("simulated", "warn"))
    share = (result.placement or {}).get("gpu_share")
    if share is not None and 0 < share < 99.5:
        flags.append((f"{share:.0f} % GPU", "warn"))
    left = figures.left_out([cell for cell in result.cells if figure and cell["cell"] == figure.cell])
    if left:
        flags.append((f"{left} left out", "warn"))
    return flags


def _groups(rows: Sequence[tuple[Result, ResultRow]], query: Query) -> list[Group]:
    """By model, the newest model first; in a group the best number first, then those without one."""
    better = query.metric in figures.HIGHER_IS_BETTER
    grouped: dict[str, list[tuple[Result, ResultRow]]] = {}
    for result, row in rows:
        grouped.setdefault(result.model, []).append((result, row))

    def rank(row: ResultRow) -> tuple[bool, float]:
        value = row.figure.value if row.figure else None
        return (value is None, 0.0 if value is None else (-value if better else value))

    return [
        Group(model, _about(having[0][0]), query.url(model=model), sorted((row for _, row in having), key=rank))
        for model, having in grouped.items()
    ]


def _about(result: Result) -> str:
    return ", ".join(part for part in (result.parameter_size, result.quantization) if part)


def _chips(query: Query, clients: Sequence[Client]) -> list[Chip]:
    filters = replace(query.filters)
    names = {str(client.id): client.name for client in clients}
    values = {
        "model": ("Model", filters.model),
        "client": ("Machine", names.get(filters.client or "", "removed machine") if filters.client else None),
        "session": ("Session", _session_name(filters.session)),
        "suite": ("Suite", filters.suite),
        "cell": ("Cell", filters.cell),
        "valid": ("Valid", None if filters.valid is None else ("only" if filters.valid else "none")),
        "simulated": ("Simulated", SIMULATED_WORDS.get(filters.simulated or "")),
    }
    return [Chip(word, value, query.url(**{key: None})) for key, (word, value) in values.items() if value]


def _session_name(session_id: str | None) -> str | None:
    if session_id is None:
        return None
    session = Session.objects(id=session_id).only("number").first()
    return f"#{session.number}" if session else "removed session"
