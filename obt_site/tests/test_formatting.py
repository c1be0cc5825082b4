"""Numbers, times and names as people read them, and the tags that put them on pages."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.template import Context, Template
from hypothesis import given
from hypothesis import strategies as st

from obt_site import formatting
from obt_site.states import STATES, look_of

THIN = "\u2009"
NOW = datetime(2025, 11, 22, 14, 9, 5, tzinfo=UTC)


def rendered(source: str, **context: object) -> str:
    return Template("{% load obt %}" + source).render(Context(context))


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (127.4, "tok/s", "127.4"),
        (612.34, "tok/s", "612.3"),
        (5182.3, "tok/s", f"5{THIN}182"),
        (71.34, "tok/s", "71.3"),
        (9.444, "tok/s", "9.44"),
        (0.04123, "tok/s", "0.0412"),
        (131.4, "ms", "131"),
        (2.839, "s", "2.84"),
        (97.3, "%", "97"),
        (312.4, "W", "312"),
        (2610, "MHz", f"2{THIN}610"),
        (0, "tok/s", "0.0"),
        (-3.25, "J/tok", "−3.25"),
        (1234567.0, "B", f"1{THIN}234{THIN}567"),
    ],
)
def test_it_shows_the_digits_a_unit_deserves(value: float, unit: str, text: str) -> None:
    assert formatting.measured(value, unit) == text


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, "12", True, [], 10**400, 1.8e308])
def test_what_is_not_a_finite_number_is_missing_and_never_zero(value: object) -> None:
    assert formatting.measured(value) == "—"
    assert formatting.number(value) == "—"
    assert formatting.duration(value) == "—"
    assert formatting.filesize(value) == ("—", "")


@given(st.floats(-1e15, 1e15))
def test_a_shown_number_is_within_half_a_percent_of_the_measured_one(value: float) -> None:
    shown = formatting.measured(value, "tok/s").replace(THIN, "").replace("−", "-")
    assert math.isclose(float(shown), value, rel_tol=0.0051, abs_tol=1e-6)


def test_a_rounded_zero_has_no_minus() -> None:
    assert formatting.number(-0.001, 1) == "0.0"


def test_counts_keep_all_their_digits() -> None:
    assert formatting.number(1234) == f"1{THIN}234"
    assert formatting.number(7) == "7"


def test_an_interval_of_six_samples_is_an_interval() -> None:
    assert formatting.interval(126.1, 128.3, 6, "tok/s") == "126.1–128.3"


def test_fewer_than_six_samples_are_called_a_range() -> None:
    assert formatting.interval(2.74, 2.97, 5, "s") == "range 2.74–2.97"


def test_both_ends_of_an_interval_have_the_same_decimals() -> None:
    assert formatting.interval(9.87, 10.2, 6) == "9.87–10.20"


def test_half_of_an_interval_has_the_digits_of_its_value() -> None:
    assert formatting.half_width(126.1, 128.3, "tok/s") == "±1.1"
    assert formatting.half_width(None, 128.3) == "—"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.131, "131 ms"),
        (0.0004, "0.400 ms"),
        (2.84, "2.84 s"),
        (49, "49.0 s"),
        (59.7, "1 min"),
        (200, "3 min 20 s"),
        (180, "3 min"),
        (2220, "37 min"),
        (3599, "1 h 00 min"),
        (3720, "1 h 02 min"),
        (86400, "1 d"),
        (86400 * 3 + 4 * 3600, "3 d 4 h"),
        (-2.84, "−2.84 s"),
    ],
)
def test_it_says_how_long_something_took(seconds: float, text: str) -> None:
    assert formatting.duration(seconds) == text


def test_models_are_sized_as_ollama_lists_them_and_memory_as_makers_sell_it() -> None:
    assert formatting.filesize(4_920_000_000) == ("4.92", "GB")
    assert formatting.memory(24 * 1024**3) == ("24.0", "GB")
    assert formatting.filesize(999) == ("999", "B")


def test_the_whole_of_a_memory_has_no_empty_decimals() -> None:
    assert [formatting.capacity(size) for size in (24 * 1024**3, 25_300_000_000, 2**30)] == ["24 GB", "23.6 GB", "1 GB"]
    assert formatting.capacity(None) == formatting.MISSING


def test_memory_in_use_says_of_how_much_where_that_is_known() -> None:
    source = '{% load obt %}{% memory_use used total "not readable" "GPU" %}'
    both = rendered(source, used=12 * 1024**3, total=24 * 1024**3)
    assert ">12.0<" in both
    assert "of 24 GB GPU" in both
    assert "of" not in rendered(source, used=12 * 1024**3, total=None)
    assert "not readable" in rendered(source, used=None, total=24 * 1024**3)


@pytest.mark.parametrize(
    ("ago_s", "text"),
    [(2, "just now"), (20, "20 s ago"), (300, "5 min ago"), (7300, "2 h ago"), (90000, "1 d ago"), (-120, "in 2 min")],
)
def test_it_says_how_long_ago(ago_s: int, text: str) -> None:
    assert formatting.relative(NOW - timedelta(seconds=ago_s), NOW) == text


def test_times_without_a_zone_are_utc_and_others_are_brought_to_utc() -> None:
    naive = NOW.replace(tzinfo=None)
    assert formatting.iso(naive) == "2025-11-22T14:09:05.000Z"
    assert formatting.iso(NOW.astimezone(timezone(timedelta(hours=2)))) == "2025-11-22T14:09:05.000Z"
    assert formatting.clock(NOW) == "14:09 UTC"
    assert formatting.moment(NOW) == "22 Nov 2025, 14:09:05 UTC"


def test_a_digest_is_short_and_without_its_algorithm() -> None:
    assert formatting.short_digest("sha256:46e0c10c039e019119339687c3c1") == "46e0c10c039e"
    assert formatting.short_digest("") == "—"


@given(st.text(max_size=200), st.integers(3, 60))
def test_a_cut_name_is_never_longer_than_asked_and_keeps_both_ends(name: str, length: int) -> None:
    cut = formatting.cut_middle(name, length)
    assert len(cut) <= max(length, 0) or cut == name
    if cut != name:
        assert name.startswith(cut[: cut.index("…")]) if "…" not in name else True
        assert name.endswith(cut[-1])


def test_a_missing_value_says_why_on_hover() -> None:
    page = rendered('{% quantity None "W" reason="not readable on this system" %}')
    assert page == '<span class="none" title="not readable on this system">—</span>'


def test_a_quantity_is_a_value_and_a_unit() -> None:
    assert rendered('{{ 127.4|quantity:"tok/s" }}') == '<span class="v">127.4</span><span class="u">tok/s</span>'


def test_a_time_tag_carries_the_moment_for_the_browser() -> None:
    page = rendered("{{ at|clock }}", at=NOW)
    assert 'datetime="2025-11-22T14:09:05.000Z"' in page
    assert 'data-time="clock"' in page
    assert page.endswith(">14:09 UTC</time>")


def test_a_machine_never_seen_is_not_shown_as_an_age() -> None:
    assert 'title="never seen"' in rendered('{{ at|ago:"never seen" }}', at=None)


@pytest.mark.parametrize(
    "source",
    [
        "{{ v|shorten:20 }}",
        "{{ v|model_name }}",
        "{{ v|digest }}",
        "{% state v %}",
        "{% badge v %}",
        "{% state_badge v %}",
        "{% icon v %}",
        '{% quantity None "W" v %}',
        "{{ 1.5|quantity:v }}",
        "{% badge 'x' v v %}",
    ],
)
def test_names_with_markup_are_shown_as_text(source: str) -> None:
    page = rendered(source, v='<script>"x"</script>&')
    assert "<script" not in page
    assert '"x"' not in page


def test_every_known_state_has_a_shape_and_a_word() -> None:
    for name in STATES:
        page = rendered("{% state name %}", name=name)
        assert "<svg" in page
        assert STATES[name].word in page


def test_an_unknown_state_keeps_its_own_word() -> None:
    assert look_of("warming_up").word == "warming up"
    assert look_of(None).word


def test_only_an_image_without_words_is_named_for_screen_readers() -> None:
    assert 'aria-hidden="true"' in rendered('{% icon "plus" %}')
    assert 'role="img" aria-label="Add"' in rendered('{% icon "plus" "Add" %}')


def test_initials_never_fail() -> None:
    assert rendered("{{ v|initials }}", v="Jo Keller") == "JK"
    assert rendered("{{ v|initials }}", v="ana") == "A"
    assert rendered("{{ v|initials }}", v="  ") == "?"
