"""The audit as a file: CSV with a line per entry, or JSON Lines with all of it. Written while it is read."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from obt_site.audit import AuditEntry
from obt_site.clock import rfc3339
from obt_site.text import harmless

COLUMNS = (
    "number", "at_utc", "actor_kind", "actor", "actor_id", "address", "request_id", "action", "what", "kind",
    "about_id", "about", "before", "after", "undoes",
)  # fmt: skip
LINES_AT_ONCE = 200


def plain(entry: AuditEntry) -> dict[str, Any]:
    """The entry as JSON has it; times as RFC 3339."""
    return {
        "number": entry.number,
        "at": rfc3339(entry.at),
        "actor": {"kind": entry.actor_kind, "name": entry.actor_name, "id": entry.actor_id, "address": entry.address},
        "request_id": entry.request_id,
        "action": entry.action,
        "words": entry.words,
        "about": {"kind": entry.about_kind, "id": entry.about_id, "name": entry.about_name},
        "before": _json(entry.before),
        "after": _json(entry.after),
        "undoes": entry.undoes,
    }


def _json(values: Any) -> Any:
    """Plain values, whatever was kept: a time as RFC 3339, anything unheard of as text."""
    return json.loads(json.dumps(values, default=lambda each: rfc3339(each) if hasattr(each, "tzinfo") else str(each)))


def jsonl(entries: Iterable[AuditEntry]) -> Iterator[str]:
    """One JSON object per line."""
    for entry in entries:
        yield f"{json.dumps(plain(entry), ensure_ascii=False)}\n"


def csv_lines(entries: Iterable[AuditEntry]) -> Iterator[str]:
    """The header, then the entries in pieces. No text begins like a formula; what is missing is empty."""
    yield _written([COLUMNS])
    each = iter(entries)
    while some := list(islice(each, LINES_AT_ONCE)):
        yield _written([_row(entry) for entry in some])


def _row(entry: AuditEntry) -> list[object]:
    texts = (entry.actor_kind, entry.actor_name, entry.actor_id, entry.address, entry.request_id, entry.action)
    about = (entry.words, entry.about_kind, entry.about_id, entry.about_name)
    values = (json.dumps(_json(each), ensure_ascii=False) if each else "" for each in (entry.before, entry.after))
    return [
        entry.number, rfc3339(entry.at), *(harmless(each or "") for each in (*texts, *about)), *values, entry.undoes,
    ]  # fmt: skip


def _written(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
