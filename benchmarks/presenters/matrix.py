"""The models page: models × machines, with what is known of each pair."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bson import ObjectId

from benchmarks import installed, shelf
from benchmarks.documents import Result
from benchmarks.lifecycle import State
from benchmarks.presenters import matrix_cells, matrix_query, stored
from benchmarks.presenters.matrix_cells import Cell, Column, Known, Pair
from benchmarks.presenters.matrix_order import Models, best_of, in_order, size_of
from benchmarks.presenters.matrix_query import SIZES, Query
from benchmarks.presenters.stored import Stored
from obt_site.asked import Asked
from obt_site.formatting import short_digest

ROWS_SHOWN = 50
DIGEST_IN_CELL = 7  # characters
COLUMNS_OF_A_PAGE = 6


@dataclass(frozen=True)
class Digest:
    """One of several models that have the same name, and the machines that have it."""

    short: str
    machines: str


@dataclass(frozen=True)
class Row:
    name: str
    quantization: str | None
    size_bytes: int | None
    digests: Sequence[Digest]  # where they differ
    cells: Sequence[Cell]

    @property
    def is_measured(self) -> bool:
        """Whether any of these machines has a result of it."""
        return any(cell.result for cell in self.cells)


@dataclass(frozen=True)
class Matrix:
    """`pairs`: how many cells of all matching rows can be chosen, those not shown too."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    total_models: int
    matching: int
    pairs: int
    query: Query
    families: Sequence[str] = ()
    quantizations: Sequence[str] = ()
    capabilities: Sequence[str] = ()
    labels: Sequence[str] = ()
    machines: Sequence[Column] = field(default_factory=tuple)
    earlier: str = ""
    later: str = ""

    @property
    def other_unit(self) -> str:
        """The unit of the numbers that are not in the metric's own: of embedding models; empty when none is shown."""
        return next((cell.own_unit for row in self.rows for cell in row.cells if cell.own_unit), "")

    @property
    def is_wide(self) -> bool:
        """More columns than a page holds: the matrix then scrolls by itself, its heads in sight."""
        return len(self.columns) > COLUMNS_OF_A_PAGE

    @property
    def is_narrow(self) -> bool:
        """One machine: nothing is compared, and the numbers stand beside the names."""
        return len(self.columns) == 1

    @property
    def first(self) -> int:
        return self.query.start + 1

    @property
    def last(self) -> int:
        return self.query.start + len(self.rows)

    @property
    def hidden(self) -> int:
        return self.matching - self.last

    @property
    def is_partial(self) -> bool:
        return self.matching > len(self.rows)


class Fleet:
    """What is installed where, read once for a page."""

    def __init__(self) -> None:
        self.clients = stored.machines()
        contents = stored.hardware_of(client.hardware_config for client in self.clients)
        self.jobs = stored.open_jobs()
        busy = {job["client"] for job in self.jobs if job["state"] != State.QUEUED}
        self.columns = [
            matrix_cells.column(client, contents.get(client.hardware_config or ""), client.id in busy)
            for client in self.clients
        ]
        self.labels = sorted({label for client in self.clients for label in client.labels}, key=str.casefold)
        self.models: dict[str, dict[ObjectId, Stored]] = defaultdict(dict)
        for client, models in installed.of(self.clients).items():
            for model in models:
                self.models[model["name"]][client] = model

    def seen(self, query: Query) -> list[Column]:
        """The machines that the query leaves."""
        return [
            column
            for column in self.columns
            if (not query.clients or column.id in query.clients) and (not query.label or query.label in column.labels)
        ]

    def matching(self, query: Query, columns: Sequence[Column]) -> dict[str, Models]:
        """The models that pass all filters but the one by results, each with its installations on these machines."""
        seen = {ObjectId(column.id) for column in columns}
        words = query.q.casefold().split()
        found: dict[str, Models] = {}
        for name, everywhere in self.models.items():
            here = {client: model for client, model in everywhere.items() if client in seen}
            folded = name.casefold()
            if all(word in folded for word in words) and _passes(here, query):
                found[name] = here
        return found


def _passes(models: Models, query: Query) -> bool:
    if query.differs and len({model["digest"] for model in models.values()}) < 2:
        return False
    return any(_fits(model, query) for model in models.values())


def _fits(model: Stored, query: Query) -> bool:
    return (
        query.family in (None, model.get("family"))
        and query.quantization in (None, model.get("quantization"))
        and (query.capability is None or query.capability in (model.get("capabilities") or ()))
        and (query.size is None or _is_of_size(model.get("size_bytes"), query.size))
    )


def _is_of_size(size_bytes: int | None, name: str) -> bool:
    _, low, high = SIZES[name]
    return size_bytes is not None and low < size_bytes and (high is None or size_bytes <= high)


