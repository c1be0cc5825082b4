"""A machine's last readings in one small field: what its page draws, written with every sync.

Sixty dictionaries made the write of a sync half as dear again; packed they are 3 kB that no database looks into.
"""

import math
import struct
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

LENGTH = 60  # readings, one per sync: about ten minutes
QUANTITIES = ("cpu", "memory", "gpu", "gpu_memory", "power_w", "temperature_c")
_ONE = struct.Struct(f"<{1 + len(QUANTITIES)}d")  # when, in unix time, and each quantity; NaN for what was not read


def pack(entries: Iterable[Mapping[str, Any]]) -> bytes:
    """These readings, oldest first: {at, cpu, …} with None or nothing for what was not read."""
    return b"".join(_pack(each) for each in entries)


def _pack(entry: Mapping[str, Any]) -> bytes:
    values = (math.nan if entry.get(name) is None else float(entry[name]) for name in QUANTITIES)
    return _ONE.pack(entry["at"].timestamp(), *values)


def unpack(packed: bytes | None) -> list[dict[str, Any]]:
    """The readings again, oldest first."""
    return [_entry(values) for values in _ONE.iter_unpack(bytes(packed or b""))]


def _entry(values: tuple[float, ...]) -> dict[str, Any]:
    known = {name: None if math.isnan(value) else value for name, value in zip(QUANTITIES, values[1:], strict=True)}
    return {"at": datetime.fromtimestamp(values[0], UTC), **known}


def with_one_more(packed: bytes | None, entry: Mapping[str, Any]) -> bytes:
    """The readings with this one at the end, and no more than LENGTH of them."""
    return (bytes(packed or b"") + _pack(entry))[-LENGTH * _ONE.size :]


def bring_forward(database: Any) -> None:
    """A step of `obt_site/schema.py`: pack the dictionaries of before."""
    for client in database["clients"].find({"history": {"$exists": True}}, {"history": 1}):
        packed = pack(client["history"][-LENGTH:])
        database["clients"].update_one({"_id": client["_id"]}, {"$set": {"recent": packed}, "$unset": {"history": ""}})
