"""Changes on an axis centred on 0, and one number over months."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from obt_site import charts
from obt_site.charts import HistoryMark, HistoryPoint
from obt_site.charts.changes import MOST_POINTS, thinned
from obt_site.charts.history import time_ticks

DAY_S = 86400.0


def read(markup: str) -> ElementTree.Element:
    return ElementTree.fromstring(f"<x>{markup}</x>")


def named(markup: str, name: str) -> list[ElementTree.Element]:
    return [node for node in read(markup).iter() if name in (node.get("class") or "").split()]


def row(change: object = 0.1, low: object = 0.05, high: object = 0.15, tone: str = "good", scale: float = 0.2) -> str:
    return charts.change_row(change, low, high, tone, [0.0, 0.01], [0.1, 0.11], scale, 0.03, "faster")


def test_nothing_lies_in_the_middle_and_better_and_worse_to_its_sides() -> None:
    places = [float((dot.get("cx") or "").rstrip("%")) for dot in named(row(), "md")]
    assert places == [75.0]
    assert named(row(change=-0.1), "md")[0].get("cx") == "25.00%"
    assert named(row(change=0.0), "md")[0].get("cx") == "50.00%"


def test_the_zone_that_never_counts_is_shaded_around_nothing() -> None:
    (zone,) = named(row(), "zone")
    assert (zone.get("x"), zone.get("width")) == ("42.50%", "15.00%")


def test_the_colour_is_the_judgement_and_not_the_direction() -> None:
    assert named(row(change=-0.1, tone="good"), "good")
    assert named(row(change=0.1, tone="bad"), "bad")


def test_the_values_of_both_sides_are_drawn() -> None:
    assert (len(named(row(), "pa")), len(named(row(), "pb"))) == (2, 2)


def test_without_an_interval_the_change_is_a_ring_without_whisker() -> None:
    picture = row(low=None, high=None)
    assert named(picture, "few")
    assert not named(picture, "iv-l")


def test_what_lies_beyond_the_axis_is_an_arrow_at_its_edge() -> None:
    picture = row(change=3.0, low=2.9, high=3.1)
    assert not named(picture, "md")
    assert named(picture, "ar")


def test_what_cannot_be_compared_is_hatched_and_says_why() -> None:
    picture = charts.change_missing(0.2, 0.03, "another context")
    assert "url(#hx)" in picture
    assert "another context" in picture


def test_the_axis_holds_every_change_and_is_never_smaller_than_the_noise() -> None:
    assert charts.change_scale([(0.1, 0.05, 0.17)]) >= 0.17
    assert charts.change_scale([(0.001, None, None)]) >= 0.05
    assert charts.change_scale([(9.0, 8.0, 10.0)]) == 2.0
    assert charts.change_scale([]) > 0


def test_the_axis_says_percent_once() -> None:
    words = [node.text for node in read(charts.change_axis(0.1)).iter() if node.tag == "text"]
    assert words[-1] == "+10 %"
    assert "0" in words
    assert sum("%" in (word or "") for word in words) == 1


def test_many_values_keep_their_ends() -> None:
    kept = thinned([float(i) for i in range(500)])
    assert (len(kept), kept[0], kept[-1]) == (MOST_POINTS, 0.0, 499.0)


def points(*values: float | None, days: tuple[float, ...] = ()) -> list[HistoryPoint]:
    at = days or tuple(range(len(values)))
    return [
        HistoryPoint(day * DAY_S, value, value and value - 1, value and value + 1, 6, label=f"at {day}", url="/r")
        for day, value in zip(at, values, strict=True)
    ]


def test_each_result_is_a_point_with_whisker_and_link() -> None:
    picture = charts.history_chart(points(100.0, 101.0, 99.0), [], "tok/s")
    assert len(named(picture, "pt")) == 3
    assert len([node for node in read(picture).iter() if node.tag == "a"]) == 3
    assert len(named(picture, "hl")) == 1


def test_time_is_to_scale() -> None:
    picture = charts.history_chart(points(1.0, 2.0, 3.0, days=(0, 1, 10)), [], "s")
    first, second, last = (float((dot.get("cx") or "").rstrip("%")) for dot in named(picture, "pt"))
    assert (second - first) * 9 == pytest.approx(last - second, rel=0.01)


def test_a_change_and_a_result_without_a_number_and_a_long_pause_break_the_line() -> None:
    lines = lambda picture: [node.get("points", "").split() for node in named(picture, "hl")]  # noqa: E731
    assert lines(charts.history_chart(points(1.0, 2.0, 3.0), [HistoryMark(1.5 * DAY_S, 1, "Ollama 2")], "s"))[0][1:]
    assert len(lines(charts.history_chart(points(1.0, 2.0, None, 3.0, 4.0), [], "s"))) == 2
    assert len(lines(charts.history_chart(points(1.0, 2.0, 3.0, 4.0, 5.0, days=(0, 1, 2, 30, 31)), [], "s"))) == 2


def test_a_result_without_a_number_is_a_cross_on_the_floor() -> None:
    picture = charts.history_chart(points(1.0, None), [], "s")
    assert len(named(picture, "pt-x")) == 1


def test_marks_have_numbers_and_names_that_give_way_where_there_is_no_room() -> None:
    marks = [HistoryMark(DAY_S * (1 + i / 100), i + 1, f"Ollama 0.{i}") for i in range(5)]
    picture = charts.history_chart(points(1.0, 2.0, days=(0, 100)), marks, "s")
    words = [node.text for node in named(picture, "nar")]
    assert words[:3] == ["1 Ollama 0.0", "2 Ollama 0.1", "3 Ollama 0.2"]
    assert words[3:] == ["4", "5"]


def test_without_any_number_it_says_so() -> None:
    assert "No result has this number." in charts.history_chart(points(None, None), [], "s")


@pytest.mark.parametrize(
    ("days", "first"), [(0.2, "00:00"), (3, "1 Jan"), (40, "1 Jan"), (400, "Jan 1970"), (9000, "Jan 1970")]
)
def test_the_time_axis_has_few_round_moments(days: float, first: str) -> None:
    found = time_ticks(0.0, days * DAY_S)
    assert 2 <= len(found) <= 9
    assert found[0][1] == first or len(found) > 2
