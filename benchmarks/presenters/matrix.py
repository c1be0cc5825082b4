"""The models page: models × machines, with what is known of each pair."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bson import ObjectId

from agents.documents import ModelInstallation
from benchmarks.lifecycle import State
from benchmarks.presenters import stored
from benchmarks.presenters.matrix_cells import Cell, Column, cell_of, column, latest_valid
from benchmarks.presenters.stored import Stored

ROWS_SHOWN = 100
COLUMNS_OF_A_PAGE = 6
TESTED = {"yes": "run before", "no": "never run"}
LONGEST_QUERY = 200


@dataclass(frozen=True)
class Filters:
    """What of the matrix is shown; empty strings mean everything."""

    q: str = ""
    family: str = ""
    quantization: str = ""
    client: str = ""
    tested: str = ""
    everything: bool = False

    @classmethod
    def read(cls, query: Mapping[str, Any]) -> "Filters":
        """From a query string; what is not known is left out."""

        def text(name: str) -> str:
            return str(query.get(name) or "").strip()[:LONGEST_QUERY]

        tested = text("tested")
        return cls(
            text("q"),
            text("family"),
            text("quantization"),
            text("client"),
            tested if tested in TESTED else "",
            text("all") == "1",
        )

    @property
    def active(self) -> bool:
        return any((self.q, self.family, self.quantization, self.client, self.tested))


@dataclass(frozen=True)
class Row:
    name: str
    quantization: str | None
    size_bytes: int | None
    digests_differ: bool
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Matrix:
    columns: Sequence[Column]
    rows: Sequence[Row]
    total_models: int
    matching: int
    filters: Filters
    families: Sequence[str]
    quantizations: Sequence[str]
    machines: Sequence[Column] = field(default_factory=tuple)

    @property
    def is_wide(self) -> bool:
        """More columns than a page holds: the matrix then scrolls by itself, its heads in sight."""
        return len(self.columns) > COLUMNS_OF_A_PAGE

    @property
    def hidden(self) -> int:
        return self.matching - len(self.rows)


def matrix(filters: Filters, picked: Iterable[str] = ()) -> Matrix:
    """The matrix under these filters; three queries and one for the results of the models shown."""
    clients = stored.machines()
    contents = stored.hardware_of(client.hardware_config for client in clients)
    jobs = stored.open_jobs()
    busy = {job["client"] for job in jobs if job["state"] != State.QUEUED}
    columns = [column(client, contents.get(client.hardware_config or ""), client.id in busy) for client in clients]
    installed = _installed()
    names = _matching(installed, filters)
    names = _tested(names, filters)
    shown = names if filters.everything else names[:ROWS_SHOWN]
    results = _latest_by_pair(shown)
    active = {(job["client"], job["model"]): job["state"] for job in reversed(jobs)}
    seen = [each for each in columns if not filters.client or each.id == filters.client]
    chosen = set(picked)
    rows = [_row(name, installed[name], seen, results, active, chosen) for name in shown]
    models = [model for group in installed.values() for model in group.values()]
    return Matrix(
        columns=seen,
        rows=rows,
        total_models=len(installed),
        matching=len(names),
        filters=filters,
        families=sorted({model["family"] for model in models if model.get("family")}),
        quantizations=sorted({model["quantization"] for model in models if model.get("quantization")}),
        machines=columns,
    )


def _installed() -> dict[str, dict[ObjectId, Stored]]:
    """Every installation, by model name and client."""
    found: dict[str, dict[ObjectId, Stored]] = defaultdict(dict)
    for model in ModelInstallation._get_collection().find():
        found[model["name"]][model["client"]] = model
    return found


def _matching(installed: Mapping[str, Mapping[ObjectId, Stored]], filters: Filters) -> list[str]:
    words = filters.q.casefold().split()

    def keep(name: str, models: Iterable[Stored]) -> bool:
        kept = [model for model in models if _fits(model, filters)]
        return bool(kept) and all(word in name.casefold() for word in words)

    names = [name for name, models in installed.items() if keep(name, models.values())]
    return sorted(names, key=lambda name: (_size(installed[name]) or 0, name))


def _fits(model: Stored, filters: Filters) -> bool:
    return (
        (not filters.family or model.get("family") == filters.family)
        and (not filters.quantization or model.get("quantization") == filters.quantization)
        and (not filters.client or str(model["client"]) == filters.client)
    )


def _tested(names: list[str], filters: Filters) -> list[str]:
    if not filters.tested:
        return names
    run = {name for name, _ in _latest_by_pair(names)}
    return [name for name in names if (name in run) == (filters.tested == "yes")]


def _size(models: Mapping[ObjectId, Stored]) -> int | None:
    return max((model["size_bytes"] for model in models.values() if model.get("size_bytes")), default=None)


def _latest_by_pair(names: Sequence[str]) -> dict[tuple[str, ObjectId], list[Stored]]:
    """Results of these models by model and client, newest first."""
    found: dict[tuple[str, ObjectId], list[Stored]] = defaultdict(list)
    if names:
        for result in stored.results_where({"model": {"$in": list(names)}}):
            found[result["model"], result["client"]].append(result)
    return found


def _row(
    name: str,
    models: Mapping[ObjectId, Stored],
    columns: Sequence[Column],
    results: Mapping[tuple[str, ObjectId], Sequence[Stored]],
    active: Mapping[tuple[ObjectId, str], str],
    picked: set[str],
) -> Row:
    values = {}
    for each in columns:
        client = ObjectId(each.id)
        values[each.id] = latest_valid(results.get((name, client), ()), models.get(client))
    best = max((figure.value or 0.0 for _, figure in values.values() if figure), default=0.0)
    size = _size(models)
    cells = []
    for each in columns:
        client = ObjectId(each.id)
        known = results.get((name, client), ())
        model = models.get(client)
        job = active.get((client, name))
        cells.append(cell_of(name, each, model, size, known, values[each.id], best, job, picked))
    first = next(iter(models.values()))
    digests = {model["digest"] for model in models.values()}
    return Row(name, first.get("quantization"), size, len(digests) > 1, cells)
