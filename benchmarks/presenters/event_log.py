"""The page of events, and the newest ones of a machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bson import ObjectId
from django.urls import reverse

from agents import events
from agents.documents import Client, Event
from agents.events import Kind
from benchmarks import listing
from obt_site.asked import Asked
from obt_site.clock import now

PAGE = 50
MOST_NEW = 20  # events that are counted since a page was opened
NUMBER_MAXIMUM = 2**53
SINCE: Mapping[str, timedelta] = {
    "1h": timedelta(hours=1),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
SINCE_WORDS = {"1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days"}


@dataclass(frozen=True)
class EventLine:
    """One event. Ids are there where what they name has a page; a removed machine has none."""

    number: int
    at: datetime
    kind: Kind
    words: str
    client_id: str | None
    client_name: str | None
    session_id: str | None
    result_id: str | None
    simulated: bool = False  # of the demo


@dataclass(frozen=True)
class Choice:
    """One thing to filter by, as a link or an option."""

    value: str
    word: str
    url: str
    is_on: bool


@dataclass(frozen=True)
class EventPage:
    """Everything the page of events shows."""

    query: Asked
    lines: Sequence[EventLine]
    machines: Sequence[Choice]
    kinds: Sequence[Choice]
    since: Sequence[Choice]
    since_on: str | None
    all_times_url: str
    gone_machine: str | None  # a machine that was removed and is filtered by
    is_filtered: bool
    is_first: bool
    newest_url: str
    older_url: str | None
    live_query: str  # what the page asks for what comes after it


@dataclass(frozen=True)
class NewEvents:
    """What has happened since a list was opened: how many (at least, where there may be more), and the newest."""

    count: int
    has_more: bool
    words: str
    url: str  # the list with them


def event_page(query: Asked) -> EventPage:
    """The page that was asked for; two questions beside the windows of the list."""
    names = _machine_names()
    client = query.object_id("machine")
    if client is not None and client not in names and not _ever_seen(client):
        query.drop("machine", "is no machine here")
        client = None
    kind, since = _kind_and_since(query)
    before = query.number("before", 1, NUMBER_MAXIMUM)
    page = listing.events(before, PAGE, client=client, kind=kind, since=now() - SINCE[since] if since else None)
    return EventPage(
        query=query,
        lines=[_line(event, names) for event in page.items],
        machines=[Choice(each, name, query.url(machine=each, before=None), each == client) for each, name in
                  sorted(names.items(), key=lambda item: item[1].casefold())],
        kinds=[Choice(name, each.word, query.url(kind=name, before=None), name == kind)
               for name, each in events.KINDS.items()],
        since=[Choice(name, SINCE_WORDS[name], query.url(since=name, before=None), name == since) for name in SINCE],
        since_on=since,
        all_times_url=query.url(since=None, before=None),
        gone_machine=client if client not in names else None,
        is_filtered=bool(client or kind or since),
        is_first=before is None,
        newest_url=query.url(before=None),
        older_url=query.url(before=str(page.next)) if page.next else None,
        live_query=query.url(before=None, after=str(page.items[0].number if page.items else 0)),
    )  # fmt: skip


def new_events(query: Asked) -> NewEvents:
    """What the address of a page of events lets through and is newer than the number `after` in it; two questions."""
    client, (kind, since) = query.object_id("machine"), _kind_and_since(query)
    after = query.number("after", 0, NUMBER_MAXIMUM) or 0
    from_then = now() - SINCE[since] if since else None
    page = listing.events(None, MOST_NEW, client=client, kind=kind, since=from_then, after=after)
    words = page.items[0].words if page.items else ""
    url = f"{reverse('events')}{query.url(after=None)}"
    return NewEvents(len(page.items), page.next is not None, words, url)


def _kind_and_since(query: Asked) -> tuple[str | None, str | None]:
    kind = query.choice("kind", dict(zip(events.KINDS, events.KINDS, strict=True)), None)
    return kind, query.choice("since", dict(zip(SINCE, SINCE, strict=True)), None)


def latest_events(client: Client, limit: int) -> list[EventLine]:
    """The newest events of one machine."""
    names = {str(client.id): client.name}
    return [_line(event, names) for event in listing.events(None, limit, client=str(client.id)).items]


def _machine_names() -> dict[str, str]:
    found = Client._get_collection().find({}, {"name": 1})
    return {str(each["_id"]): each["name"] for each in found}


def _ever_seen(client: str) -> bool:
    """Whether a machine that is gone has left events behind."""
    return Event._get_collection().find_one({"client": ObjectId(client)}, {"_id": 1}) is not None


def _line(event: Event, names: Mapping[str, str]) -> EventLine:
    client = str(event.client) if event.client else None
    return EventLine(
        number=event.number,
        at=event.at,
        kind=events.KINDS.get(event.kind, Kind(event.kind.replace("_", " "))),
        words=event.words,
        client_id=client if client in names else None,
        client_name=names.get(client or "", event.client_name or ""),
        session_id=str(event.session) if event.session else None,
        result_id=event.result,
        simulated=bool(event.data.get("simulated")),
    )
