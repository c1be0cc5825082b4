"""The fleet's models: the order of rows, and the place a page goes on from."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import catalogue
from benchmarks.catalogue import ModelRow

SORTS = ["name", "-name", "size", "-size", "clients", "-clients"]
NAMES = st.text("abAB:1é", min_size=1, max_size=3)


def row(name, digest, size, clients):
    return ModelRow(name, digest, size, None, None, None, None, (), None, False, tuple(map(str, range(clients))))


ROWS = st.lists(
    st.builds(row, NAMES, NAMES, st.none() | st.integers(0, 3), st.integers(1, 3)),
    max_size=12,
    unique_by=lambda one: (one.name, one.digest),
)


@given(ROWS, st.sampled_from(SORTS))
def test_going_on_after_any_row_gives_exactly_the_rows_behind_it(rows, sort):
    ordered = catalogue.in_order(rows, sort)

    for i, one in enumerate(ordered):
        assert catalogue.after(ordered, sort, catalogue.place(one, sort)) == ordered[i + 1 :]


@given(ROWS)
def test_descending_names_are_ascending_names_backwards(rows):
    assert catalogue.in_order(rows, "-name") == catalogue.in_order(rows, "name")[::-1]


@given(ROWS, st.sampled_from(["size", "-size"]))
def test_sizes_follow_their_direction(rows, sort):
    sizes = [one.size_bytes or 0 for one in catalogue.in_order(rows, sort)]

    assert all((a <= b) if sort == "size" else (a >= b) for a, b in pairwise(sizes))


@pytest.mark.parametrize("sort", SORTS)
def test_a_row_that_is_gone_still_marks_its_place(sort):
    rows = catalogue.in_order([row("a", "1", 1, 1), row("b", "1", 2, 2), row("c", "1", 3, 3)], sort)
    gone = rows.pop(1)

    assert catalogue.after(rows, sort, catalogue.place(gone, sort)) == rows[1:]
