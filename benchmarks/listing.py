"""Pages of what grows without end: sessions and results, newest first, shared by the pages and the API.

Both have a `number` that only grows, and a page is what lies below the number it starts from. The database is asked in
windows of numbers that widen until the page is full: the embedded one reads every match of a range before it sorts, so
a range must be narrow. Each question is one index's whole key (one equality and the window, see
`obt_site/indexes.py`); the other filters are applied here, on what the window gave. A page that would read more than
MOST_READ documents ends early, with fewer items and a `next`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, Literal, TypeVar

from bson import ObjectId
from mongoengine import Document

from agents.documents import Event
from benchmarks import numbers
from benchmarks.documents import Job, Result, Session
from benchmarks.lifecycle import State

WIDEN_BY = 4
MOST_READ = 4000  # documents, about half a second on the embedded database
EVERY_AT_ONCE = 50
NUMBER_MAXIMUM = 2**63 - 1
JOB_STATES = [state.value for state in State]  # all: an index of machine and state is asked by both
CLOCK_SLACK = timedelta(minutes=5)  # numbers and times are given out one after the other, not at once

D = TypeVar("D", bound=Document)
Found = Mapping[str, Any]
Simulated = Literal["true", "false", "any"]
Excluded = Literal["with", "only"]
Outcome = Literal["succeeded", "failed", "timed_out", "cancelled", "any"]


@dataclass(frozen=True)
class Page(Generic[D]):
    """Items, newest first, and the number to ask below for the following page; None when there is none."""

    items: list[D]
    next: int | None


@dataclass(frozen=True)
class ResultFilters:
    """Which results. None lets everything through, but for two:

    `simulated` None: real results only, as soon as one exists (but all of a `session` that was asked for by its id).
    `outcome` None: whatever the outcome, if anything was measured (at least one cell). `client` and `session` are ids;
    `since` is included, `until` is not. `ids`: only these results, simulated or not. `excluded` None: without those
    that somebody has excluded, whatever else is asked.
    """

    client: str | None = None
    model: str | None = None
    digest: str | None = None
    family: str | None = None
    quantization: str | None = None
    suite: str | None = None
    cell: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    valid: bool | None = None
    session: str | None = None
    simulated: Simulated | None = None
    outcome: Outcome | None = None
    ollama_version: str | None = None
    ids: tuple[str, ...] | None = None
    excluded: Excluded | None = None


@dataclass(frozen=True)
class SessionFilters:
    """Which sessions. None and empty let everything through. `search`: words that are all in `#number name`, in any
    case. `client`: an id; sessions with a job on it."""

    states: frozenset[str] = frozenset()
    paused: bool | None = None
    by: str | None = None
    client: str | None = None
    search: str | None = None


INDEXED = ("session", "model", "digest", "client", "family", "quantization", "simulated")  # the most telling one first
COMPARED = (*INDEXED, "suite", "valid", "outcome", "ollama_version")
ASKED = dict.fromkeys((*COMPARED, "number", "created_at", "excluded", "cells.cell"), 1)  # what filters look at


def results(filters: ResultFilters, before: int | None, limit: int) -> Page[Result]:
    """At most `limit` results numbered below `before` (None: the newest)."""
    found, following = _results(filters, _wanted(filters), before, limit, None)
    return Page([Result._from_son(one) for one in found], following)


def result_ids(filters: ResultFilters, limit: int) -> list[str]:
    """The ids of at most `limit` results that fit, newest first."""
    wanted = _wanted(filters)
    ids: list[str] = []
    before: int | None = None
    while True:
        found, before = _results(filters, wanted, before, limit - len(ids), ASKED)
        ids += [one["_id"] for one in found]
        if before is None or len(ids) >= limit:
            return ids


def results_of(ids: Sequence[str]) -> Iterator[Result]:
    """The results with these ids in this order, read some at a time as they are asked for, but those that are gone."""
    for start in range(0, len(ids), EVERY_AT_ONCE):
        part = ids[start : start + EVERY_AT_ONCE]
        found = {one["_id"]: one for one in Result._get_collection().find({"_id": {"$in": list(part)}})}
        yield from (Result._from_son(found[each]) for each in part if each in found)


def _results(
    filters: ResultFilters, wanted: Mapping[str, Any], before: int | None, limit: int, only: Mapping[str, int] | None
) -> tuple[list[Found], int | None]:
    """What is stored of at most `limit` results, and the number to ask below for more."""

    def keep(found: Found) -> bool:
        return _passes(found, filters, wanted)

    if filters.ids is not None:
        return _named(filters.ids, keep, before, limit, only)
    indexed = next((name for name in INDEXED if name in wanted), None)
    equal = {indexed: wanted[indexed]} if indexed else {}
    return _numbered(Result, "results", equal, keep, before, limit, filters.since, only=only)


def _named(
    ids: Sequence[str], keep: Callable[[Found], bool], before: int | None, limit: int, only: Mapping[str, int] | None
) -> tuple[list[Found], int | None]:
    """The same of results that are named by their ids; those that are gone are left out."""
    found = Result._get_collection().find({"_id": {"$in": list(ids)}}, only)
    kept = [one for one in found if keep(one) and (before is None or one["number"] < before)]
    kept.sort(key=lambda one: -one["number"])
    return kept[:limit], kept[limit - 1]["number"] if len(kept) > limit else None


def sessions(before: int | None, limit: int, filters: SessionFilters | None = None) -> Page[Session]:
    """At most `limit` sessions numbered below `before` (None: the newest)."""
    wanted = filters or SessionFilters()
    within = _sessions_of(wanted.client) if wanted.client else None
    words = (wanted.search or "").casefold().split()

    def keep(found: Found) -> bool:
        if wanted.states and found.get("state") not in wanted.states:
            return False
        if wanted.paused is not None and bool(found.get("paused")) is not wanted.paused:
            return False
        if wanted.by is not None and found.get("created_by") != wanted.by:
            return False
        named = f"#{found['number']} {found.get('name', '')}".casefold()
        return all(word in named for word in words) and (within is None or found["_id"] in within)

    return numbered(Session, "sessions", {}, keep, before, limit)


def _sessions_of(client: str) -> set[ObjectId]:
    """The sessions with a job on this machine."""
    wanted = {"client": ObjectId(client), "state": {"$in": JOB_STATES}}
    return {job["session"] for job in Job._get_collection().find(wanted, {"session": 1})}


def events(
    before: int | None,
    limit: int,
    *,
    client: str | None = None,
    kind: str | None = None,
    since: datetime | None = None,
    after: int = 0,
) -> Page[Event]:
    """At most `limit` events numbered below `before` (None: the newest) and above `after`, of this machine, kind, and
    since then."""
    equal: dict[str, Any] = {"client": ObjectId(client)} if client else {"kind": kind} if kind else {}

    def keep(found: Found) -> bool:
        return (kind is None or found["kind"] == kind) and (since is None or found["at"] >= since)

    return numbered(Event, "events", equal, keep, before, limit, since, at="at", after=after)


def real_exists() -> bool:
    """Whether a real Ollama, not the simulator, has been measured."""
    return bool(numbered(Result, "results", {"simulated": False}, _counts, None, 1).items)


def _wanted(filters: ResultFilters) -> dict[str, Any]:
    """The filters that ask for equality, as they are stored."""
    wanted = {name: getattr(filters, name) for name in COMPARED if getattr(filters, name) is not None}
    for name in ("client", "session"):
        if name in wanted:
            wanted[name] = ObjectId(wanted[name])
    wanted.pop("simulated", None)
    if (simulated := _simulated(filters)) != "any":
        wanted["simulated"] = simulated == "true"
    if filters.outcome == "any":
        del wanted["outcome"]
    return wanted


def _simulated(filters: ResultFilters) -> Simulated:
    if filters.simulated is not None:
        return filters.simulated
    is_named = filters.session is not None or filters.ids is not None
    return "false" if not is_named and real_exists() else "any"


def _passes(found: Found, filters: ResultFilters, wanted: Mapping[str, Any]) -> bool:
    """The filters the index did not answer."""
    if filters.excluded != "with" and bool(found.get("excluded")) != (filters.excluded == "only"):
        return False
    if any(found.get(name) != value for name, value in wanted.items()):
        return False
    if filters.outcome is None and not _measured(found):
        return False
    if filters.cell is not None and all(cell["cell"] != filters.cell for cell in found.get("cells", ())):
        return False
    if filters.since is not None and found["created_at"] < filters.since:
        return False
    return filters.until is None or found["created_at"] < filters.until


def _measured(found: Found) -> bool:
    return bool(found.get("cells"))


def _counts(found: Found) -> bool:
    return _measured(found) and not found.get("excluded")


# -- windows ---------------------------------------------------------------------------------------------------------


def numbered(
    kind: type[D],
    counter: str,
    equal: Mapping[str, Any],
    keep: Callable[[Found], bool],
    before: int | None,
    limit: int,
    since: datetime | None = None,
    at: str = "created_at",
    after: int = 0,
) -> Page[D]:
    """At most `limit` documents that fit, newest first."""
    found, following = _numbered(kind, counter, equal, keep, before, limit, since, at, after)
    return Page([kind._from_son(one) for one in found], following)


def _numbered(
    kind: type[D],
    counter: str,
    equal: Mapping[str, Any],
    keep: Callable[[Found], bool],
    before: int | None,
    limit: int,
    since: datetime | None = None,
    at: str = "created_at",
    after: int = 0,
    only: Mapping[str, int] | None = None,
) -> tuple[list[Found], int | None]:
    """Windows downwards until the page and one more are found, the numbers end, time is up, or too much was read."""
    top = numbers.latest(counter) + 1
    items: list[Found] = []
    read = 0
    for low, high in _windows(top if before is None else min(before, top), limit + 1, after + 1):
        found = list(kind._get_collection().find({**equal, "number": {"$gte": low, "$lt": high}}, only))
        found.sort(key=lambda one: -one["number"])
        read += len(found)
        items += [one for one in found if keep(one)]
        if len(items) > limit:
            return items[:limit], items[limit - 1]["number"]
        if since is not None and found and found[-1][at] < since - CLOCK_SLACK:
            break
        if read >= MOST_READ and low > after + 1:
            return items, low
    return items, None


def _windows(high: int, width: int, lowest: int) -> Iterator[tuple[int, int]]:
    """[low, high) ranges of numbers from `high` down to `lowest`, each wider than the one before."""
    while high > lowest:
        low = max(lowest, high - width)
        yield low, high
        high, width = low, width * WIDEN_BY
