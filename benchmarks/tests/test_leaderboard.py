"""Sizes of models as the board of machines reads them."""

import itertools

import pytest

from benchmarks.presenters.leaderboard import SIZES, billions_of


@pytest.mark.parametrize(
    ("text", "billions"),
    [("3.2B", 3.2), ("270M", 0.27), ("8x7B", 56.0), (" 13b ", 13.0), ("", None), (None, None), ("big", None)],
)
def test_a_size_in_words_is_a_number_of_billions(text, billions):
    assert billions_of(text) == (None if billions is None else pytest.approx(billions))


def test_the_classes_leave_no_gap():
    ends = [(low, high) for _, low, high in SIZES.values()]

    assert ends[0][0] == 0
    assert all(before[1] == after[0] for before, after in itertools.pairwise(ends))
    assert ends[-1][1] == float("inf")
