"""A machine's last readings: packed with every sync, read as they were, and brought forward from before."""

from datetime import timedelta

from agents import recent, verbs
from agents.documents import Client
from benchmarks.tests import world
from obt_site import mongo
from obt_site.clock import now

FULL = {"cpu": 12.5, "memory": 18.0, "gpu": 97.0, "gpu_memory": 45.5, "power_w": 312.0, "temperature_c": 67.0}
NOTHING = dict.fromkeys(recent.QUANTITIES)


def test_what_is_packed_is_read_again():
    entries = [{"at": now(), **FULL}, {"at": now() + timedelta(seconds=10), **NOTHING}]

    assert recent.unpack(recent.pack(entries)) == entries


def test_what_was_not_said_was_not_read():
    at = now()

    assert recent.unpack(recent.pack([{"at": at, "cpu": 1.0, "gpu": None}])) == [{"at": at, **NOTHING, "cpu": 1.0}]


def test_nothing_yet_is_nothing():
    assert recent.unpack(None) == []


def test_only_the_newest_are_kept():
    at, packed = now(), b""
    for i in range(recent.LENGTH + 5):
        packed = recent.with_one_more(packed, {"at": at, "cpu": i})

    assert [each["cpu"] for each in recent.unpack(packed)] == list(range(5, recent.LENGTH + 5))


def test_every_sync_adds_what_the_machine_read(database):
    forge = world.machine("forge")
    verbs.take_in(forge, world.sync_request())

    newest = verbs.find(str(forge.id)).history[-1]

    assert (newest["cpu"], newest["memory"], newest["gpu"]) == (12.5, 12.5, 97.0)
    assert len(verbs.find(str(forge.id)).history) == 2


def test_what_was_kept_before_is_brought_forward_and_again_changes_nothing(database):
    forge = world.machine("forge")
    entries = [{"at": now(), **FULL}]
    clients = mongo.database()["clients"]
    clients.update_one({"_id": forge.id}, {"$set": {"history": entries}, "$unset": {"recent": ""}})

    for _ in range(2):
        recent.bring_forward(mongo.database())

    assert Client.objects.get(id=forge.id).history == entries
    assert "history" not in clients.find_one({"_id": forge.id})
