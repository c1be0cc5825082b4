"""Models over the user API: one row per name and content, wherever it is installed."""

from typing import Literal

from django.http import HttpRequest
from ninja import Query as FromQuery
from ninja import Router

from benchmarks import catalogue
from benchmarks.api import cursors
from benchmarks.api.callers import open_to
from benchmarks.api.shapes import Id, PageQuery, Shape, Word
from benchmarks.catalogue import ModelRow
from obt_site.access import Role

router = Router(tags=["models"])
Sort = Literal["name", "-name", "size", "-size", "clients", "-clients"]


class ModelQuery(PageQuery):
    """`search` is looked for in the name, in any case; the others are exact."""

    search: Word | None = None
    family: Word | None = None
    quantization: Word | None = None
    client: Id | None = None
    capability: Word | None = None
    sort: Sort = "name"


class ModelShape(Shape):
    """One model: its name and the digest of its content. `clients` are the ids of the machines that have it."""

    name: str
    digest: str
    size_bytes: int | None
    format: str | None
    family: str | None
    parameter_size: str | None
    quantization: str | None
    capabilities: list[str]
    context_length: int | None
    remote: bool
    clients: list[str]


class ModelPage(Shape):
    items: list[ModelShape]
    next: str | None


def shape(row: ModelRow) -> ModelShape:
    return ModelShape(**{name: getattr(row, name) for name in ModelShape.model_fields})


@router.get("/models", **open_to(Role.VIEWER, ModelPage, public=True))
def list_models(request: HttpRequest, query: FromQuery[ModelQuery]) -> ModelPage:
    """The models of all machines, one row per name and digest."""
    wanted = catalogue.ModelFilters(query.search, query.family, query.quantization, query.client, query.capability)
    rows = catalogue.rows(wanted, query.sort)
    if query.cursor is not None:
        rows = catalogue.after(rows, query.sort, _place(query.cursor))
    page = rows[: query.limit]
    more = len(rows) > query.limit
    return ModelPage(items=[shape(row) for row in page], next=_cursor(page[-1], query.sort) if more else None)


def _cursor(row: ModelRow, sort: str) -> str:
    return cursors.encode(*catalogue.place(row, sort))


def _place(cursor: str) -> catalogue.Place:
    """Where the page before ended: the sorted value, the name, the digest."""
    value, name, digest = cursors.decode(cursor, int, str, str)
    return int(value), str(name), str(digest)
