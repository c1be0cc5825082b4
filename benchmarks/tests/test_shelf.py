"""The shelf: results in short form that stay right while others are stored, late, corrected or removed."""

from dataclasses import replace

import pytest
from bson import ObjectId

from agent.obt_agent import contract
from benchmarks import numbers
from benchmarks.documents import Result
from benchmarks.shelf import Shelf
from benchmarks.tests import world

pytestmark = pytest.mark.django_db


@pytest.fixture
def forge(database):
    return world.machine()


def test_a_result_lies_there_in_short_with_its_numbers(forge):
    stored = world.result(forge, rate=100.0)

    (one,) = Shelf().results()

    cell = next(cell for cell in stored.cells if cell["cell"] == "tg128")["metrics"]["decode_rate"]
    spread = one.spread("decode_rate")
    assert (one.id, one.model, one.client, one.valid) == (stored.id, world.MODELS[0], str(forge.id), True)
    assert (spread.cell, spread.median, spread.low, spread.high, spread.n) == (
        "tg128", cell["median"], cell["low"], cell["high"], cell["n"],
    )  # fmt: skip
    assert one.median("decode_rate") == one.median("decode_rate", "tg128") == cell["median"]
    assert one.spread("prefill_rate").cell == "pp512"
    assert one.cells == set(world.CELLS)


def test_what_was_not_measured_is_none(forge):
    world.result(forge)
    (one,) = Shelf().results()
    assert one.spread("goodput") is None
    assert one.median("decode_rate", "tg9999") is None
    assert one.spread("energy_per_output_token") is None


def test_a_cell_of_too_few_samples_has_no_number(forge):
    offer = world.running(forge, world.MODELS[0], cells=("tg128",))
    body = world.body(offer)
    run = body.cells[0]
    few = [sample for sample in run.samples if sample.warmup or sample.index < 2]
    world.deliver(forge, offer, replace(body, cells=[replace(run, samples=few)]))

    (one,) = Shelf().results()

    assert one.median("decode_rate") is None
    assert not one.valid
    assert one.cells == {"tg128"}


def test_a_failed_one_lies_there_without_numbers(forge):
    offer = world.running(forge, world.MODELS[0])
    error = contract.JobError("ollama_unreachable", "Ollama went away.")
    world.deliver(forge, offer, world.body(offer, outcome="failed", cells=[], error=error))
    (one,) = Shelf().results()
    assert (one.outcome, one.metrics) == ("failed", frozenset())


def test_new_ones_come_first_and_old_ones_are_not_read_again(forge):
    shelf = Shelf()
    world.result(forge)
    (first,) = shelf.results()
    world.result(forge, world.MODELS[1])

    again = shelf.results()

    assert [one.model for one in again] == [world.MODELS[1], world.MODELS[0]]
    assert again[1] is first


def test_results_of_equal_cells_share_their_layout(forge):
    world.result(forge)
    world.result(forge, world.MODELS[1])
    one, other = Shelf().results()
    assert one.layout is other.layout


def test_one_that_is_stored_after_a_later_one_is_found(forge):
    shelf = Shelf()
    world.result(forge)
    held = Result.objects.first()
    collection = Result._get_collection()
    document = collection.find_one({"_id": held.id})
    collection.delete_one({"_id": held.id})
    world.result(forge, world.MODELS[1])
    assert [one.number for one in shelf.results()] == [2]

    collection.insert_one(document)

    assert [one.number for one in shelf.results()] == [2, 1]


def test_a_new_epoch_shows_corrections_and_removals(forge):
    shelf = Shelf()
    kept, gone = world.result(forge), world.result(forge, world.MODELS[1])
    assert len(shelf.results()) == 2
    collection = Result._get_collection()
    collection.update_one({"_id": kept.id}, {"$set": {"family": "corrected"}})
    collection.delete_one({"_id": gone.id})

    numbers.renew("results")

    assert [one.family for one in shelf.results()] == ["corrected"]


def test_another_database_is_another_epoch(forge, database_uri):
    from conftest import emptied

    shelf = Shelf()
    world.result(forge)
    world.result(forge, world.MODELS[1])
    assert len(shelf.results()) == 2
    emptied(database_uri)
    assert shelf.results() == ()

    world.result(world.machine("atlas"))

    assert [one.client_name for one in shelf.results()] == ["atlas"]


def test_only_the_newest_are_kept(forge):
    shelf = Shelf(most=2)
    for name in world.MODELS:
        world.result(forge, name)
    assert [one.number for one in shelf.results()] == [3, 2]
    world.result(forge)
    assert [one.number for one in shelf.results()] == [4, 3]


def test_an_empty_database_has_an_empty_shelf(database):
    assert Shelf().results() == ()


def test_a_document_with_little_in_it_is_read_all_the_same(forge):
    world.result(forge)
    collection = Result._get_collection()
    collection.insert_one(
        {"_id": "old-1", "number": numbers.following("results"), "session": ObjectId(), "client": ObjectId(),
         "model": "m:1b", "outcome": "failed", "created_at": forge.created_at}
    )  # fmt: skip
    assert [one.client_name for one in Shelf().results()] == ["a machine", "forge"]
