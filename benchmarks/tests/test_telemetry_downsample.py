"""A long recording made smaller: what must never get lost, over recordings of every shape."""

from hypothesis import given
from hypothesis import strategies as st

from agent.obt_agent.contract import Phase, Series, Telemetry
from benchmarks.telemetry import around_borders, downsample, must_keep

VALUES = st.one_of(st.none(), st.floats(-1e9, 1e9))


@st.composite
def recordings(draw: st.DrawFn) -> Telemetry:
    steps = draw(st.lists(st.floats(0.01, 30), min_size=1, max_size=150))
    t_s = [sum(steps[: i + 1]) for i in range(len(steps))]
    series = draw(st.lists(st.lists(VALUES, min_size=len(t_s), max_size=len(t_s)), max_size=4))
    spans = draw(st.lists(st.tuples(st.floats(0, t_s[-1] + 5), st.floats(0, 60)), max_size=5))
    return Telemetry(
        interval_ms=200,
        t_s=t_s,
        series=[Series(f"x{i}_w", "W", values) for i, values in enumerate(series)],
        phases=[Phase("tg128", "sample", start, start + length) for start, length in spans],
        missing={"gpus": "none"},
    )


@given(recordings(), st.integers(1, 120))
def test_minimum_maximum_and_everything_else_that_matters_stay(telemetry: Telemetry, limit: int) -> None:
    small = downsample(telemetry, limit)
    for before, after in zip(telemetry.series, small.series, strict=True):
        known = [value for value in before.values if value is not None]
        left = [value for value in after.values if value is not None]
        assert (before.name, before.unit) == (after.name, after.unit)
        assert len(after.values) == len(small.t_s)
        if known:
            assert (min(left), max(left)) == (min(known), max(known))
    assert (small.t_s[0], small.t_s[-1]) == (telemetry.t_s[0], telemetry.t_s[-1])
    assert (small.phases, small.missing, small.interval_ms) == (telemetry.phases, telemetry.missing, 200)


@given(recordings(), st.integers(1, 120))
def test_the_readings_on_both_sides_of_every_phase_border_stay(telemetry: Telemetry, limit: int) -> None:
    kept = set(downsample(telemetry, limit).t_s)
    for phase in telemetry.phases:
        for border in (phase.start_s, phase.end_s):
            before = [t for t in telemetry.t_s if t <= border]
            after = [t for t in telemetry.t_s if t >= border]
            assert not before or before[-1] in kept
            assert not after or after[0] in kept


@given(recordings(), st.integers(1, 120))
def test_every_point_left_was_read_at_its_own_time(telemetry: Telemetry, limit: int) -> None:
    small = downsample(telemetry, limit)
    assert small.t_s == sorted(set(small.t_s))
    rows = set(zip(telemetry.t_s, *(series.values for series in telemetry.series), strict=True))
    assert set(zip(small.t_s, *(series.values for series in small.series), strict=True)) <= rows


@given(recordings(), st.integers(1, 120))
def test_it_is_as_long_as_asked_unless_more_must_stay(telemetry: Telemetry, limit: int) -> None:
    expected = min(len(telemetry.t_s), max(limit, len(must_keep(telemetry))))
    assert len(downsample(telemetry, limit).t_s) == expected


def straight(points: int) -> Telemetry:
    t_s = [0.2 * i for i in range(points)]
    return Telemetry(interval_ms=200, t_s=t_s, series=[Series("x_w", "W", list(t_s))])


def test_a_short_recording_is_left_alone() -> None:
    telemetry = straight(100)
    assert downsample(telemetry, 100) is telemetry


def test_what_is_left_is_spread_evenly() -> None:
    small = downsample(straight(10_000), 500)
    steps = [later - earlier for earlier, later in zip(small.t_s, small.t_s[1:], strict=False)]
    assert max(steps) < 2.5 * (2000 / 500)


def test_a_phase_beyond_the_recording_keeps_its_ends() -> None:
    assert around_borders([1.0, 2.0, 3.0], Phase("x", "sample", 0.0, 9.0)) == {0, 2}
