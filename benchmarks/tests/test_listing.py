"""Pages of results and sessions: windows of numbers, whatever is missing in them."""

from datetime import timedelta

import pytest
from bson import ObjectId

from benchmarks import listing, numbers
from benchmarks.documents import Counter, Result
from benchmarks.listing import ResultFilters
from obt_site import indexes
from obt_site.clock import now

MODELS = 5


def store(count, start=1, **fields):
    """`count` small results with the numbers that follow; every `MODELS`-th has the same model."""
    moment = now() - timedelta(days=30)
    made = [
        {
            "_id": f"r{number}",
            "number": number,
            "session": ObjectId(),
            "job": ObjectId(),
            "attempt": 1,
            "body_hash": "0",
            "client": ObjectId("0" * 24),
            "model": f"m{number % MODELS}",
            "outcome": "succeeded",
            "simulated": False,
            "created_at": moment + timedelta(minutes=number),
            "cells": [{"cell": "tg128"}],
            **fields,
        }
        for number in range(start, start + count)
    ]
    Result._get_collection().insert_many(made)
    Counter.objects(id="results").update_one(set__value=start + count - 1, upsert=True)


def found(filters=None, before=None, limit=10):
    page = listing.results(filters or ResultFilters(), before, limit)
    return [result.number for result in page.items], page.next


def whole(filters=None, limit=10):
    """All numbers, page by page, and how many pages it took."""
    items, before, pages = [], None, 0
    while before is not None or not pages:
        page, before = found(filters, before, limit)
        items += page
        pages += 1
    return items, pages


def test_an_empty_database_has_an_empty_page(database):
    assert found() == ([], None)
    assert listing.sessions(None, 10).items == []


@pytest.mark.parametrize(("count", "limit", "pages"), [(1, 10, 1), (10, 10, 1), (11, 10, 2), (30, 10, 3), (7, 1, 7)])
def test_pages_hold_everything_once(database, count, limit, pages):
    store(count)

    assert whole(limit=limit) == (list(range(count, 0, -1)), pages)


def test_gaps_between_numbers_do_not_end_a_list(database):
    store(3, start=1)
    store(3, start=5000)

    assert whole(limit=2)[0] == [5002, 5001, 5000, 3, 2, 1]


def test_numbers_that_were_given_out_and_never_stored_do_not_matter(database):
    store(3)
    for _ in range(50):
        numbers.following("results")

    assert found() == ([3, 2, 1], None)


def test_a_place_above_the_newest_starts_at_the_newest(database):
    store(3)

    assert found(before=listing.NUMBER_MAXIMUM) == ([3, 2, 1], None)


def test_a_filter_finds_what_is_far_apart(database):
    store(400)

    items, next_number = found(ResultFilters(model="m0"), limit=100)

    assert (items, next_number) == (list(range(400, 0, -MODELS)), None)


def test_a_page_that_would_read_too_much_ends_early_and_goes_on(database, monkeypatch):
    store(60, valid=False)
    store(1, start=61, valid=True)
    store(60, start=62, valid=False)
    monkeypatch.setattr(listing, "MOST_READ", 20)

    items, pages = whole(ResultFilters(valid=True), limit=2)

    assert items == [61]
    assert pages > 1


def test_since_stops_reading_where_time_is_up(database, monkeypatch):
    store(300)
    monkeypatch.setattr(listing, "MOST_READ", 50)
    moment = Result.objects(number=298).first().created_at

    assert found(ResultFilters(since=moment), limit=10) == ([300, 299, 298], None)


def test_whether_a_real_result_exists(database):
    assert listing.real_exists() is False
    store(30, simulated=True)
    assert listing.real_exists() is False
    store(1, start=31, simulated=False, cells=[])
    assert listing.real_exists() is False, "nothing was measured"
    store(1, start=32, simulated=False)
    assert listing.real_exists() is True


FILTERS = [
    {},
    {"session": "0" * 24},
    {"model": "m1"},
    {"digest": "d"},
    {"client": "0" * 24},
    {"family": "f"},
    {"quantization": "q"},
    {"simulated": "true"},
    {"valid": True, "suite": "standard", "cell": "tg128"},
    {"model": "m1", "client": "0" * 24, "valid": True, "outcome": "failed"},
]


@pytest.mark.parametrize("filters", FILTERS, ids=lambda one: " ".join(one) or "none")
def test_each_question_is_the_whole_key_of_an_index(database, monkeypatch, filters):
    """What the database is asked is read off the real call, then explained by the real database."""
    asked = []
    collection = Result._get_collection()
    real_find = type(collection).find

    def find(self, query, *args, **kwargs):
        if self.name == collection.name:
            asked.append(query)
        return real_find(self, query, *args, **kwargs)

    store(20)
    monkeypatch.setattr(type(collection), "find", find)
    listing.results(ResultFilters(**filters), None, 5)
    monkeypatch.undo()

    keys = {tuple(key for key, _ in index.keys) for index in indexes.INDEXES if index.collection == "results"}
    assert asked
    for query in asked:
        assert tuple(query) in keys
        plan = collection.find(query).explain()["queryPlanner"]["winningPlan"]
        assert plan["inputStage"]["stage"] == "IXSCAN", plan
