"""Taking the demo away: exactly what it made, known by its ids, whatever of it there is."""

from collections.abc import Iterator, Sequence
from typing import Any

from agents import hardware
from agents.documents import Client, Event, HardwareConfig, ModelInstallation
from benchmarks import live, numbers
from benchmarks.demo.machines import FLEET, gear_at
from benchmarks.demo.marks import made_up
from benchmarks.documents import Job, JobLive, Result, SampleBlock, Session, TelemetrySeries
from obt_site import audit, mongo

REMOVED_AT_ONCE = 100
# Bulky parts first and machines last: after an interruption the rest is still found, and `add` still refuses.
KINDS = (SampleBlock, TelemetrySeries, JobLive, Event, Result, Job, Session, ModelInstallation, Client)


def there() -> bool:
    """Whether any of it is stored."""
    return any(next(_ids(kind), None) is not None for kind in (Client, Session))


def remove() -> dict[str, int]:
    """Remove it; how many documents went, by collection. Safe to repeat."""
    gone = {"hardware_configs": _remove_gear()}
    for kind in KINDS:
        gone[kind._meta["collection"]] = _remove(kind, list(_ids(kind)))
    if any(gone.values()):
        numbers.renew("results")
        live.fleet_changed()
        before = {name: count for name, count in gone.items() if count}
        audit.record("demo.remove", "The demo was removed", about=("demo", None, "demo"), before=before)
    return gone


def _ids(kind: Any) -> Iterator[Any]:
    """The ids of the demo's documents of this kind."""
    for found in mongo.database()[kind._meta["collection"]].find({}, {"_id": 1}):
        if made_up(found["_id"]):
            yield found["_id"]


def _remove(kind: Any, ids: Sequence[Any]) -> int:
    collection = mongo.database()[kind._meta["collection"]]
    for start in range(0, len(ids), REMOVED_AT_ONCE):
        collection.delete_many({"_id": {"$in": list(ids[start : start + REMOVED_AT_ONCE])}})
    return len(ids)


def _remove_gear() -> int:
    """Hardware of the demo's machines that no other machine or result has."""
    mine: set[str | None] = {hardware.content_hash(gear_at(one, share)) for one in FLEET for share in (0.0, 1.0)}
    others: set[str | None] = set()
    for kind in (Client, Result):
        for found in mongo.database()[kind._meta["collection"]].find({}, {"hardware_config": 1}):
            (mine if made_up(found["_id"]) else others).add(found.get("hardware_config"))
    known = {found["_id"] for found in HardwareConfig._get_collection().find({}, {"_id": 1})}
    return _remove(HardwareConfig, sorted((mine - others) & known))
