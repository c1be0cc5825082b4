"""The stored data's version: brought forward at start-up, never backward."""

import pytest

from benchmarks.documents import Session
from benchmarks.tests import world
from obt_site import mongo, schema


def test_a_new_database_gets_the_current_version(database):
    mongo.database()[schema.META].delete_many({})

    schema.upgrade()

    assert schema.stored() == schema.VERSION


def test_old_data_is_brought_forward_step_by_step_and_nothing_is_lost(database, monkeypatch):
    forge = world.machine("forge")
    session = world.session(forge)
    mongo.database()[schema.META].update_one({}, {"$set": {"version": 1}})

    def rename_field(db):
        db["sessions"].update_many({"schema": {"$lt": 2}}, {"$set": {"note": "brought forward", "schema": 2}})

    ran = []
    monkeypatch.setattr(schema, "VERSION", 3)
    monkeypatch.setattr(schema, "STEPS", {2: rename_field, 3: lambda db: ran.append(3)})

    before = schema.upgrade()
    schema.upgrade()

    stored = Session.objects.get(id=session.id)
    assert (before, schema.stored(), ran) == (1, 3, [3])
    assert (stored.note, stored.number) == ("brought forward", session.number)


def test_a_database_of_a_newer_version_is_left_untouched(database):
    mongo.database()[schema.META].update_one({}, {"$set": {"version": schema.VERSION + 1}})
    before = list(mongo.database()[schema.META].find())

    with pytest.raises(schema.NewerDatabase, match="written by a newer OBT"):
        schema.upgrade()

    assert list(mongo.database()[schema.META].find()) == before


def test_every_document_carries_its_version():
    import mongoengine

    from agents import documents as machines
    from benchmarks import documents as measured
    from obt_site import audit, tokens

    for module in (machines, measured, audit, tokens):
        for name, kind in vars(module).items():
            if isinstance(kind, type) and issubclass(kind, mongoengine.Document) and kind is not mongoengine.Document:
                assert "schema" in kind._fields, name
