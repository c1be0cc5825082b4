"""The statistics of comparisons: held to published values, to scipy's other ways to the same number, and to laws."""

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmarks import statistics
from benchmarks.statistics import Verdict

FEW_VALUES = st.lists(st.integers(1, 6).map(float), min_size=1, max_size=6)  # ties are certain
SPEEDS = st.lists(st.floats(1, 1000), min_size=1, max_size=9)
pytestmark = pytest.mark.filterwarnings("error")


def apart(n, m):
    """Two sides that do not overlap."""
    return [100.0 + i for i in range(n)], [200.0 + i for i in range(m)]


@pytest.mark.parametrize(
    ("n", "m", "p"), [(3, 3, 0.10), (4, 4, 0.029), (5, 5, 0.008), (6, 6, 0.0022), (3, 5, 0.036), (3, 4, 0.057)]
)
def test_sides_that_do_not_overlap_have_the_smallest_p_of_the_tables(n, m, p):
    found = statistics.mann_whitney(*apart(n, m))

    assert found.p == pytest.approx(p, abs=0.0006)
    assert found.p == pytest.approx(statistics.smallest_p(n, m))
    assert found.method == "exact"


@pytest.mark.parametrize(
    ("n", "m", "enough"), [(3, 3, False), (3, 4, False), (3, 5, True), (4, 4, True), (2, 30, False), (0, 9, False)]
)
def test_it_knows_how_few_values_can_never_show_a_difference(n, m, enough):
    assert statistics.enough(n, m) is enough


@given(FEW_VALUES, FEW_VALUES)
@settings(max_examples=60, deadline=None)
def test_with_ties_it_counts_every_arrangement(base, other):
    values = [*base, *other]
    ranks = stats.rankdata(values)
    sums = [sum(ranks[list(chosen)]) for chosen in itertools.combinations(range(len(values)), len(base))]
    seen = sum(ranks[: len(base)])
    tails = [sum(one <= seen + 1e-9 for one in sums), sum(one >= seen - 1e-9 for one in sums)]

    assert statistics.mann_whitney(base, other).p == pytest.approx(min(1, 2 * min(tails) / len(sums)))


def test_with_ties_it_agrees_with_scipys_permutations():
    base, other = [10.0, 11, 11, 12, 13, 13], [11.0, 13, 14, 14, 15, 15]

    expected = stats.mannwhitneyu(base, other, method=stats.PermutationMethod(n_resamples=np.inf)).pvalue

    found = statistics.mann_whitney(base, other)
    assert (found.p, found.method) == (pytest.approx(expected), "exact, with ties")


@given(SPEEDS, SPEEDS)
@settings(max_examples=40, deadline=None)
def test_it_does_not_matter_which_side_is_first(base, other):
    assert statistics.mann_whitney(base, other).p == pytest.approx(statistics.mann_whitney(other, base).p)


def test_equal_values_are_no_evidence_at_all():
    assert statistics.mann_whitney([5.0] * 6, [5.0] * 6).p == 1
    assert statistics.mann_whitney([5.0] * 200, [5.0] * 200).p == 1


def test_many_values_are_approximated_and_it_says_so():
    chance = random.Random(1)
    base, other = ([chance.gauss(100 + up, 5) for _ in range(80)] for up in (0, 1))

    found = statistics.mann_whitney(base, other)

    assert found.method == "normal approximation"
    assert found.p == pytest.approx(stats.mannwhitneyu(base, other, method="exact").pvalue, rel=0.02)


@pytest.mark.parametrize("sides", [([], [1.0]), ([1.0], [])])
def test_a_side_without_values_is_refused(sides):
    with pytest.raises(ValueError, match="both sides"):
        statistics.mann_whitney(*sides)
    with pytest.raises(ValueError, match="both sides"):
        statistics.change(*sides)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
@settings(deadline=None)
def test_the_correction_is_the_step_up_of_benjamini_and_hochberg(ps):
    order = sorted(range(len(ps)), key=lambda i: ps[i])
    expected = [0.0] * len(ps)
    smallest = 1.0
    for rank in range(len(ps), 0, -1):
        smallest = min(smallest, ps[order[rank - 1]] * len(ps) / rank)
        expected[order[rank - 1]] = smallest

    assert statistics.corrected(ps) == pytest.approx(expected)


def test_nothing_to_correct_is_nothing():
    assert statistics.corrected([]) == []


@given(SPEEDS, st.floats(0.5, 2))
@settings(max_examples=60, deadline=None)
def test_a_side_that_is_the_other_times_a_factor_has_changed_by_that_factor(base, factor):
    found = statistics.change(base, [factor * value for value in base])

    assert found.change == pytest.approx(factor - 1, abs=1e-9)
    assert found.low is None or found.low <= found.change + 1e-9 <= found.high + 2e-9


