"""Cursors: where the next page of a list begins. Opaque to callers; a changed one is refused, never guessed at."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import TypeVar

from benchmarks.listing import NUMBER_MAXIMUM
from obt_site.errors import FieldError, Invalid

LONGEST = 1000  # characters
T = TypeVar("T")
Place = tuple[str, str]


def encode(*keys: str | int) -> str:
    """The cursor that stands for a place in a list."""
    text = json.dumps(keys, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str, *kinds: type) -> list[str | int]:
    """The keys of a cursor, which have exactly these types; raises Invalid."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        keys = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeError, binascii.Error, ValueError, RecursionError):
        raise _refused() from None
    if not isinstance(keys, list) or [type(key) for key in keys] != list(kinds):
        raise _refused()
    if any(isinstance(key, str) and not _is_text(key) for key in keys):
        raise _refused()
    return keys


def number_of(cursor: str | None) -> int | None:
    """The number a page of numbered things starts below; None for the first page."""
    if cursor is None:
        return None
    (number,) = decode(cursor, int)
    if not 0 < int(number) <= NUMBER_MAXIMUM:
        raise _refused()
    return int(number)


def after_number(number: int | None) -> str | None:
    """The cursor below this number; None for None."""
    return None if number is None else encode(number)


def page(found: Sequence[T], limit: int, cursor: str | None, place: Callable[[T], Place]) -> tuple[list[T], str | None]:
    """A page of things that are all at hand, the highest place first, and the cursor of the next; None for the last.

    `place` is when one was made, as a text, and its id: no two have the same, and new ones come before the first page.
    """
    if cursor is not None:
        at, identity = (str(key) for key in decode(cursor, str, str))
        found = [each for each in found if place(each) < (at, identity)]
    kept = list(found[:limit])
    return kept, encode(*place(kept[-1])) if len(found) > limit else None


def _is_text(key: str) -> bool:
    """Whether a database takes it: no half of a surrogate pair."""
    return not any("\ud800" <= character <= "\udfff" for character in key)


def _refused() -> Invalid:
    message = "This is not a cursor of this list. Use the `next` of the page before, unchanged, or leave it out."
    return Invalid(message, [FieldError("cursor", message)])
