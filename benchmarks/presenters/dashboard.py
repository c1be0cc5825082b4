"""Home: what runs, what finished lately, what needs attention, and which machine is how fast."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from benchmarks import listing
from benchmarks.documents import Session
from benchmarks.presenters import leaderboard, session_list, stored
from benchmarks.presenters.ground import Ground, LatestResult, ground, latest_of
from benchmarks.presenters.leaderboard import SIZES, Board
from benchmarks.presenters.machines import MachineRow, Sentence, plural
from benchmarks.presenters.session_list import SessionRow
from obt_site.asked import Asked
from obt_site.clock import now

FINISHED_SHOWN = 6
SESSIONS_READ = 20
RESULTS_SHOWN = 6
FAILED_SHOWN = 4
LATELY = timedelta(days=7)
OPEN = ["queued", "running"]


@dataclass(frozen=True)
class Running:
    """A session that has not ended, and what its machines do for it now."""

    session: SessionRow
    machines: Sequence[MachineRow]


@dataclass(frozen=True)
class BoardRow:
    """A machine on the board. `series`: its colour, the same on every page."""

    place: leaderboard.Place
    hardware: str | None
    series: int | None


@dataclass(frozen=True)
class Home:
    """Everything the home page shows. `step` is the step of the first run that is next; None when it is over."""

    query: Asked
    summary: str
    has_models: bool
    step: int | None
    running: Sequence[Running]
    finished: Sequence[SessionRow]
    latest: Sequence[LatestResult]
    needs: Sequence[Sentence]
    board: Board
    rows: Sequence[BoardRow]
    unmeasured: Sequence[str]  # machines that are not on the board
    model: str | None
    size: str | None
    models: Sequence[str]
    sizes: Sequence[tuple[str, str]]

    @property
    def size_word(self) -> str:
        return SIZES[self.size][0] if self.size else ""


def home(query: Asked) -> Home:
    """As stored now. Whatever there is, the number of questions is the same."""
    found = ground()
    model, size = _choice(query, found)
    board = (
        leaderboard.of_size(found.by_model, size, found.names)
        if size
        else leaderboard.of_model(found.by_model, model or "", found.names)
    )
    hardware, series = {each.id: each.hardware for each in found.rows}, stored.series_of(found.clients)
    ranked = {place.client_id for place in board.places}
    recent = listing.sessions(None, SESSIONS_READ).items
    ended = [session for session in recent if session.finished_at is not None]
    return Home(
        query=query,
        summary=found.summary,
        has_models=found.has_models,
        step=None if found.results or found.jobs else 2 if found.rows else 1,
        running=_running(found),
        finished=[session_list.row(session) for session in ended[:FINISHED_SHOWN]],
        latest=[latest_of(one) for one in found.results[:RESULTS_SHOWN]],
        needs=[*found.needs, *_failed(ended), *_invalid(found), *_digests(found)],
        board=board,
        rows=[BoardRow(place, hardware.get(place.client_id), series.get(place.client_id)) for place in board.places],
        unmeasured=[each.name for each in found.rows if each.id not in ranked],
        model=model,
        size=size,
        models=leaderboard.offered(found.by_model),
        sizes=[(name, word) for name, (word, _, _) in SIZES.items()],
    )


def _choice(query: Asked, found: Ground) -> tuple[str | None, str | None]:
    """The model or the size class that is compared by; a size wins where both are asked for."""
    size = query.choice("size", {name: name for name in SIZES}, None)
    model = query.text("model")
    if model is not None and model not in found.by_model:
        query.drop("model", "has no valid result on any machine here")
        model = None
    return (None, size) if size else (model or found.reference_model, None)


def _running(found: Ground) -> list[Running]:
    """Open sessions, oldest first: the order in which their machines take them."""
    open_ones = Session._get_collection().find({"state": {"$in": OPEN}})
    sessions = sorted((Session._from_son(each) for each in open_ones), key=lambda session: session.number)
    at_work: dict[str, list[MachineRow]] = {}
    for each in found.rows:
        if each.work is not None:
            at_work.setdefault(each.work.session_id, []).append(each)
    return [Running(session_list.row(session), at_work.get(str(session.id), [])) for session in sessions]


# -- what needs attention -------------------------------------------------------------------------------------------


def _failed(ended: Sequence[Session]) -> list[Sentence]:
    since = now() - LATELY
    failed = [session for session in ended if session.state == "failed" and session.finished_at > since]
    return [_failure(session) for session in failed[:FAILED_SHOWN]]


def _failure(session: Session) -> Sentence:
    counts: Mapping[str, Any] = session.counts or {}
    jobs = sum(counts.values())
    fact = f"#{session.number} {session.name}: {counts.get('failed', 0)} of {plural(jobs, 'job')} failed"
    return Sentence("bad", fact, session.finished_at, "", reverse("session", args=[session.id]), "See why")


def _invalid(found: Ground) -> list[Sentence]:
    since = now() - LATELY
    count = sum(one.created_at > since and not one.valid and one.outcome == "succeeded" for one in found.results)
    if not count:
        return []
    is_or_are = "is" if count == 1 else "are"
    fact = f"{plural(count, 'result')} of the last seven days {is_or_are} not valid"
    url = f"{reverse('results')}?{urlencode({'valid': 'false'})}"
    return [Sentence("warn", fact, None, "Some cell has no number that may be compared.", url, "See them")]


def _digests(found: Ground) -> list[Sentence]:
    """Models whose latest results on two machines are of different content under one name."""
    differing = [
        model for model, by_client in found.by_model.items() if len({one.digest for one in by_client.values()}) > 1
    ]
    if not differing:
        return []
    first = max(differing, key=lambda model: (len(found.by_model[model]), model))
    more = f" and {plural(len(differing) - 1, 'other model')}" if len(differing) > 1 else ""
    was = "were" if more else "was"
    url = f"{reverse('results')}?{urlencode({'model': first})}"
    words = "Their numbers do not compare machines only."
    return [Sentence("warn", f"{first}{more} {was} measured with different digests", None, words, url, "See results")]
