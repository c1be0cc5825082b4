"""The order of the rows of the models page."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from bson import ObjectId

from benchmarks.presenters.matrix_cells import Known, Pair
from benchmarks.presenters.matrix_query import Query
from benchmarks.presenters.stored import Stored
from obt_site.formatting import aware

LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)

Models = Mapping[ObjectId, Stored]  # one name's installations, by machine


def in_order(models: Mapping[str, Models], told: Mapping[Pair, Known], query: Query) -> list[str]:
    """The names in the order asked for, equal ones by name; what has no such value comes last."""
    by_name = sorted(models, key=lambda name: (name.casefold(), name))
    return sorted(by_name, key=_order(models, told, query))


def _order(models: Mapping[str, Models], told: Mapping[Pair, Known], query: Query) -> Callable[[str], Any]:
    sign = -1.0 if query.metric.higher_is_better else 1.0

    def text(name: str, key: str) -> tuple[bool, str]:
        found = next((model[key] for model in models[name].values() if model.get(key)), "")
        return not found, str(found).casefold()

    def best(name: str, machine: str | None = None) -> tuple[bool, float]:
        found = best_of(name, models[name], told, query, machine)
        return found is None, sign * (found or 0.0)

    def seconds(name: str) -> float:
        times = (aware(one.last.created_at) for one in _of(name, models[name], told))
        return (max(times, default=LONG_AGO) - LONG_AGO).total_seconds()

    def size(name: str) -> tuple[bool, int]:
        found = size_of(models[name])
        return found is None, found or 0

    orders: dict[str, Callable[[str], Any]] = {
        "size": size,
        "-size": lambda name: (size(name)[0], -size(name)[1]),
        "name": lambda name: 0,
        "family": lambda name: text(name, "family"),
        "quantization": lambda name: text(name, "quantization"),
        "best": best,
        "latest": lambda name: -seconds(name),
        "-latest": seconds,
        "machines": lambda name: -len(models[name]),
    }
    return orders.get(query.sort, lambda name: best(name, query.sort))


def _of(name: str, models: Models, told: Mapping[Pair, Known]) -> list[Known]:
    return [known for client in models if (known := told.get((name, str(client)))) is not None]


def best_of(
    name: str, models: Models, told: Mapping[Pair, Known], query: Query, machine: str | None = None
) -> float | None:
    """The best number of a row, or the one of one machine."""
    pairs = [(name, str(client)) for client in models if machine in (None, str(client))]
    values = [known.spread.median for pair in pairs if (known := told.get(pair)) is not None and known.spread]
    return (max if query.metric.higher_is_better else min)(values, default=None)


def size_of(models: Models) -> int | None:
    """The largest of the sizes that machines tell."""
    return max((model["size_bytes"] for model in models.values() if model.get("size_bytes")), default=None)
