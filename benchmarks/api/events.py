"""What happened, over the user API: the log of machines, sessions and jobs in sentences."""

from typing import Annotated

from django.http import HttpRequest
from ninja import Query as FromQuery
from ninja import Router
from pydantic import AfterValidator, Field
from pydantic import WithJsonSchema as JsonSchema

from agents.documents import Event
from agents.events import KINDS
from benchmarks import listing
from benchmarks.api import cursors
from benchmarks.api.callers import open_to
from benchmarks.api.shapes import Id, Moment, PageQuery, Shape, Time
from obt_site.access import Role

router = Router(tags=["events"])


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"must be one of {', '.join(KINDS)}")
    return kind


KindName = Annotated[str, AfterValidator(_known), JsonSchema({"type": "string", "enum": list(KINDS)})]


class EventQuery(PageQuery):
    """All filters hold together. Events come newest first; only the newest 20,000 are kept."""

    client: Id | None = Field(None, description="of one machine, also of one that was removed")
    kind: KindName | None = None
    since: Moment | None = Field(None, description="at this time or later")


class EventShape(Shape):
    """One thing that happened. Ids may be of things that are gone; `words` stands without them."""

    number: int
    at: Time
    kind: str
    words: str
    client: str | None
    client_name: str | None
    session: str | None
    job: str | None
    result: str | None


class EventPage(Shape):
    items: list[EventShape]
    next: str | None


def shape(event: Event) -> EventShape:
    """The event as the API tells it."""
    return EventShape(
        number=event.number,
        at=event.at,
        kind=event.kind,
        words=event.words,
        client=str(event.client) if event.client else None,
        client_name=event.client_name,
        session=str(event.session) if event.session else None,
        job=str(event.job) if event.job else None,
        result=event.result,
    )


@router.get("/events", **open_to(Role.VIEWER, EventPage))
def list_events(request: HttpRequest, query: FromQuery[EventQuery]) -> EventPage:
    """What happened, newest first."""
    before = cursors.number_of(query.cursor)
    page = listing.events(before, query.limit, client=query.client, kind=query.kind, since=query.since)
    return EventPage(items=[shape(event) for event in page.items], next=cursors.after_number(page.next))
