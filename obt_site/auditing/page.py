"""What the pages of the audit show: the list under its filters, and one entry with what it changed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from bson import ObjectId
from django.urls import reverse

from agents.documents import Client
from benchmarks.documents import Job, Result, Session
from obt_site import actor
from obt_site.asked import Asked
from obt_site.audit import AuditEntry
from obt_site.auditing import log, undo
from obt_site.auditing.log import Filters
from obt_site.clock import rfc3339

PAGE = 50
NUMBER_MAXIMUM = 2**53
LONGEST_VALUE = 400  # characters of a value on a page
KINDS = {
    "machine": "Machine", "session": "Session", "job": "Job", "result": "Result", "person": "Person",
    "token": "API token", "enrolment": "Enrolment", "view": "Saved view", "demo": "Demo", "group": "Role",
    "data": "Data",
}  # fmt: skip
ACTORS = {
    actor.PERSON: "A person", actor.TOKEN: "An API token", actor.AGENT: "A machine", actor.COMMAND: "A command",
    actor.SYSTEM: "The server",
}  # fmt: skip
PAGES = {"machine": (Client, "machine"), "session": (Session, "session"), "result": (Result, "result")}


@dataclass(frozen=True)
class Line:
    """One entry in the list. `url` leads to what was changed, where it has a page and is still there."""

    entry: AuditEntry
    url: str | None
    actor_url: str
    about_url: str | None

    @property
    def actor_word(self) -> str:
        return ACTORS.get(self.entry.actor_kind, str(self.entry.actor_kind))


@dataclass(frozen=True)
class Changed:
    """One value that a change has changed, as text; None where there was, or is, none."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class AuditPage:
    """Everything the page of the audit shows."""

    query: Asked
    filters: Filters
    lines: Sequence[Line]
    actions: Sequence[str]
    kinds: Sequence[tuple[str, str]]
    actors: Sequence[str]
    actor_kinds: Sequence[tuple[str, str]]
    is_first: bool
    newest_url: str
    older_url: str | None
    everything_url: str
    csv_url: str
    jsonl_url: str

    @property
    def is_filtered(self) -> bool:
        return self.filters != Filters()

    @property
    def about_name(self) -> str:
        """What the thing was called last that the list is about."""
        return next((line.entry.about_name for line in self.lines if line.entry.about_name), None) or "one thing"

    @property
    def until_day(self) -> datetime | None:
        """The last day of the list."""
        return None if self.filters.until is None else self.filters.until - timedelta(days=1)


@dataclass(frozen=True)
class EntryView:
    """One entry. `why_not` says why it cannot be taken back; None when it can."""

    line: Line
    changed: Sequence[Changed]
    why_not: str | None
    kind_word: str


def read_filters(query: Asked) -> Filters:
    """The filters that stand in an address."""
    until = query.day("until")
    return Filters(
        actor=query.text("by"),
        actor_kind=query.choice("as", {kind: kind for kind in ACTORS}, None),
        action=query.text("action"),
        kind=query.text("kind"),
        about=query.text("about"),
        since=query.day("since"),
        until=None if until is None else until + timedelta(days=1),
        text=query.text("q"),
    )


def audit_page(query: Asked) -> AuditPage:
    """The page that was asked for; a few questions beside the windows of the list."""
    filters, seen = read_filters(query), log.seen()
    before = query.number("before", 1, NUMBER_MAXIMUM)
    page = log.entries(filters, before, PAGE)
    here = query.url(before=None)
    kinds = sorted({*seen.kinds, *([filters.kind] if filters.kind else [])})
    return AuditPage(
        query=query,
        filters=filters,
        lines=_lines(page.items),
        actions=sorted({*seen.actions, *([filters.action] if filters.action else [])}),
        kinds=[(kind, KINDS.get(kind, kind.capitalize())) for kind in kinds],
        actors=seen.actors,
        actor_kinds=list(ACTORS.items()),
        is_first=before is None,
        newest_url=here,
        older_url=query.url(before=str(page.next)) if page.next else None,
        everything_url=query.url(about=None, before=None),
        csv_url=reverse("audit_csv") + here,
        jsonl_url=reverse("audit_jsonl") + here,
    )


def address(**filters: str) -> str:
    """The audit under these filters."""
    return f"{reverse('audit')}?{urlencode(filters)}"


def entry_view(entry: AuditEntry) -> EntryView:
    """One entry as its page shows it."""
    names = [*entry.before, *(name for name in entry.after if name not in entry.before)]
    changed = [Changed(name, _text(entry.before, name), _text(entry.after, name)) for name in names]
    kind = KINDS.get(entry.about_kind or "", (entry.about_kind or "").capitalize())
    return EntryView(_lines([entry])[0], changed, undo.why_not(entry), kind)


def _lines(entries: Sequence[AuditEntry]) -> list[Line]:
    urls = _urls(entries)
    return [
        Line(
            entry=entry,
            url=urls.get((entry.about_kind, entry.about_id)),
            actor_url=address(by=entry.actor_name),
            about_url=address(about=entry.about_id) if entry.about_id else None,
        )
        for entry in entries
    ]


def _urls(entries: Iterable[AuditEntry]) -> dict[tuple[str | None, str | None], str]:
    """The pages of what was changed, one question for each kind; a job's is its session's."""
    ids: dict[str, set[str]] = {}
    for entry in entries:
        if entry.about_id:
            ids.setdefault(entry.about_kind, set()).add(entry.about_id)
    found: dict[tuple[str | None, str | None], str] = {}
    for kind, (document, name) in PAGES.items():
        for one in _read(document, ids.get(kind, ()), {"_id": 1}):
            found[kind, str(one["_id"])] = reverse(name, args=[str(one["_id"])])
    for one in _read(Job, ids.get("job", ()), {"session": 1}):
        found["job", str(one["_id"])] = reverse("session", args=[str(one["session"])])
    return found


def _read(document: Any, ids: Iterable[str], fields: Mapping[str, int]) -> list[Mapping[str, Any]]:
    is_text = document is Result
    wanted = [each if is_text else ObjectId(each) for each in ids if is_text or ObjectId.is_valid(each)]
    return list(document._get_collection().find({"_id": {"$in": wanted}}, fields)) if wanted else []


def _text(values: Mapping[str, Any], name: str) -> str | None:
    """A value as people read it; None where it is missing or empty."""
    value = values.get(name)
    if value is None or value in ("", [], {}):
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, list | tuple):
        value = ", ".join(str(each) for each in value)
    elif isinstance(value, Mapping):
        value = ", ".join(f"{key}: {each}" for key, each in value.items())
    text = str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
