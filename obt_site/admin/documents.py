"""A section of the admin for one kind of MongoDB document: list, page, what may be corrected, actions.

A section says what its documents are called and what may be done to them; the views (`obt_site/admin/views.py`) do the
rest alike for all. What is not declared as a field cannot be changed here: that holds for every measured number.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from bson import ObjectId
from mongoengine import Document

from benchmarks.api import cursors
from obt_site.errors import NotFound

D = TypeVar("D", bound=Document)
PAGE = 50
ID_SHOWN = 12  # characters that tell two of one name apart in a cursor
SECRET = ("hash", "secret", "credential", "lease", "token")  # a field with one of these in its name is not shown
Found = Mapping[str, Any]


@dataclass(frozen=True)
class Column(Generic[D]):
    """A column of the list. A value may be text, a number, a time, yes or no, or None."""

    word: str
    value: Callable[[D], Any]


@dataclass(frozen=True)
class Filter:
    """What a list can be narrowed by: a name in addresses, a word, the values with their words."""

    name: str
    word: str
    choices: Callable[[], Sequence[tuple[str, str]]]


@dataclass(frozen=True)
class Input:
    """One field of a form: `lines` for a text of several, `choices` for one of several."""

    name: str
    word: str
    help: str = ""
    longest: int = 200
    lines: bool = False
    choices: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Asked:
    """What a list was asked for: words to look for, a value for some filters, where the page begins."""

    search: str = ""
    chosen: Mapping[str, str] = ()  # type: ignore[assignment]
    cursor: str | None = None

    def value(self, name: str) -> str | None:
        return dict(self.chosen).get(name)


@dataclass(frozen=True)
class Page(Generic[D]):
    """The documents of a page, and the cursor of the following one; None where there is none."""

    items: Sequence[D]
    next: str | None


@dataclass(frozen=True)
class Action(Generic[D]):
    """Something that can be done to one document, after a page that says what it does and asks.

    `preview` counts what it concerns, by words; it may refuse, as `do` may, with a sentence. `do` gets what was typed
    and returns what to say. `leaves`: the document is gone afterwards.
    """

    name: str
    word: str
    text: str
    do: Callable[[D, Mapping[str, str]], str]
    preview: Callable[[D], Mapping[str, int]] | None = None
    inputs: Callable[[D], Sequence[Input]] = lambda document: ()
    is_for: Callable[[D], bool] = lambda document: True
    destroys: bool = False
    leaves: bool = False


class DocumentAdmin(Generic[D]):
    """One section. Subclasses give the names, columns and what may be done; documents are found by `find`."""

    document: ClassVar[type[Document]]
    slug: ClassVar[str]
    name: ClassVar[str]
    plural: ClassVar[str]
    about: ClassVar[str] = ""
    search_help: ClassVar[str] = ""
    hidden: ClassVar[frozenset[str]] = frozenset()  # fields that its page leaves out, beside those of SECRET
    may_be_corrected: ClassVar[bool] = False

    def columns(self) -> Sequence[Column[D]]:
        """What the list shows; the first leads to the document."""
        raise NotImplementedError

    def filters(self) -> Sequence[Filter]:
        """What the list can be narrowed by."""
        return ()

    def page(self, asked: Asked) -> Page[D]:
        """The documents that were asked for."""
        raise NotImplementedError

    def identity(self, document: D) -> str:
        """How addresses name it."""
        return str(document.pk)

    def find(self, identity: str) -> D:
        """The document, or NotFound."""
        raise NotImplementedError

    def title(self, document: D) -> str:
        """What it is called."""
        return str(self.columns()[0].value(document))

    def url(self, document: D) -> str | None:
        """Its page in the product."""
        return None

    def facts(self, document: D) -> list[tuple[str, Any]]:
        """Everything that is stored of it, but for secrets: names of fields and values."""
        return [
            (name, document[name])
            for name in document._fields_ordered
            if name not in self.hidden and not any(word in name for word in SECRET)
        ]

    def inputs(self, document: D) -> Sequence[Input]:
        """What may be corrected."""
        return ()

    def values(self, document: D) -> Mapping[str, str]:
        """What stands in those fields now."""
        return {}

    def correct(self, document: D, values: Mapping[str, str]) -> None:
        """Store what was typed, by the verb for it. Raises refusals with an error per field."""
        raise NotImplementedError

    def actions(self) -> Sequence[Action[D]]:
        """What can be done to one."""
        return ()

    def action(self, document: D, name: str) -> Action[D]:
        """The action of this name, or NotFound where it is not for this document."""
        for each in self.actions():
            if each.name == name and each.is_for(document):
                return each
        raise NotFound("This cannot be done here, or not as things are now.")

    def changes_about(self, document: D) -> str:
        """The id under which the audit keeps its changes."""
        return self.identity(document)


# -- lists -----------------------------------------------------------------------------------------------------------


def whole(kind: type[D], asked: Asked, keep: Callable[[D], bool], key: Callable[[D], str]) -> Page[D]:
    """A page of a collection that is small enough to be read whole, ordered by `key`, which inserts do not move."""
    found = [((key(one), str(one.pk)[-ID_SHOWN:]), one) for one in kind.objects if keep(one)]
    ordered = sorted(found, key=lambda each: each[0])
    if asked.cursor is not None:
        after = tuple(cursors.decode(asked.cursor, str, str))
        ordered = [each for each in ordered if each[0] > after]
    shown = ordered[:PAGE]
    more = cursors.encode(*shown[-1][0]) if len(ordered) > PAGE else None
    return Page([one for _, one in shown], more)


def has(text: str, *where: Any) -> bool:
    """Whether any of these holds the text, whatever its case; an empty text is everywhere."""
    wanted = text.casefold()
    return not wanted or any(wanted in str(each).casefold() for each in where if each)


def by_id(kind: type[D], identity: str, what: str) -> D:
    """A document by its ObjectId, or NotFound."""
    found: D | None = kind.objects(id=identity).first() if ObjectId.is_valid(identity) else None
    if found is None:
        raise NotFound(f"There is no such {what}. It may have been removed.")
    return found


def deleted(counts: Mapping[str, int]) -> str:
    """What to say of a deletion: `Deleted: 2 results, 1 jobs.`"""
    return f"Deleted: {', '.join(f'{count} {word}' for word, count in counts.items()) or 'nothing'}."
