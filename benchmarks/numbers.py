"""Numbers that only grow, given out once each: session and result numbers.

A counter also has an epoch: another one says that what was numbered so far has changed, and copies of it are old.
"""

from bson import ObjectId
from pymongo import ReturnDocument

from benchmarks.documents import Counter


def following(name: str) -> int:
    """The next number of this name, from 1; atomic across processes."""
    return reserve(name, 1)


def reserve(name: str, count: int) -> int:
    """The first of the next `count` numbers of this name, from 1; atomic across processes."""
    found = Counter._get_collection().find_one_and_update(
        {"_id": name},
        {"$inc": {"value": count}, "$setOnInsert": {"epoch": str(ObjectId())}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    return int(found["value"]) - count + 1


def latest(name: str) -> int:
    """The newest number given out, 0 when none was."""
    return stand(name)[1]


def stand(name: str) -> tuple[str | None, int]:
    """The epoch (None: the first) and the newest number given out."""
    found = Counter._get_collection().find_one({"_id": name})
    return (found.get("epoch"), int(found["value"])) if found else (None, 0)


def renew(name: str) -> None:
    """Begin a new epoch: something that was numbered before has been corrected or removed."""
    Counter._get_collection().update_one({"_id": name}, {"$set": {"epoch": str(ObjectId())}})
