"""The summary's numbers against hand calculation, published tables, and simulation."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.obt_agent.statistics import coverage, half_width, interval_rank, median, quantile, summarise

FINITE = st.floats(min_value=-1e9, max_value=1e9, allow_nan=False)


def test_the_median_of_an_even_number_is_the_mean_of_the_middle_two() -> None:
    assert median([4, 1, 3, 2]) == 2.5
    assert median([3, 1, 2]) == 2


def test_no_values_have_no_median_and_no_summary() -> None:
    assert summarise([]) is None
    with pytest.raises(ValueError, match="no values"):
        median([])


def test_a_value_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        summarise([1.0, float("nan")])


def test_quartiles_are_numpys_default() -> None:
    assert quantile([1, 2, 3, 4], 0.25) == 1.75
    assert quantile([1, 2, 3, 4], 0.75) == 3.25


@pytest.mark.parametrize(("n", "percent"), [(5, 93.75), (6, 96.875), (8, 99.21875)])
def test_the_range_covers_the_median_with_the_exact_binomial_probability(n: int, percent: float) -> None:
    assert coverage(n, 1) * 100 == percent


@pytest.mark.parametrize(("n", "rank"), [(1, None), (5, None), (6, 1), (8, 1), (9, 2), (12, 3), (15, 4), (20, 6)])
def test_interval_ranks_are_those_of_the_published_tables(n: int, rank: int | None) -> None:
    assert interval_rank(n) == rank


def test_five_values_have_a_range_and_no_interval() -> None:
    summary = summarise([5, 1, 4, 2, 3])
    assert summary is not None
    assert not summary.interval
    assert summary.coverage is None
    assert (summary.low, summary.median, summary.high) == (1, 3, 5)


def test_six_values_have_an_interval_from_minimum_to_maximum() -> None:
    summary = summarise([6, 1, 5, 2, 4, 3])
    assert summary is not None
    assert summary.interval
    assert summary.coverage == 0.96875
    assert (summary.low, summary.median, summary.high) == (1, 3.5, 6)
    assert summary.iqr == 2.5
    assert summary.cv == pytest.approx(1.8708286933869707 / 3.5)


def test_nine_values_drop_the_extremes_from_the_interval_but_not_from_the_summary() -> None:
    summary = summarise([*range(1, 9), 1000])
    assert summary is not None
    assert (summary.low, summary.high) == (2, 8)
    assert (summary.minimum, summary.maximum) == (1, 1000)


def test_half_the_width_is_a_share_of_the_median_and_needs_an_interval() -> None:
    six, five, around_zero = summarise([96, 99, 100, 100, 101, 104]), summarise([1, 2, 3, 4, 5]), summarise([-1, 1] * 3)
    assert six is not None
    assert half_width(six) == pytest.approx(0.04)
    assert five is not None
    assert half_width(five) is None
    assert around_zero is not None
    assert half_width(around_zero) is None


def test_one_value_is_its_own_range_without_a_spread() -> None:
    summary = summarise([7.0])
    assert summary is not None
    assert (summary.low, summary.high, summary.iqr, summary.cv) == (7.0, 7.0, 0.0, None)


def test_a_mean_of_zero_has_no_coefficient_of_variation() -> None:
    summary = summarise([-1.0, 1.0])
    assert summary is not None
    assert summary.cv is None


def test_the_interval_covers_the_true_median_of_a_skewed_distribution_as_often_as_it_says() -> None:
    draw = random.Random(7)
    trials, true_median = 4000, 0.6931471805599453  # ln 2, of the exponential distribution
    hits = 0
    for _ in range(trials):
        summary = summarise([draw.expovariate(1.0) for _ in range(10)])
        assert summary is not None
        hits += summary.low <= true_median <= summary.high
    assert hits / trials == pytest.approx(coverage(10, 2), abs=0.01)


@given(st.lists(FINITE, min_size=1, max_size=60))
def test_the_parts_of_a_summary_are_in_order(values: list[float]) -> None:
    summary = summarise(values)
    assert summary is not None
    slack = 1e-6 * max(1.0, abs(summary.minimum), abs(summary.maximum))
    assert summary.minimum <= summary.low <= summary.median + slack
    assert summary.median - slack <= summary.high <= summary.maximum
    assert summary.iqr >= 0
    assert summary.interval == (len(values) >= 6)
