"""Pictures with a time axis: samples in order, telemetry with phases, lanes of jobs."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from obt_site import charts
from obt_site.charts import LaneBlock, Panel, Phase, SamplePoint
from obt_site.charts.samples import elapsed
from obt_site.charts.telemetry import thin_in_time


def parsed(markup: str) -> ElementTree.Element:
    return ElementTree.fromstring(f"<root>{markup}</root>")


def with_class(markup: str, name: str) -> list[ElementTree.Element]:
    return [node for node in parsed(markup).iter() if name in (node.get("class") or "").split()]


def percent(node: ElementTree.Element, key: str) -> float:
    return float((node.get(key) or "").rstrip("%"))


def samples(*values: float | None) -> list[SamplePoint]:
    return [SamplePoint(str(index + 1), value) for index, value in enumerate(values)]


def test_each_kind_of_sample_has_its_own_shape_and_its_place_in_time() -> None:
    points = [
        SamplePoint("w1", 120.0, "warm_up"),
        SamplePoint("1", 127.0),
        SamplePoint("2", 100.0, "left_out", "output stopped early"),
        SamplePoint("3", 128.0),
    ]
    markup = charts.samples_chart(points, "tok/s", 127.5, 127.0, 128.0)
    # each shape once in the legend, too
    assert [percent(node, "cx") for node in with_class(markup, "pt")[:2]] == [37.5, 87.5]
    assert percent(with_class(markup, "pt-w")[0], "cx") == 12.5
    (cross,) = with_class(markup, "ov")
    assert percent(cross, "x") == 62.5
    assert "left out: sample 2, output stopped early" in markup
    assert "4 requests in time order: 2 counted, 1 warm-up, 1 left out" in markup


def test_samples_left_out_for_one_reason_are_named_together() -> None:
    points = [SamplePoint(label, 1.0, "left_out", "throttled") for label in ("2", "5", "6")]
    assert "left out: samples 2, 5 and 6, throttled" in charts.samples_chart([*points, *samples(1.0, 2.0)], "s")


def test_a_left_out_sample_without_a_value_keeps_its_place() -> None:
    markup = charts.samples_chart([*samples(1.0, 2.0), SamplePoint("3", None, "left_out", "no answer")], "s")
    (cross,) = with_class(markup, "ov")
    assert cross.get("y") == "100.00%"


def test_six_samples_get_a_band_and_fewer_get_a_range() -> None:
    six = charts.samples_chart(samples(1, 2, 3, 4, 5, 6), "s", 3.5, 1, 6)
    five = charts.samples_chart(samples(1, 2, 3, 4, 5), "s", 3, 1, 5)
    assert len(with_class(six, "ivb")) == 1
    assert "range" not in six
    assert not with_class(five, "ivb")
    assert len(with_class(five, "ivr")) == 2
    assert "range" in five


def test_samples_without_any_value_say_why() -> None:
    assert "No samples yet." in charts.samples_chart([], "s")
    broken = [SamplePoint("1", None, "left_out", "Ollama answered 500")]
    assert "No sample gave a value: Ollama answered 500." in charts.samples_chart(broken, "s")
    assert "skipped: budget" in charts.samples_chart([], "s", empty_reason="skipped: budget")


def test_a_missing_reading_is_a_gap_in_the_line_and_never_zero() -> None:
    panel = Panel("GPU use", "%", [(0, 90.0), (1, None), (2, 95.0)], 0, 100)
    lines = with_class(charts.telemetry_panels([panel]), "ln2")
    assert [line.get("points") for line in lines] == ["0.00,10.0", "100.00,5.0"]


def test_a_quantity_nobody_could_read_keeps_its_place_and_says_why() -> None:
    markup = charts.telemetry_panels([Panel("Power", "W", [(0, None)], missing_reason="needs root"), *_use()])
    assert "needs root" in markup
    assert "Power" in markup


def _use() -> list[Panel]:
    return [Panel("GPU use", "%", [(at, 90.0) for at in range(11)], 0, 100)]


def test_the_chosen_cells_requests_stand_behind_every_panel() -> None:
    phases = [Phase("load", 0, 2), Phase("tg128", 2, 4, True), Phase("pp512", 4, 5), Phase("tg128", 5, 10, True)]
    markup = charts.telemetry_panels(_use(), phases)
    spans = [(node.get("x"), node.get("width")) for node in with_class(markup, "selb")]
    assert spans == [("20.00%", "20.00%"), ("50.00%", "50.00%")]


def test_each_cell_has_a_row_that_shows_when_its_requests_ran() -> None:
    phases = [Phase("load", 0, 2), Phase("tg128", 2, 4, True), Phase("pp512", 4, 5), Phase("tg128", 5, 10, True)]
    markup = charts.telemetry_panels(_use(), phases)
    rows = with_class(markup, "ord")
    assert ["".join(row.itertext()).strip() for row in rows] == ["loadload", "tg128tg128", "pp512pp512"]
    boxes = [[(node.get("x"), node.get("width")) for node in row.iter("rect")] for row in rows]
    assert boxes[1] == [("20.00%", "20.00%"), ("50.00%", "50.00%")]
    assert len(with_class(markup, "on")) == 1


def test_warm_ups_and_left_out_requests_look_different_in_their_row() -> None:
    phases = [Phase("tg128", 0, 2, kind="warm_up"), Phase("tg128", 2, 4), Phase("tg128", 4, 6, kind="left_out")]
    markup = charts.telemetry_panels(_use(), phases)
    assert [len(with_class(markup, name)) for name in ("ph-w", "ph", "ph-x")] == [1, 1, 1]


def test_a_request_of_milliseconds_in_a_run_of_minutes_is_still_seen() -> None:
    markup = charts.telemetry_panels([], [Phase("embed", 0, 0.001), Phase("load", 1, 600)], 600)
    assert percent(with_class(markup, "ph")[0], "width") > 0.1


def test_a_long_name_of_a_cell_is_cut_and_whole_on_hover() -> None:
    name = "tg128[num_ctx=8192,num_gpu=0,num_thread=4,num_batch=256]"
    markup = charts.telemetry_panels(_use(), [Phase(name, 0, 2)])
    (shown,) = with_class(markup, "mono")
    assert shown.get("title") == name
    assert len(shown.text or "") < 20


def test_the_order_is_shown_even_without_telemetry_and_not_twice() -> None:
    phases = [Phase("load", 0, 2)]
    alone = charts.telemetry_panels([], phases, 2, "nothing was read")
    assert len(with_class(alone, "ord")) == 1
    assert "nothing was read" in alone
    assert not with_class(charts.telemetry_panels(_use(), phases, has_order=False), "ord")


def test_the_time_each_sample_began_stands_below_its_label() -> None:
    points = [SamplePoint("w1", 1.0, "warm_up", start_s=7.9), SamplePoint("1", 2.0, start_s=754.2)]
    labels = [node.text for node in parsed(charts.samples_chart(points, "s")).iter("text")]
    assert {"0:07", "12:34"} <= set(labels)
    assert elapsed(3723.0) == "1:02:03"


def test_samples_without_a_known_beginning_have_no_times() -> None:
    assert "since the run began" not in charts.samples_chart(samples(1.0, 2.0), "s")


def test_a_line_parts_samples_between_which_other_cells_ran() -> None:
    points = [SamplePoint("1", 1.0, start_s=0), SamplePoint("2", 2.0, start_s=9, others_before=3)]
    markup = charts.samples_chart(points, "s")
    line, legend = with_class(markup, "part")
    assert line.get("x1") == "50.00%"
    assert line.findtext("title") == "3 requests of other cells ran between these two"
    assert legend is not None


def test_a_value_that_never_moved_is_said_once() -> None:
    assert ">7 W<" in charts.telemetry_panels([Panel("Power", "W", [(0, 7.0), (9, 7.0)], 0)])


def test_throttling_is_amber_on_its_stretch_of_time() -> None:
    panel = Panel("Power", "W", [(0, 1.0), (10, 2.0)], throttled=[(5, 7.5)])
    (span,) = with_class(charts.telemetry_panels([panel]), "thr")
    assert (span.get("x"), span.get("width")) == ("50.00%", "25.00%")


def test_no_telemetry_at_all_gives_the_reason() -> None:
    assert "the sensor is gone" in charts.telemetry_panels([], empty_reason="the sensor is gone")


def test_long_telemetry_is_thinned_without_losing_peaks_or_gaps() -> None:
    points: list[tuple[float, float | None]] = [(at / 5, 50.0) for at in range(10_000)]
    points[4321], points[1234] = (4321 / 5, 99.0), (1234 / 5, None)
    thin = thin_in_time(points, 2000, 600)
    assert len(thin) <= 900
    assert (4321 / 5, 99.0) in thin
    assert (1234 / 5, None) in thin
    assert thin == sorted(thin, key=lambda point: point[0])


def test_a_block_stands_at_its_time() -> None:
    (block,) = with_class(charts.lane_blocks([LaneBlock("llama3.1:8b", 100, 150, "done")], 0, 200), "clip")
    assert (block.get("x"), block.get("width")) == ("50.00%", "25.00%")
    assert "llama3.1:8b, done, 50.0 s" in (block.findtext("title") or "")


def test_a_block_of_a_second_in_a_long_session_is_still_seen() -> None:
    (block,) = with_class(charts.lane_blocks([LaneBlock("x", 0, 1, "done")], 0, 36_000), "clip")
    assert percent(block, "width") > 1


def test_now_is_marked_only_inside_the_session() -> None:
    assert with_class(charts.lane_blocks([], 0, 10, 5), "now")
    assert not with_class(charts.lane_blocks([], 0, 10, 11), "now")


@pytest.mark.parametrize("length_s", [0, 1, 60, 600, 3600, 86_400, 30 * 86_400, 400 * 86_400])
def test_the_time_axis_has_few_labels_whatever_the_length(length_s: float) -> None:
    labels = list(parsed(charts.time_axis(1_763_818_620, 1_763_818_620 + length_s)).iter("text"))
    assert len(labels) <= 17
    assert all((label.get("data-at") or "").endswith("Z") for label in labels)
