"""Views of the results that a person keeps by name: the query string of the page, nothing else.

A view says which results and how to show them, not what they were: opened later it shows what fits then. What it
names may be gone (a machine, a session); the page says so.
"""

from bson import ObjectId
from django.conf import settings
from mongoengine import DateTimeField, Document, IntField, NotUniqueError, StringField

from obt_site import audit
from obt_site.ceilings import full
from obt_site.clock import now
from obt_site.errors import Conflict, FieldError, Invalid, NotFound
from obt_site.text import one_line

LONGEST_NAME = 80  # characters
LONGEST_QUERY_BYTES = 4096


class SavedView(Document):
    """One view of one person (`owner`, the account's id as text). `query` has no leading question mark."""

    meta = {"collection": "saved_views", "auto_create_index": False}
    schema = IntField(default=1)
    owner = StringField(required=True)
    name = StringField(required=True)
    query = StringField()
    created_at = DateTimeField(default=now)


class NameTaken(Conflict):
    """A view of this name exists. `existing` is it."""

    def __init__(self, existing: SavedView) -> None:
        super().__init__(f"You have a view called “{existing.name}” already.")
        self.existing = existing


def of(owner: str) -> list[SavedView]:
    """A person's views, by name."""
    return sorted(SavedView.objects(owner=owner), key=lambda view: (view.name.casefold(), view.name))


def find(owner: str, view_id: str) -> SavedView:
    """One of a person's own views; somebody else's is not found."""
    view = SavedView.objects(id=view_id).first() if ObjectId.is_valid(view_id) else None
    if view is None or view.owner != owner:
        raise NotFound("You have no such view; it may have been removed.")
    return view  # type: ignore[no-any-return]


def save(owner: str, name: str, query: str, replace: bool = False) -> SavedView:
    """Keep a query under a name. Raises Invalid for a name or query that is none or one view too many, NameTaken for a
    name in use unless `replace`."""
    name, query = _named(name), one_line(query).removeprefix("?")
    if len(query.encode()) > LONGEST_QUERY_BYTES:
        raise _wrong("query", f"A view has at most {LONGEST_QUERY_BYTES} bytes; choose fewer rows or filters.")
    existing = SavedView.objects(owner=owner, name=name).first()
    if existing is not None:
        if not replace:
            raise NameTaken(existing)
        before = existing.query
        existing.query = query
        existing.save()
        _record("view.replace", "was saved anew", existing, {"query": before}, {"query": query})
        return existing  # type: ignore[no-any-return]
    most, would_be = settings.SAVED_VIEWS_MAXIMUM, len(of(owner)) + 1
    if would_be > most:
        rule = "A person has at most {} saved views; with this one it would be"
        raise _wrong("name", full(rule, most, would_be, "Remove one first", "OBT_VIEWS_PER_PERSON"))
    made = _unique(SavedView(owner=owner, name=name, query=query))
    _record("view.save", "was saved", made, {}, {"name": name, "query": query})
    return made


def rename(owner: str, view_id: str, name: str) -> SavedView:
    """Give a view another name. Raises Invalid, NotFound, NameTaken."""
    view = find(owner, view_id)
    before, view.name = view.name, _named(name)
    renamed = _unique(view)
    _record("view.rename", "was renamed", renamed, {"name": before}, {"name": renamed.name})
    return renamed


def remove(owner: str, view_id: str) -> str:
    """Remove a view; its name."""
    view = find(owner, view_id)
    view.delete()
    _record("view.remove", "was removed", view, {"name": view.name, "query": view.query}, {})
    return str(view.name)


def _named(name: str) -> str:
    cleaned = one_line(name)
    if not cleaned or len(cleaned) > LONGEST_NAME:
        raise _wrong("name", f"A view's name has 1 to {LONGEST_NAME} characters.")
    return cleaned


def _wrong(field: str, message: str) -> Invalid:
    return Invalid(message, [FieldError(field, message)])


def _unique(view: SavedView) -> SavedView:
    try:
        return view.save()  # type: ignore[no-any-return]
    except NotUniqueError as error:
        taken = SavedView.objects(owner=view.owner, name=view.name).first()
        raise NameTaken(taken or view) from error


def _record(action: str, words: str, view: SavedView, before: dict[str, str], after: dict[str, str]) -> None:
    said = f"The saved view “{view.name}” {words}"
    audit.record(action, said, about=("view", view.id, view.name), before=before, after=after)
