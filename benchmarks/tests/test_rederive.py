"""Deriving a result anew from its raw samples."""

import pytest

from benchmarks import fixes, numbers, rederive, results
from benchmarks.documents import Result, SampleBlock
from benchmarks.tests import world
from obt_site.audit import AuditEntry
from obt_site.errors import Conflict


@pytest.fixture
def result(database):
    return results.find(world.result(world.machine("forge")).id)


def summary(result):
    found = results.find(result.id)
    return found.cells, found.valid, found.conditions, found.comparison_key, found.placement


def test_what_was_derived_by_these_formulas_comes_out_the_same(result):
    before = summary(result)

    assert rederive.rederive(result) == 0
    assert summary(result) == before


def test_numbers_that_do_not_follow_from_the_samples_are_put_right(result):
    before = summary(result)
    position = next(i for i, cell in enumerate(result.cells) if cell["cell"] == "tg128")
    wrong = {f"cells.{position}.metrics.decode_rate.median": 9999.0, f"cells.{position}.valid": False}
    Result._get_collection().update_one({"_id": result.id}, {"$set": {**wrong, "valid": False}})
    epoch = numbers.stand("results")[0]

    changed = rederive.rederive(results.find(result.id))

    assert changed == 1
    assert summary(result) == before
    assert numbers.stand("results")[0] != epoch
    entry = AuditEntry.objects(action="result.rederive").first()
    assert entry.before["tg128"]["decode_rate"] == 9999.0
    assert entry.after["tg128"]["decode_rate"] == pytest.approx(before[0][position]["metrics"]["decode_rate"]["median"])


def test_looking_first_writes_nothing(result):
    before, entries = summary(result), AuditEntry.objects.count()

    assert rederive.derived(result).after == {}
    assert (summary(result), AuditEntry.objects.count()) == (before, entries)


def test_a_cell_without_stored_samples_keeps_its_numbers(result):
    position = next(i for i, cell in enumerate(result.cells) if cell["cell"] == "tg128")
    kept = result.cells[position]
    SampleBlock.objects(id=f"{result.id}:{position}").delete()

    rederive.rederive(result)

    assert {**results.find(result.id).cells[position]} == {**kept}


def test_without_any_samples_it_is_refused(result):
    SampleBlock.objects(result=result.id).delete()

    with pytest.raises(Conflict, match="not stored"):
        rederive.rederive(result)


def test_a_mark_of_a_person_stays(result):
    marked = fixes.mark_invalid(result, "wrong machine")

    rederive.rederive(marked)

    assert results.find(result.id).valid is False