def matrix(asked: Asked, picked: Iterable[str] = ()) -> Matrix:
    """The matrix that an address asks for; as many questions for many models as for few."""
    fleet = Fleet()
    query = matrix_query.read(asked, fleet.columns, fleet.labels)
    columns = fleet.seen(query)
    told, models = _told(fleet, query, columns)
    names = in_order(models, told, query)
    shown = names[query.start : query.start + ROWS_SHOWN]
    active = {(job["model"], str(job["client"])): str(job["state"]) for job in reversed(fleet.jobs)}
    chosen = set(picked)
    rows = [_row(name, models[name], columns, told, active, query, chosen) for name in shown]
    every = [model for group in fleet.models.values() for model in group.values()]
    start = query.start
    return Matrix(
        columns=columns,
        rows=_with_reasons(rows),
        total_models=len(fleet.models),
        matching=len(names),
        pairs=sum(len(_choosable(models[name])) for name in names),
        query=query,
        families=_values(every, "family"),
        quantizations=_values(every, "quantization"),
        capabilities=sorted({word for model in every for word in model.get("capabilities") or ()}),
        labels=fleet.labels,
        machines=fleet.columns,
        earlier=asked.url(**{"from": str(max(0, start - ROWS_SHOWN)) if start > ROWS_SHOWN else None}) if start else "",
        later=asked.url(**{"from": str(start + ROWS_SHOWN)}) if len(names) > start + ROWS_SHOWN else "",
    )


def picks(asked: Asked) -> list[str]:
    """Every model on every machine that an address's filters leave and that can be measured, also beyond one page."""
    fleet = Fleet()
    query = matrix_query.read(asked, fleet.columns, fleet.labels)
    _, models = _told(fleet, query, fleet.seen(query))
    return [f"{client}:{name}" for name in sorted(models) for client in _choosable(models[name])]


def _choosable(models: Models) -> list[ObjectId]:
    return [client for client, model in models.items() if stored.unsuitable(model) is None]


def _values(models: Iterable[Stored], name: str) -> list[str]:
    return sorted({model[name] for model in models if model.get(name)})


def _told(fleet: Fleet, query: Query, columns: Sequence[Column]) -> tuple[dict[Pair, Known], dict[str, Models]]:
    """What results tell of the matching pairs, and the models that are left when that is a filter too."""
    models = fleet.matching(query, columns)
    pairs = {(name, str(client)) for name, here in models.items() for client in here}
    told = matrix_cells.known(shelf.results(), pairs, query.metric)
    if query.tested:
        run = {name for name, _ in told}
        models = {name: here for name, here in models.items() if (name in run) == (query.tested == "yes")}
    return told, models


# -- rows --------------------------------------------------------------------------------------------------------------


def _row(
    name: str,
    models: Models,
    columns: Sequence[Column],
    told: Mapping[Pair, Known],
    active: Mapping[Pair, str],
    query: Query,
    picked: set[str],
) -> Row:
    size, best = size_of(models), best_of(name, models, told, query)
    cells = []
    for each in columns:
        pair, model = (name, each.id), models.get(ObjectId(each.id))
        known, job = told.get(pair), active.get(pair)
        cells.append(matrix_cells.cell_of(name, each, model, size, known, query.metric, best, job, picked))
    first, digests = next(iter(models.values())), _digests(models, columns)
    if digests:
        cells = [_with_digest(cell, models.get(ObjectId(each.id))) for cell, each in zip(cells, columns, strict=True)]
    return Row(name, first.get("quantization"), size, digests, cells)


def _with_digest(cell: Cell, model: Stored | None) -> Cell:
    """A number says which model it is of, where the name does not and there is nothing more important to say."""
    if model is None or cell.kind != "value" or cell.flag:
        return cell
    return replace(cell, flag=short_digest(model["digest"])[:DIGEST_IN_CELL])


def _digests(models: Models, columns: Sequence[Column]) -> list[Digest]:
    """Where one name stands for several models: which machines have which, the one that most have first."""
    names = {ObjectId(column.id): column.name for column in columns}
    having: dict[str, list[str]] = defaultdict(list)
    for client, model in models.items():
        having[model["digest"]].append(names[client])
    if len(having) < 2:
        return []
    ordered = sorted(having.items(), key=lambda item: (-len(item[1]), item[0]))
    return [Digest(short_digest(digest), ", ".join(sorted(machines))) for digest, machines in ordered]


def _with_reasons(rows: Sequence[Row]) -> list[Row]:
    """The rows with why their failed cells failed, in one query where there are any."""
    failed = [cell.result for row in rows for cell in row.cells if cell.kind == "failed"]
    if not failed:
        return list(rows)
    found = Result._get_collection().find({"_id": {"$in": failed}}, {"error": 1})
    errors = {each["_id"]: str((each.get("error") or {}).get("message") or "") for each in found}
    return [replace(row, cells=[matrix_cells.with_reason(cell, errors) for cell in row.cells]) for row in rows]
