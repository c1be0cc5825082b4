"""Exploring short results: what fits, counts under the other filters, order, groups."""

from array import array
from datetime import UTC, datetime, timedelta

import pytest

from benchmarks import explore
from benchmarks.explore import Filters, Order
from benchmarks.shelf import Short, layout_of

START = datetime(2026, 11, 1, tzinfo=UTC)
LAYOUT = layout_of((("tg128", "decode", ("decode_rate",)), ("chat512/128", "chat", ("ttft",))))
NOTHING = layout_of(())


def one(number: int, rate: float | None = 10.0, ttft: float = 100.0, **fields: object) -> Short:
    numbers = [] if rate is None else [rate, rate * 0.9, rate * 1.1, 6.0, ttft, ttft, ttft, 6.0]
    known: dict[str, object] = {
        "id": f"r{number}", "number": number, "session": "s1", "session_number": 1, "client": "c1",
        "client_name": "forge", "model": "m:1b", "digest": None, "family": "m", "quantization": "Q4_K_M",
        "parameter_size": "1B", "suite": "standard", "suite_version": "1", "ollama_version": "0.24.0",
        "hardware_config": None, "outcome": "succeeded" if rate else "failed", "simulated": False,
        "valid": rate is not None, "created_at": START + timedelta(hours=number), "gpu_share": None,
        "cells": frozenset({"tg128", "chat512/128"}), "layout": NOTHING if rate is None else LAYOUT,
        "values": array("d", numbers), "left_out": 0, "options": (None, None, None), **fields,
    }  # fmt: skip
    return Short(**known)  # type: ignore[arg-type]


def fitting(shorts: list[Short], filters: Filters) -> list[int]:
    hides = explore.leaves_simulated_out(shorts, filters)
    return [each.number for each in explore.find(shorts, filters, hides).fitting]


SHORTS = [
    one(6, model="a:1b", client="c2", family=None),
    one(5, model="b:1b", ollama_version="0.9.6"),
    one(4, model="a:1b", rate=None),
    one(3, model="a:1b", cells=frozenset(), rate=None),
    one(2, model="a:1b", quantization="F16"),
    one(1, model="Big:1b", session="s0", simulated=True),
]


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        (Filters(), [6, 5, 4, 2]),
        (Filters(any_outcome=True), [6, 5, 4, 3, 2]),
        (Filters({"outcome": frozenset({"failed"})}), [4, 3]),
        (Filters({"model": frozenset({"a:1b", "b:1b"}), "client": frozenset({"c1"})}), [5, 4, 2]),
        (Filters({"family": frozenset({"m"})}), [5, 4, 2]),
        (Filters({"valid": frozenset({"false"})}), [4]),
        (Filters({"session": frozenset({"s0"})}), [1]),
        (Filters(simulated="any"), [6, 5, 4, 2, 1]),
        (Filters(simulated="true"), [1]),
        (Filters(search="BIG", simulated="any"), [1]),
        (Filters(cell="tg128"), [6, 5, 4, 2]),
        (Filters(cell="tg9"), []),
        (Filters(since=START + timedelta(hours=4), until=START + timedelta(hours=6)), [5, 4]),
        (Filters(results=frozenset({"r3", "r1"})), [3, 1]),
        (Filters(upto=4), [4, 2]),
    ],
)
def test_a_filter_lets_through_what_fits(filters, numbers):
    assert fitting(SHORTS, filters) == numbers


def test_the_simulators_are_there_as_long_as_there_is_nothing_else():
    assert fitting([one(1, simulated=True)], Filters()) == [1]


def test_a_value_counts_what_it_would_give_under_the_other_filters():
    found = explore.find(SHORTS, Filters({"model": frozenset({"b:1b"}), "client": frozenset({"c1"})}), True)

    under = found.under_others("model")
    counted = explore.counts(under, "model", explore.places(under, only_latest=False))

    assert counted == {"a:1b": 2, "b:1b": 1}


def test_where_only_the_latest_show_counts_are_of_those():
    at = explore.places(SHORTS, only_latest=True)
    assert explore.counts(SHORTS, "model", at)["a:1b"] == 2
    assert explore.cell_counts(SHORTS, at)["tg128"] == 4
    assert explore.rows(SHORTS, only_latest=True) == 4


def test_the_latest_is_the_newest_valid_one_or_the_newest_of_all():
    invalid = one(9, rate=None)
    assert [each.number for each in explore.latest([invalid, one(8), one(7)])] == [8]
    assert [each.number for each in explore.latest([invalid, one(8, rate=None)])] == [9]
    assert [each.number for each in explore.latest([one(9, simulated=True), one(8)])] == [9, 8]


@pytest.mark.parametrize(
    ("order", "numbers"),
    [
        (Order("decode_rate"), [2, 1, 3, 4]),
        (Order("decode_rate", reverse=True), [3, 2, 1, 4]),
        (Order("ttft"), [3, 2, 1, 4]),
        (Order("when"), [4, 3, 2, 1]),
        (Order("when", reverse=True), [1, 2, 3, 4]),
        (Order("machine"), [3, 4, 2, 1]),
    ],
)
def test_the_best_is_first_and_what_has_no_number_is_last_both_ways(order, numbers):
    shorts = [
        one(1, 20.0, 30.0), one(2, 20.0, 20.0), one(3, 10.0, 10.0, client_name="Atlas"),
        one(4, None, client_name="Bench"),
    ]  # fmt: skip
    assert [each.number for each in explore.ordered(shorts, order, None)] == (
        numbers if order.key != "machine" else [3, 4, 2, 1]
    )


def test_a_cell_asked_for_is_what_counts():
    assert [each.number for each in explore.ordered([one(1), one(2)], Order("decode_rate"), "pp512")] == [2, 1]


def test_the_newest_group_is_first_and_the_best_in_it():
    shorts = [one(4, 10.0, model="a"), one(3, 50.0, model="b"), one(2, 30.0, model="a"), one(1, None, model="a")]

    first, second = explore.grouped(shorts, "model", "decode_rate", None, None)

    assert (first.value, [each.number for each in first.items]) == ("a", [2, 4, 1])
    assert (first.best, first.middle, first.measured) == (30.0, 20.0, 2)
    assert second.value == "b"


def test_under_an_order_groups_stand_where_their_first_row_does():
    shorts = [one(4, 10.0, model="a"), one(3, 50.0, model="b"), one(2, 30.0, model="a")]
    groups = explore.grouped(shorts, "model", "decode_rate", None, Order("decode_rate"))
    assert [group.value for group in groups] == ["b", "a"]


def test_a_group_without_numbers_has_no_best():
    (group,) = explore.grouped([one(1, None)], "model", "decode_rate", None, None)
    assert (group.best, group.middle, group.measured) == (None, None, 0)


def test_versions_are_in_the_order_of_their_numbers():
    versions = ["0.9.6", "0.24.0", "0.24.0-rc1", "0.33.3", "٣.x", "9" * 5000]
    ordered = sorted(versions[:4], key=explore.version_key)
    assert ordered == ["0.33.3", "0.24.0", "0.24.0-rc1", "0.9.6"]
    assert all(explore.version_key(version) for version in versions)
