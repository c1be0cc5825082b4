"""The models of the fleet, one row per (name, digest): what the models page and the API list.

Installed models are as many as machines × models, so all of them are read for a list (by the machine's index when one
is asked for); what a row adds up only exists after that.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bson import ObjectId

from agents.documents import ModelInstallation

Place = tuple[int, str, str]


@dataclass(frozen=True)
class ModelFilters:
    """Which models. `search` is part of the name in any case, the others are exact; None lets everything through."""

    search: str | None = None
    family: str | None = None
    quantization: str | None = None
    client: str | None = None
    capability: str | None = None


@dataclass(frozen=True)
class ModelRow:
    """One model. `clients` are the ids of the machines that have it, oldest installation first."""

    name: str
    digest: str
    size_bytes: int | None
    format: str | None
    family: str | None
    parameter_size: str | None
    quantization: str | None
    capabilities: tuple[str, ...]
    context_length: int | None
    remote: bool
    clients: tuple[str, ...]


SORTED_BY: dict[str, Callable[[ModelRow], int]] = {
    "name": lambda row: 0,
    "size": lambda row: row.size_bytes or 0,
    "clients": lambda row: len(row.clients),
}


def rows(filters: ModelFilters, sort: str = "name") -> list[ModelRow]:
    """The models that pass, sorted by `name`, `size` or `clients`, `-` before it for descending."""
    groups: dict[tuple[str, str], list[ModelInstallation]] = {}
    for installed in _passing(filters):
        groups.setdefault((installed.name, installed.digest), []).append(installed)
    return in_order([_row(group) for group in groups.values()], sort)


def in_order(found: Iterable[ModelRow], sort: str) -> list[ModelRow]:
    """Rows by `sort`, equal ones by name; only `-name` turns the names around."""
    return sorted(found, key=lambda row: _key(place(row, sort)), reverse=sort == "-name")


def after(ordered: Sequence[ModelRow], sort: str, previous: Place) -> list[ModelRow]:
    """The rows that come after a place in this order, which need not be there any more."""
    start = _key(previous)
    if sort == "-name":
        return [row for row in ordered if _key(place(row, sort)) < start]
    return [row for row in ordered if _key(place(row, sort)) > start]


def place(row: ModelRow, sort: str) -> Place:
    """Where a row stands in an order: the sorted number (negative when descending), then name and digest."""
    number = SORTED_BY[sort.lstrip("-")](row)
    return (-number if sort.startswith("-") else number), row.name, row.digest


def _key(position: Place) -> tuple[int, str, str, str]:
    number, name, digest = position
    return number, name.casefold(), name, digest


def _passing(filters: ModelFilters) -> Iterable[ModelInstallation]:
    installed = (
        ModelInstallation.objects(client=ObjectId(filters.client)) if filters.client else ModelInstallation.objects
    )
    needle = (filters.search or "").casefold()
    for one in installed:
        if (
            needle in one.name.casefold()
            and filters.family in (None, one.family)
            and filters.quantization in (None, one.quantization)
            and (filters.capability is None or filters.capability in one.capabilities)
        ):
            yield one


def _row(group: Sequence[ModelInstallation]) -> ModelRow:
    newest = max(group, key=lambda one: one.seen_at)
    return ModelRow(
        name=newest.name,
        digest=newest.digest,
        size_bytes=newest.size_bytes,
        format=newest.format,
        family=newest.family,
        parameter_size=newest.parameter_size,
        quantization=newest.quantization,
        capabilities=tuple(newest.capabilities),
        context_length=newest.context_length,
        remote=newest.remote,
        clients=tuple(str(one.client) for one in sorted(group, key=lambda one: one.id)),
    )
