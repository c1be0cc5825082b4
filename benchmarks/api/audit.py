"""The audit over the user API, for administrators: read only."""

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Query as FromQuery
from ninja import Router
from pydantic import Field, StringConstraints

from benchmarks.api import cursors
from benchmarks.api.callers import open_to
from benchmarks.api.shapes import Line, Moment, PageQuery, Shape, Time, Word
from obt_site.access import Role
from obt_site.audit import AuditEntry
from obt_site.auditing import log
from obt_site.auditing.export import plain
from obt_site.auditing.log import Filters

router = Router(tags=["audit"])
ActorKind = Literal["person", "token", "agent", "command", "system", "stranger"]


class AuditQuery(PageQuery):
    """All filters hold together. Entries come newest first."""

    actor: Annotated[Line, StringConstraints(min_length=1, max_length=200)] | None = Field(
        None, description="who did it, by the name as it stands in the entry"
    )
    actor_kind: ActorKind | None = None
    action: Word | None = Field(None, description="e.g. machine.rename")
    kind: Word | None = Field(None, description="what was changed: machine, session, job, result, person, token, …")
    about: Word | None = Field(None, description="the id of what was changed")
    since: Moment | None = Field(None, description="at this time or later")
    until: Moment | None = Field(None, description="before this time")
    text: Word | None = Field(None, description="in the sentence or a name, whatever its case")


class ActorShape(Shape):
    """Who did it: a person, an API token, a machine's agent, a command at the terminal, or the server itself."""

    kind: str
    name: str
    id: str | None
    address: str | None


class AboutShape(Shape):
    """What was changed, by the name it had then."""

    kind: str | None
    id: str | None
    name: str | None


class AuditShape(Shape):
    """One change. `before` and `after` hold what differs; `undoes` is the number of the change this one took back."""

    number: int
    at: Time
    actor: ActorShape
    request_id: str | None
    action: str
    words: str
    about: AboutShape
    before: dict[str, Any]
    after: dict[str, Any]
    undoes: int | None


class AuditPage(Shape):
    items: list[AuditShape]
    next: str | None


def shape(entry: AuditEntry) -> AuditShape:
    """The entry as the API tells it."""
    return AuditShape(**{**plain(entry), "at": entry.at})


@router.get("/audit", **open_to(Role.ADMIN, AuditPage))
def list_audit(request: HttpRequest, query: FromQuery[AuditQuery]) -> AuditPage:
    """Who changed what, when and from where, newest first. Nothing changes or removes an entry."""
    filters = Filters(**query.model_dump(exclude={"limit", "cursor"}))
    page = log.entries(filters, cursors.number_of(query.cursor), query.limit)
    return AuditPage(items=[shape(entry) for entry in page.items], next=cursors.after_number(page.next))
