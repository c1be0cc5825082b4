"""When a cell is repeated often enough, and the sentence that says so."""

from __future__ import annotations

import dataclasses

import pytest

from agent.obt_agent.contract import CellSpec
from agent.obt_agent.measure_precision import found_half_width, is_precise, why_enough, why_no_time

from .measuring import CHAT, PP512, TG128

DECODE = dataclasses.replace(TG128, max_repetitions=15)
# Six values: the interval is minimum to maximum, here ±2 % of the median.
TWO_PERCENT = [98.0, 99.0, 100.0, 100.0, 101.0, 102.0]
FIVE_PERCENT = [95.0, 99.0, 100.0, 100.0, 101.0, 105.0]


def test_half_the_interval_is_a_share_of_the_median() -> None:
    assert found_half_width(TWO_PERCENT) == pytest.approx(0.02)
    assert found_half_width(FIVE_PERCENT) == pytest.approx(0.05)


def test_a_larger_sample_drops_its_outliers_from_the_interval() -> None:
    assert found_half_width([10.0, *[100.0] * 7, 1000.0]) == 0.0


@pytest.mark.parametrize("values", [[], [100.0], [100.0] * 5, [0.0] * 6])
def test_without_an_interval_nothing_is_precise(values: list[float]) -> None:
    assert found_half_width(values) is None
    assert not is_precise(DECODE, values)


@pytest.mark.parametrize(
    ("spec", "values", "precise"),
    [
        (DECODE, TWO_PERCENT, True),
        (DECODE, [*TWO_PERCENT[:-1], 102.1], False),
        (PP512, FIVE_PERCENT, True),
        (CHAT, FIVE_PERCENT, True),
        (CHAT, [*FIVE_PERCENT[:-1], 105.1], False),
    ],
)
def test_decoding_must_be_within_two_percent_and_the_rest_within_five(
    spec: CellSpec, values: list[float], precise: bool
) -> None:
    assert is_precise(spec, values) is precise


def test_the_end_is_said_with_what_was_reached_and_what_was_asked() -> None:
    assert why_enough(DECODE, TWO_PERCENT) == "precise: the interval is ±2.0 % after 6 repetitions (asked: ±2 %)"
    assert why_enough(DECODE, FIVE_PERCENT) == (
        "enough: 6 repetitions are the most, the interval is ±5.0 % (asked: ±2 %)"
    )
    assert why_enough(DECODE, [1.0, 2.0]).startswith("enough: 2 repetitions are the most, there is no interval")


def test_a_lack_of_time_begins_with_the_word_by_which_the_server_knows_it() -> None:
    assert why_no_time(DECODE, TWO_PERCENT[:4]) == "budget: 4 of 6 repetitions, the time for more was used up"
    assert why_no_time(DECODE, FIVE_PERCENT) == (
        "budget: no time for more than 6 repetitions, the interval is ±5.0 % (asked: ±2 %)"
    )
