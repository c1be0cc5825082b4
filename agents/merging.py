"""Merging two records of one machine: one that was enrolled twice, as after its agent's folder was lost.

What the record that goes has done and measured moves to the one that is kept: jobs, results, events, models. The one
that is kept keeps its name and its credential, so it has to be the one that the machine's agent reports to now.
"""

from collections.abc import Mapping
from typing import Any

from agents import events, presence, verbs
from agents.documents import Client, EnrolmentToken, Event, ModelInstallation
from agents.presence import Presence
from benchmarks import lifecycle, live, numbers
from benchmarks.documents import Job, LateResult, Result
from benchmarks.lifecycle import State
from obt_site import audit
from obt_site.clock import now
from obt_site.errors import Conflict

STATES = [state.value for state in State]
NUMBERS = {"$gte": 0}  # whatever the number: the window that the indexes end in


def refuse(kept: Client, gone: Client) -> None:
    """Raises Conflict with a sentence where the two may not be merged now."""
    if kept.id == gone.id:
        raise Conflict("These are one and the same record. Choose another one to merge into.")
    is_there = presence.of(gone).state is not Presence.OFFLINE
    if is_there and gone.boot_id != kept.boot_id:
        raise Conflict(
            f"{gone.name} is there now, with another boot id than {kept.name}: these are two machines, or this is the "
            "record that the agent reports to. Merge the other way round, or stop its agent first."
        )
    for client in (kept, gone):
        working = [job for job in _jobs(client) if State(job.state) in lifecycle.WITH_AGENT]
        if working:
            raise Conflict(f"{client.name} has {len(working)} running jobs. Wait for them, or cancel them first.")


def counts(gone: Client) -> dict[str, int]:
    """What would move: how many of each, in words."""
    listed = ModelInstallation.objects(client=gone.id).only("id")
    return {
        "jobs": len(_jobs(gone)),
        "results": len(_ids(Result, gone)),
        "events": len(_ids(Event, gone)),
        "models": len(listed),
    }


def merge(kept: Client, gone: Client) -> Client:
    """Move all of `gone` to `kept` and remove `gone`. Safe to repeat after a crash in its middle.

    The record that goes is paused first, so that it is handed nothing meanwhile. Raises Conflict.
    """
    refuse(kept, gone)
    moved, mine = counts(gone), _jobs(gone)
    Client.objects(id=gone.id).update_one(set__paused=True)
    _move(Job, {"client": gone.id, "state": {"$in": STATES}}, {"client": kept.id, "client_name": kept.name})
    _move(Result, {"client": gone.id, "number": NUMBERS}, {"client": kept.id, "client_name": kept.name})
    _move(Event, {"client": gone.id, "number": NUMBERS}, {"client": kept.id})
    for job in mine:
        _move(LateResult, {"job": job.id}, {"client": kept.id})
    _move_models(kept, gone)
    _keep_past(kept, gone)
    Client.objects(id=gone.id).delete()
    numbers.renew("results")
    words = f"{gone.name} was merged into {kept.name}"
    events.report("machine_merged", words, client=kept, gone=gone.name)
    before = {"name": gone.name, "hostname": gone.hostname, "labels": list(gone.labels), "id": gone.id}
    audit.record("machine.merge", words, about=("machine", kept.id, kept.name), before=before, after=moved)
    live.fleet_changed()
    live.wake(kept.id)
    return verbs.find(str(kept.id))


def _move(kind: Any, asked: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    kind._get_collection().update_many(dict(asked), {"$set": dict(changes)})


def _move_models(kept: Client, gone: Client) -> None:
    """Models that the kept record has not heard of; the agent is asked for its whole list at its next report."""
    known = {one.name for one in ModelInstallation.objects(client=kept.id).only("name")}
    for one in list(ModelInstallation.objects(client=gone.id)):
        if one.name in known:
            one.delete()
        else:
            ModelInstallation.objects(id=one.id).update_one(set__client=kept.id)
    count = len(ModelInstallation.objects(client=kept.id).only("id"))
    Client.objects(id=kept.id).update_one(set__models_hash=None, set__models_count=count, set__models_at=now())


def _keep_past(kept: Client, gone: Client) -> None:
    """Labels of both, both histories of the hardware, and the day the older one joined."""
    labels = list(dict.fromkeys([*kept.labels, *gone.labels]))[: verbs.LABELS_MAXIMUM]
    past = sorted([*gone.hardware_history, *kept.hardware_history], key=lambda one: one["at"])
    Client.objects(id=kept.id).update_one(
        set__labels=labels,
        set__hardware_history=past[-verbs.HARDWARE_HISTORY_LENGTH :],
        set__created_at=min(kept.created_at, gone.created_at),
    )
    EnrolmentToken._get_collection().update_many({"client": gone.id}, {"$set": {"client": kept.id}})


def _jobs(client: Client) -> list[Job]:
    return list(Job.objects(client=client.id, state__in=STATES).only("state"))


def _ids(kind: Any, client: Client) -> list[Any]:
    return [one["_id"] for one in kind._get_collection().find({"client": client.id, "number": NUMBERS}, {"_id": 1})]
