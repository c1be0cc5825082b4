"""The version of what is stored: checked at start-up, brought forward by steps, never backward.

Every document carries `schema`; the database as a whole carries the highest one any step has reached. A database of a
newer version is left untouched. A step is a function that changes documents in place and can be run again after a
crash in its middle.
"""

from collections.abc import Callable
from typing import Any

from pymongo.database import Database

from agents import recent
from benchmarks import conditions
from obt_site import mongo

VERSION = 4
Step = Callable[[Database[dict[str, Any]]], None]
# version reached → step from the version before
STEPS: dict[int, Step] = {2: conditions.add_keys, 3: conditions.add_keys, 4: recent.bring_forward}
META = "meta"
META_ID = "schema"


class NewerDatabase(Exception):
    """What is stored was written by a newer OBT."""

    def __init__(self, found: int) -> None:
        self.found = found
        super().__init__(
            f"The stored data has schema {found}, written by a newer OBT; this one knows up to {VERSION}."
            " Use that OBT again, or another OBT_DATA_DIR. Nothing was changed."
        )


def stored() -> int | None:
    """The database's version; None for a new database."""
    found = mongo.database()[META].find_one({"_id": META_ID})
    return int(found["version"]) if found else None


def check() -> None:
    """Raises NewerDatabase; writes nothing."""
    found = stored()
    if found is not None and found > VERSION:
        raise NewerDatabase(found)


def upgrade() -> int:
    """Bring old data forward, step by step; returns the version before. Safe to repeat."""
    check()
    before = stored()
    for version in range((before if before is not None else VERSION) + 1, VERSION + 1):
        STEPS[version](mongo.database())
        _record(version)
    if before is None:
        _record(VERSION)
    return before if before is not None else VERSION


def _record(version: int) -> None:
    mongo.database()[META].update_one({"_id": META_ID}, {"$set": {"version": version}}, upsert=True)
