"""The list of sessions, newest first, by state, machine, person and name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth import get_user_model
from django.urls import reverse

from agents.documents import Client
from benchmarks import listing
from benchmarks.documents import Session
from benchmarks.listing import SessionFilters
from obt_site.asked import Asked

SHOWS: Mapping[str, tuple[str, ...]] = {
    "all": (),
    "open": ("queued", "running"),
    "paused": ("queued", "running"),
    "done": ("succeeded",),
    "failed": ("failed", "cancelled"),
}
SHOW_WORDS = {"all": "All", "open": "Open", "paused": "Paused", "done": "Done", "failed": "Failed or cancelled"}
MOST_BEFORE = 2**53


@dataclass(frozen=True)
class SessionRow:
    """One session in the list. Shares are of 1."""

    id: str
    number: int
    name: str
    state: str
    budget: str
    created_by: str | None
    created_at: datetime
    finished_at: datetime | None
    jobs: int
    succeeded: int
    failed: int
    done_share: float
    running_share: float
    failed_share: float
    took_s: float | None


@dataclass(frozen=True)
class Choice:
    """One value of a filter: what it says and whether it is chosen."""

    value: str
    word: str
    chosen: bool


@dataclass(frozen=True)
class Shown:
    """One way to narrow by state: the address that does it."""

    word: str
    url: str
    chosen: bool


@dataclass(frozen=True)
class SessionList:
    """A page of the list. `is_narrowed`: a filter is on, so that none found does not mean none there."""

    rows: Sequence[SessionRow]
    filters: SessionFilters
    show: str
    shows: Sequence[Shown]
    text: str
    machines: Sequence[Choice]
    people: Sequence[Choice]
    is_narrowed: bool
    is_first_page: bool
    newest_url: str
    older_url: str | None


def session_list(query: Asked, limit: int) -> SessionList:
    """The page that the address asks for; what makes no sense in it is left out and said by `query.ignored`."""
    show = query.choice("show", {name: name for name in SHOWS}, "all")
    text, person = query.text("q") or "", query.text("by")
    before = query.number("before", 1, MOST_BEFORE)
    clients = sorted(Client.objects.only("name"), key=lambda client: client.name.casefold())
    machine = _machine(query, clients)
    filters = SessionFilters(frozenset(SHOWS[show]), True if show == "paused" else None, person, machine, text)
    page = listing.sessions(before, limit, filters)
    return SessionList(
        rows=[row(session) for session in page.items],
        filters=filters,
        show=show,
        shows=[
            Shown(word, _address(query, show=None if name == "all" else name, before=None), name == show)
            for name, word in SHOW_WORDS.items()
        ],
        text=text,
        machines=[Choice(str(one.id), one.name, str(one.id) == machine) for one in clients],
        people=[Choice(name, name, name == person) for name in _people(person)],
        is_narrowed=bool(show != "all" or text or person or machine),
        is_first_page=before is None,
        newest_url=_address(query, before=None),
        older_url=_address(query, before=str(page.next)) if page.next else None,
    )


def _address(query: Asked, **changes: str | None) -> str:
    return f"{reverse('sessions')}{query.url(**changes)}".removesuffix("?")


def _machine(query: Asked, clients: Sequence[Client]) -> str | None:
    asked = query.object_id("machine")
    if asked is None or any(str(client.id) == asked for client in clients):
        return asked
    query.drop("machine", "is no machine that is there now")
    return None


def _people(chosen: str | None) -> list[str]:
    """Those with an account, and whom the address names."""
    names = set(get_user_model().objects.values_list("username", flat=True)) | ({chosen} if chosen else set())
    return sorted(names, key=str.casefold)


def row(session: Session) -> SessionRow:
    """A session in one line."""
    counts = session.counts or {}
    jobs = sum(counts.values())
    total = max(jobs, 1)
    took = session.finished_at - session.started_at if session.finished_at and session.started_at else None
    ended = counts.get("succeeded", 0) + counts.get("cancelled", 0)
    return SessionRow(
        id=str(session.id),
        number=session.number,
        name=session.name,
        state="paused" if session.paused else session.state,
        budget=session.budget,
        created_by=session.created_by,
        created_at=session.created_at,
        finished_at=session.finished_at,
        jobs=jobs,
        succeeded=counts.get("succeeded", 0),
        failed=counts.get("failed", 0),
        done_share=ended / total,
        running_share=counts.get("running", 0) / total,
        failed_share=counts.get("failed", 0) / total,
        took_s=took.total_seconds() if took is not None else None,
    )
