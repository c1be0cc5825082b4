"""The list of sessions, newest first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from benchmarks import listing
from benchmarks.documents import Session
from benchmarks.listing import Found

SHOWS: Mapping[str, tuple[str, ...]] = {
    "all": (),
    "open": ("queued", "running"),
    "done": ("succeeded",),
    "failed": ("failed", "cancelled"),
}
SHOW_WORDS = (("all", "All"), ("open", "Open"), ("done", "Done"), ("failed", "Failed or cancelled"))
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
class SessionList:
    rows: Sequence[SessionRow]
    show: str
    next_before: int | None
    is_first_page: bool


def session_list(show: str, before: str, limit: int) -> SessionList:
    """The page of sessions below this number; a `before` that is no number is the first page."""
    show = show if show in SHOWS else "all"
    states = SHOWS[show]
    number = int(before) if before.isdecimal() and before.isascii() and 0 < int(before) < MOST_BEFORE else None

    def keep(found: Found) -> bool:
        return not states or found.get("state") in states

    page = listing.sessions(number, limit, keep)
    return SessionList([row(session) for session in page.items], show, page.next, number is None)


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
        state=session.state,
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
