"""Ids that only the demo gives out: any document of it is known by its id alone.

An ObjectId has four bytes of time, five that are random per process and three that count. The demo's have MARK for
the five: an ordinary one has them by chance once in 2^40.
"""

from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import Any

from bson import ObjectId

MARK = b"\x0bdemo"
FIRST_COUNT = 0


def maker() -> Callable[[datetime], ObjectId]:
    """A function that gives out made-up ids, each once, the same ones in every run that asks in the same order."""
    counting = count(FIRST_COUNT)

    def make(at: datetime) -> ObjectId:
        return ObjectId(int(at.timestamp()).to_bytes(4, "big") + MARK + next(counting).to_bytes(3, "big"))

    return make


def made_up(identity: Any) -> bool:
    """Whether this id is the demo's: an ObjectId, or a text that begins with one (`<job>-<attempt>`)."""
    text = str(identity)[:24]
    return ObjectId.is_valid(text) and ObjectId(text).binary[4:9] == MARK
