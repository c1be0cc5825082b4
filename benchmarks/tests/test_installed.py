"""The models of each machine, kept in the process: right after every change, and not read again without one."""

import pymongo.monitoring
import pytest

from agents import verbs
from agents.documents import ModelInstallation
from benchmarks import installed
from benchmarks.presenters import stored
from benchmarks.tests import world
from obt_site import mongo


class Reads(pymongo.monitoring.CommandListener):
    """Counts the reads of installed models."""

    def __init__(self) -> None:
        self.count = 0

    def started(self, event: pymongo.monitoring.CommandStartedEvent) -> None:
        self.count += event.command.get("find") == "model_installations"

    def succeeded(self, event: pymongo.monitoring.CommandSucceededEvent) -> None:
        return

    def failed(self, event: pymongo.monitoring.CommandFailedEvent) -> None:
        return


@pytest.fixture
def reads(database_uri, database):
    """pymongo has no way to take a listener away, so it is just left."""
    listener = Reads()
    pymongo.monitoring.register(listener)
    mongo.connect(database_uri)
    return listener


def names(machine):
    return {model["name"] for model in installed.of(stored.machines())[machine.id]}


def test_lists_are_read_once_for_all_machines_until_one_changes(reads):
    forge, atlas = world.machine("forge"), world.machine("atlas")

    assert names(forge) == names(atlas) == set(world.MODELS)
    before = reads.count
    assert names(forge) == set(world.MODELS)
    assert reads.count == before

    verbs.take_in(atlas, world.sync_request(models=[world.model("new:1b")], models_hash="new"))
    assert names(atlas) == {"new:1b"}
    assert names(forge) == set(world.MODELS)


def test_another_list_under_the_same_hash_is_read_too(database):
    forge = world.machine("forge")
    for name in ("one:1b", "two:1b"):
        verbs.take_in(forge, world.sync_request(models=[world.model(name)], models_hash="same"))
        assert names(forge) == {name}


def test_a_machine_that_never_sent_a_list_is_read_each_time(database):
    forge, _ = world.register("forge")

    assert names(forge) == set()
    ModelInstallation(client=forge.id, name="one:1b", digest="d").save()
    assert names(forge) == {"one:1b"}
