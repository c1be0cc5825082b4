"""Lists of the audit, newest first, in windows of numbers: shared by the page, the files and the API."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from benchmarks import listing
from benchmarks.listing import Page
from obt_site.audit import COUNTER, AuditEntry
from obt_site.errors import NotFound

AT_ONCE = 500  # entries of a file that are read together
RECENT = 500  # entries that say what can be filtered by


@dataclass(frozen=True)
class Filters:
    """Which entries; None lets everything through. All hold together.

    `actor` is a name as it stands in the entry, `about` the id of what was changed. `since` is included, `until` is
    not. `text` is looked for in the sentence and in the names, whatever its case.
    """

    actor: str | None = None
    actor_kind: str | None = None
    action: str | None = None
    kind: str | None = None
    about: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None


# Filter → where an entry has it. Those with an index first, the most telling one of them foremost.
EQUAL = {
    "about": "about_id", "actor": "actor_name", "action": "action", "kind": "about_kind", "actor_kind": "actor_kind",
}  # fmt: skip
INDEXED = ("about_id", "actor_name", "action")
SEARCHED = ("words", "actor_name", "about_name")


@dataclass(frozen=True)
class Seen:
    """What the newest entries have: by which actions, kinds of thing and names a list can be narrowed."""

    actions: list[str]
    kinds: list[str]
    actors: list[str]


def entries(filters: Filters, before: int | None, limit: int) -> Page[AuditEntry]:
    """At most `limit` entries numbered below `before` (None: the newest)."""
    wanted = {field: value for name, field in EQUAL.items() if (value := getattr(filters, name)) is not None}
    indexed = next((field for field in INDEXED if field in wanted), None)
    equal = {indexed: wanted[indexed]} if indexed else {}
    text = (filters.text or "").casefold()

    def keep(found: Mapping[str, Any]) -> bool:
        if any(found.get(field) != value for field, value in wanted.items()):
            return False
        if filters.since is not None and found["at"] < filters.since:
            return False
        if filters.until is not None and found["at"] >= filters.until:
            return False
        return not text or any(text in (found.get(field) or "").casefold() for field in SEARCHED)

    return listing.numbered(AuditEntry, COUNTER, equal, keep, before, limit, filters.since, at="at")


def every(filters: Filters) -> Iterator[AuditEntry]:
    """All of them, newest first."""
    before: int | None = None
    while True:
        page = entries(filters, before, AT_ONCE)
        yield from page.items
        if page.next is None:
            return
        before = page.next


def find(number: int) -> AuditEntry:
    """One entry, or NotFound."""
    entry: AuditEntry | None = AuditEntry.objects(number=number).first()
    if entry is None:
        raise NotFound("There is no such entry in the audit.")
    return entry


def seen() -> Seen:
    """What the newest RECENT entries have, in order."""
    found = entries(Filters(), None, RECENT).items
    return Seen(
        actions=sorted({one.action for one in found}),
        kinds=sorted({one.about_kind for one in found if one.about_kind}),
        actors=sorted({one.actor_name for one in found}, key=str.casefold),
    )