def test_the_interval_has_the_ranks_of_the_tables_and_its_exact_coverage():
    """Hollander and Wolfe's table for 5 against 5: the 3rd smallest and 3rd largest, 96.8 %."""
    base, other = [100.0, 101, 103, 107, 115], [110.0, 113, 119, 127, 131]
    ratios = sorted(two / one - 1 for one in base for two in other)

    found = statistics.change(base, other)

    assert (found.low, found.high) == (pytest.approx(ratios[2]), pytest.approx(ratios[-3]))
    assert found.coverage == pytest.approx(0.968, abs=0.0005)


def test_too_few_values_have_no_interval():
    found = statistics.change([100.0, 101, 102], [110.0, 111, 112])

    assert (found.low, found.high, found.coverage) == (None, None, None)


@given(
    st.lists(st.floats(50, 150), min_size=4, max_size=9, unique=True),
    st.lists(st.floats(50, 150), min_size=4, max_size=9, unique=True),
)
@settings(max_examples=80, deadline=None)
def test_the_interval_leaves_zero_out_exactly_when_the_test_is_significant(base, other):
    if len({*base, *other}) < len(base) + len(other):
        return
    found = statistics.change(base, other)

    assert (found.low > 0 or found.high < 0) == (statistics.mann_whitney(base, other).p < 0.05)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    chance = random.Random(4)
    held = 0
    for _ in range(400):
        base, other = ([math.exp(chance.gauss(up, 0.1)) for _ in range(6)] for up in (0, math.log(1.1)))
        found = statistics.change(base, other)
        held += found.low <= 0.1 <= found.high

    assert 0.925 <= held / 400 <= 0.99


def test_zero_has_no_ratio():
    assert statistics.change([0.0, 1, 2, 3], [5.0, 6, 7, 8]) is None


def said(base, other, **fields):
    p = statistics.mann_whitney(base, other).p
    return statistics.verdict(base, other, p, **{"higher_is_better": True, **fields})


def test_a_higher_rate_is_faster_and_a_higher_latency_slower():
    base, other = [100.0, 101, 102, 103], [110.0, 111, 112, 113]

    assert said(base, other) is Verdict.FASTER
    assert said(other, base) is Verdict.SLOWER
    assert said(base, other, higher_is_better=False) is Verdict.SLOWER
    assert said(other, base, higher_is_better=False) is Verdict.FASTER


def test_a_certain_change_below_three_percent_is_none():
    base = [100.0 + i / 1000 for i in range(6)]

    assert said(base, [1.029 * value for value in base]) is Verdict.SAME
    assert said(base, [1.031 * value for value in base]) is Verdict.FASTER
    assert said(base, [value / 1.031 for value in base]) is Verdict.SLOWER


def test_a_large_change_that_chance_explains_is_none():
    assert said([100.0, 150, 90, 160], [170.0, 140, 95, 180]) is Verdict.SAME


def test_three_against_three_is_too_few_however_far_apart():
    assert said([1.0, 2, 3], [100.0, 200, 300]) is Verdict.TOO_FEW


def test_from_nothing_to_something_is_large_enough():
    assert said([0.0] * 5, [1.0, 2, 3, 4, 5]) is Verdict.FASTER


def test_a_drift_is_the_last_third_against_the_first():
    found = statistics.drift([100.0, 102, 104, 106, 108, 110])

    assert found.change == pytest.approx(109 / 101 - 1)
    assert found.drifted
    assert found.steady


@given(st.lists(st.floats(50, 150), min_size=6, max_size=20))
@settings(max_examples=60, deadline=None)
def test_its_slope_is_theil_and_sens(values):
    expected = stats.theilslopes(values).slope / np.median(values)

    assert statistics.drift(values).per_sample == pytest.approx(expected, abs=1e-12)


def test_within_three_percent_nothing_drifted():
    assert not statistics.drift([100.0, 100, 101, 101, 102, 102]).drifted


def test_two_slow_samples_at_the_end_are_no_steady_trend():
    found = statistics.drift([100.0, 100, 100, 100, 100, 100, 100, 100, 90, 90, 90])

    assert (found.drifted, found.steady) == (True, False)


@pytest.mark.parametrize("values", [[], [100.0] * 5, [0.0, 0, 1, 2, 3, 4]])
def test_what_is_too_short_or_begins_at_nothing_has_no_drift(values):
    assert statistics.drift(values) is None
