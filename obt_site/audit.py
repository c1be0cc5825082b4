"""The audit: who did what to what, when, from where. Only ever appended to; nothing here changes or removes an entry.

Every verb that changes something for a person, a token, an agent's credential or a command calls `record` once the
change is stored. Who it was is `actor.current()`.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from typing import Any

from bson import ObjectId
from mongoengine import DateTimeField, DictField, Document, IntField, StringField

from benchmarks import numbers
from obt_site import actor
from obt_site.clock import now
from obt_site.middleware import current_request_id
from obt_site.text import one_line

log = logging.getLogger(__name__)
_undoes: ContextVar[int | None] = ContextVar("undoes", default=None)

COUNTER = "audit"
WORDS_LENGTH = 1000
NAME_LENGTH = 200


class AuditEntry(Document):
    """One change. `about_*` is what was changed, by a name that outlives it; `before` and `after` are what differs."""

    meta = {"collection": "audit", "auto_create_index": False}
    schema = IntField(default=1)
    number = IntField(required=True)
    at = DateTimeField(default=now)
    actor_kind = StringField(required=True)
    actor_name = StringField(required=True)
    actor_id = StringField()
    address = StringField()
    request_id = StringField()
    action = StringField(required=True)  # `machine.rename`: what kind of thing, and the verb
    words = StringField(required=True)  # a sentence that stands by itself, without who did it
    about_kind = StringField()
    about_id = StringField()
    about_name = StringField()
    before = DictField()
    after = DictField()
    undoes = IntField()  # the number of the entry that this change took back


def record(
    action: str,
    words: str,
    *,
    about: tuple[str, Any, str | None] | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    by: actor.Actor | None = None,
) -> None:
    """Write one change down. `about` is (kind, id, name), as ("machine", client.id, client.name). Never a secret.

    The change is already stored, so an entry that cannot be written does not undo it: it goes to the log, whole.
    """
    who = by or actor.current()
    kind, identity, name = about or (None, None, None)
    entry: dict[str, Any] = {
        "actor_kind": who.kind,
        "actor_name": one_line(who.name)[:NAME_LENGTH],
        "actor_id": who.id,
        "address": who.address,
        "request_id": current_request_id(),
        "action": action,
        "words": one_line(words)[:WORDS_LENGTH],
        "about_kind": kind,
        "about_id": None if identity is None else str(identity),
        "about_name": one_line(name)[:NAME_LENGTH] if name else None,
        "before": _plain(before or {}),
        "after": _plain(after or {}),
        "undoes": _undoes.get(),
    }
    try:
        AuditEntry(number=numbers.following(COUNTER), **entry).save(force_insert=True)
    except Exception:
        log.exception("an audit entry was not stored: %s", entry)


@contextmanager
def undoing(number: int) -> Iterator[None]:
    """What is recorded in this block takes the change of this number back."""
    before = _undoes.set(number)
    try:
        yield
    finally:
        _undoes.reset(before)


def _plain(value: Any) -> Any:
    """The value as it is stored and compared: ids and states as text, tuples as lists."""
    if isinstance(value, Mapping):
        return {_key(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if isinstance(value, Enum):
        return _plain(value.value)
    return str(value) if isinstance(value, ObjectId) else value


def _key(name: object) -> str:
    """A name that the database takes for a field's."""
    return str(name).replace(".", "_").replace("$", "_")
