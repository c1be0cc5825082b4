"""Numbers that only grow, given out once each: session and result numbers."""

from pymongo import ReturnDocument

from benchmarks.documents import Counter


def following(name: str) -> int:
    """The next number of this name, from 1; atomic across processes."""
    found = Counter._get_collection().find_one_and_update(
        {"_id": name}, {"$inc": {"value": 1}}, upsert=True, return_document=ReturnDocument.AFTER
    )
    return int(found["value"])


def latest(name: str) -> int:
    """The newest number given out, 0 when none was."""
    found = Counter._get_collection().find_one({"_id": name})
    return int(found["value"]) if found else 0
