"""Pictures: right places, missing data drawn as missing, nothing unescaped, nothing the CSP forbids."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obt_site import charts
from obt_site.charts import LaneBlock, Panel, Phase, SamplePoint, svg
from obt_site.charts.figures import thin_out

HOSTILE = '"><script>alert(1)</script>&'
NUMBERS = st.one_of(st.none(), st.floats(), st.integers(-(10**6), 10**6))


def parsed(markup: str) -> ElementTree.Element:
    return ElementTree.fromstring(f"<root>{markup}</root>")


def with_class(markup: str, name: str) -> list[ElementTree.Element]:
    return [node for node in parsed(markup).iter() if name in (node.get("class") or "").split()]


def percent(node: ElementTree.Element, key: str) -> float:
    return float((node.get(key) or "").rstrip("%"))


ALL_WITH_HOSTILE_TEXT: dict[str, Callable[[], str]] = {
    "glyph": lambda: charts.glyph("ring", HOSTILE, HOSTILE),
    "meter": lambda: charts.meter(1, 2, HOSTILE, HOSTILE),
    "share_bar": lambda: charts.share_bar(0.5, HOSTILE),
    "sparkline": lambda: charts.sparkline([1, 2], 0, 3, HOSTILE, HOSTILE),
    "whisker": lambda: charts.whisker(2, 1, 3, 6, label=HOSTILE),
    "sample_dots": lambda: charts.sample_dots([HOSTILE, "now"], HOSTILE),
    "progress_bar": lambda: charts.progress_bar(0.5, 0.2, label=HOSTILE),
    "bar_axis": lambda: charts.bar_axis(10, HOSTILE),
    "bar_missing": lambda: charts.bar_missing(10, HOSTILE),
    "result_bar": lambda: charts.result_bar(5, 4, 6, 6, 10, 1, HOSTILE),
    "hatch": lambda: charts.hatch(HOSTILE),
    "empty_picture": lambda: charts.empty_picture(HOSTILE),
    "samples_chart": lambda: charts.samples_chart([SamplePoint(HOSTILE, 1.0, "left_out", HOSTILE)], HOSTILE, 1.0),
    "telemetry_panels": lambda: charts.telemetry_panels(
        [Panel(HOSTILE, HOSTILE, [(0, 1.0), (1, 2.0)], note=HOSTILE), Panel("x", "", [], missing_reason=HOSTILE)],
        [Phase(HOSTILE, 0, 1)],
    ),
    "lane_blocks": lambda: charts.lane_blocks([LaneBlock(HOSTILE, 0, 9, "failed", note=HOSTILE)], 0, 10, 5, HOSTILE),
}


@pytest.mark.parametrize("name", ALL_WITH_HOSTILE_TEXT)
def test_no_text_becomes_markup_and_nothing_is_styled_inline(name: str) -> None:
    markup = ALL_WITH_HOSTILE_TEXT[name]()
    assert "<script" not in markup
    names = {key for node in parsed(markup).iter() for key in node.attrib}
    assert not {key for key in names if key == "style" or key.startswith("on")}


@given(NUMBERS, NUMBERS, NUMBERS, st.integers(0, 20), NUMBERS)
def test_no_number_however_wrong_breaks_a_small_picture(
    value: float | None, low: float | None, high: float | None, n: int, other: float | None
) -> None:
    for markup in (
        charts.whisker(value, low, high, n),
        charts.whisker(value, low, high, n, 0, 1),
        charts.result_bar(value, low, high, n, other),
        charts.meter(value, other),
        charts.share_bar(value),
        charts.sparkline([value, low, high]),
        charts.progress_bar(value, low, high),
        charts.bar_axis(other, "tok/s"),
    ):
        parsed(markup)
        assert not re.search(r"\b(nan|inf)\b", markup)
        for share in re.findall(r'"(-?[\d.]+)%"', markup):
            assert 0 <= float(share) <= 100


def test_a_meter_is_as_long_as_its_share() -> None:
    (bar,) = with_class(charts.meter(6, 24, "acc"), "fg")
    assert bar.get("width") == "25.00%"


def test_a_meter_without_a_value_is_dotted_and_not_empty() -> None:
    assert with_class(charts.meter(None, 24), "no")
    assert not with_class(charts.meter(None, 24), "fg")


def test_a_sparkline_keeps_its_fixed_scale() -> None:
    (line,) = parsed(charts.sparkline([0, 50, 100])).iter("polyline")
    assert line.get("points") == "0.0,100.0 50.0,50.0 100.0,0.0"


def test_a_sparkline_breaks_where_a_reading_is_missing() -> None:
    assert len(list(parsed(charts.sparkline([1, None, 3])).iter("polyline"))) == 2


def test_thinning_keeps_peaks_dips_and_gaps() -> None:
    values: list[float | None] = [50.0] * 1000
    values[333], values[777], values[500] = 99.0, 1.0, None
    thin = thin_out(values, 100)
    assert len(thin) < 250
    assert {99.0, 1.0, None} <= set(thin)


def test_a_whisker_of_six_samples_has_caps() -> None:
    assert len(with_class(charts.whisker(127.4, 126.1, 128.3, 6), "iv-l")) == 3


def test_fewer_than_six_samples_are_dashed_and_without_caps() -> None:
    lines = with_class(charts.whisker(2.84, 2.74, 2.97, 5), "iv-l")
    assert [line.get("class") for line in lines] == ["iv-l rg"]


def test_a_whisker_folds_into_its_dot_on_a_coarse_scale() -> None:
    assert len(with_class(charts.whisker(127.4, 126.1, 128.3, 6, 0, 280), "iv-l")) == 1


def test_an_end_outside_the_scale_has_no_cap() -> None:
    assert len(with_class(charts.whisker(10, 9.9, 20, 6, 9.5, 10.5), "iv-l")) == 2


def test_the_dot_stands_at_the_median() -> None:
    (dot,) = with_class(charts.whisker(75, 70, 80, 6, 50, 100), "md")
    assert dot.get("cx") == "50.00%"


def test_a_missing_median_draws_no_dot() -> None:
    markup = charts.whisker(None, 1, 2, 6)
    assert with_class(markup, "no")
    assert not with_class(markup, "md")


def test_a_seventh_machine_is_grey() -> None:
    assert with_class(charts.result_bar(5, 4, 6, 6, 10, 6), "c6")
    assert with_class(charts.result_bar(5, 4, 6, 6, 10, 7), "c0")
    assert with_class(charts.result_bar(5, 4, 6, 6, 10, None), "c0")


def test_bars_of_a_table_share_the_axis_of_its_header() -> None:
    labels = [node.text for node in parsed(charts.bar_axis(128.3, "tok/s")).iter("text")]
    assert labels == ["0", "25", "50", "75", "100", "125", "150 tok/s"]
    (bar,) = with_class(charts.result_bar(75, 74, 76, 6, 128.3, 1), "bar")
    assert bar.get("width") == "50.00%"
    grid = with_class(charts.result_bar(75, 74, 76, 6, 128.3, 1), "g")
    assert len(grid) == len(labels) - 1


def test_a_result_without_a_value_is_hatched() -> None:
    markup = charts.result_bar(None, None, None, 0, 100, missing_reason="does not fit")
    assert 'fill="url(#hx)"' in markup
    assert "does not fit" in markup
    assert not with_class(markup, "bar")


@given(st.floats(1e-6, 1e9))
def test_a_round_end_holds_its_value_and_is_its_own_answer(value: float) -> None:
    top = svg.nice_top(value)
    assert top >= value * (1 - 1e-9)
    assert top <= value * 2
    assert math.isclose(svg.nice_top(top), top, rel_tol=1e-9)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9))
def test_a_cut_scale_holds_all_its_values(values: list[float]) -> None:
    low, high = svg.nice_range(values)
    assert low < high
    span = high - low
    assert low <= min(values) + span * 1e-6
    assert high >= max(values) - span * 1e-6


def test_neighbouring_ticks_never_read_the_same() -> None:
    marks = svg.ticks(2.7, 3.0)
    texts = [svg.tick_text(mark, marks) for mark in marks]
    assert len(set(texts)) == len(texts)


def test_every_picture_is_silent_or_named() -> None:
    for name, draw in ALL_WITH_HOSTILE_TEXT.items():
        for node in parsed(draw()).findall("svg"):
            assert node.get("aria-hidden") == "true" or node.get("aria-label"), name
