"""Which models are on which machine: every list, kept in the process until the machine sends another one.

Machines × models are thousands of documents, and they change when somebody pulls a model. A machine's own document says
when its whole list last came, and it is written after the list.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId

from agents.documents import Client, ModelInstallation

Model = Mapping[str, Any]  # a ModelInstallation as a plain document
Stand = tuple[str | None, datetime | None]

_kept: dict[ObjectId, tuple[Stand, tuple[Model, ...]]] = {}


def of(machines: Sequence[Client]) -> dict[ObjectId, tuple[Model, ...]]:
    """The models of each of these machines, by its id; no question to the database where no list has changed."""
    stale = [machine for machine in machines if _is_stale(machine)]
    if stale:
        fresh = _read([machine.id for machine in stale])
        _kept.update({machine.id: (_stand(machine), fresh[machine.id]) for machine in stale})
    return {machine.id: _kept[machine.id][1] for machine in machines}


def _stand(machine: Client) -> Stand:
    return machine.models_hash, machine.models_at


def _is_stale(machine: Client) -> bool:
    known = _kept.get(machine.id)
    return known is None or machine.models_at is None or known[0] != _stand(machine)


def _read(ids: Sequence[ObjectId]) -> dict[ObjectId, tuple[Model, ...]]:
    found: dict[ObjectId, list[Model]] = {each: [] for each in ids}
    for model in ModelInstallation._get_collection().find({"client": {"$in": list(ids)}}):
        found[model["client"]].append(model)
    return {client: tuple(models) for client, models in found.items()}
