"""The scatter: points that lead somewhere, axes that say which way is better, an edge that nothing beats."""

import re

import pytest

from obt_site.charts import Axis, ScatterPoint, pareto_edge, scatter
from obt_site.charts.scatter import Scale
from obt_site.tests.people import links, words

RATE = Axis("Decode", "tok/s", higher_is_better=True)
ENERGY = Axis("Energy", "J/tok", higher_is_better=False)


def point(x: float, y: float, title: str = "m on forge", series: int | None = 1) -> ScatterPoint:
    return ScatterPoint(x, y, title, f"/results/{x}-{y}", series)


@pytest.mark.parametrize(
    ("x_higher", "y_higher", "edge"),
    [(True, True, [3, 1]), (True, False, [3, 0]), (False, True, [0, 2, 1]), (False, False, [0])],
)
def test_the_edge_is_what_nothing_beats_in_both(x_higher, y_higher, edge):
    points = [(1, 1), (2, 4), (1.5, 2), (3, 2), (2, 2)]
    assert pareto_edge(points, x_higher, y_higher) == edge


def test_of_equal_points_one_is_on_the_edge():
    assert pareto_edge([(1, 1), (1, 1)], True, True) == [0]
    assert pareto_edge([], True, True) == []


def test_no_point_off_the_edge_is_as_good_in_both_as_one_on_it():
    points = [(float(i * 37 % 101), float(i * 53 % 89)) for i in range(200)]
    edge = pareto_edge(points, True, False)
    for place, (x, y) in enumerate(points):
        beaten = any(points[e][0] >= x and points[e][1] <= y for e in edge)
        assert beaten, place
    assert [points[e][0] for e in edge] == sorted((points[e][0] for e in edge), reverse=True)


def test_each_point_leads_to_its_result_and_both_axes_say_which_way_is_better():
    markup = scatter([point(1, 2)], [point(3, 1)], RATE, ENERGY)

    assert links(markup) == ["/results/1-2", "/results/3-1"]
    assert "Decode, tok/s (higher is better →)" in words(markup)
    assert "Energy, J/tok (lower is better ↓)" in words(markup)


def test_only_the_edge_is_reached_by_keyboard():
    markup = scatter([point(1, 2)], [point(3, 1)], RATE, ENERGY)
    assert markup.count('tabindex="-1"') == 1


def test_values_far_apart_are_on_a_logarithmic_scale_and_the_axis_says_so():
    assert "tok/s (higher is better →), logarithmic" in words(scatter([point(1, 2), point(900, 3)], [], RATE, ENERGY))
    assert "logarithmic" not in words(scatter([point(100, 2), point(120, 3)], [], RATE, ENERGY))


@pytest.mark.parametrize("values", [[1.0, 1.0], [0.02, 5000.0], [1e-9, 1e9], [0.0, 50.0], [0.0], [-3.0, 80.0], [7.0]])
def test_every_value_lies_on_its_scale(values):
    scale = Scale(values)
    assert all(-1e-9 <= scale.at(value) <= 1 + 1e-9 for value in values)
    assert all(-1e-9 <= scale.at(tick) <= 1 + 1e-9 for tick in scale.ticks)
    assert len({scale.word(tick) for tick in scale.ticks}) == len(scale.ticks)


def test_a_hostile_name_stays_a_name():
    markup = scatter([point(1, 2, '"><script>x</script>')], [], RATE, ENERGY)
    assert "<script" not in markup


def test_the_seventh_machine_is_grey():
    classes = re.findall(
        r'class="dot (c\d)"', scatter([point(1, 2, series=7), point(2, 3, series=None)], [], RATE, ENERGY)
    )
    assert classes == ["c0", "c0"]


def test_without_a_point_it_says_why():
    assert "Nothing to draw." in words(scatter([], [], RATE, ENERGY, "Nothing to draw."))
