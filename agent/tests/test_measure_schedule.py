"""The order of rounds, and which of them there is time for: cells with a time of their own, without an Ollama."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.obt_agent.contract import CellSpec
from agent.obt_agent.measure_outcome import JobFailed
from agent.obt_agent.measure_plan import SHED_REPETITIONS, obligatory

from .scheduling import HARD_LIMIT_TIMES_BUDGET, Clock, TimedCell, TimedJob, run


def spec(
    name: str, kind: str = "decode", repetitions: int = 3, num_ctx: int = 4096, most: int | None = None
) -> CellSpec:
    made = CellSpec(name, "load", repetitions, 1, 32, 16, num_ctx, max_repetitions=most)
    return dataclasses.replace(made, kind=kind)  # type: ignore[arg-type]


def timed(clock: Clock, *specs: CellSpec, takes_s: float = 1.0) -> list[TimedCell]:
    return [TimedCell(each, clock, takes_s, predicted_s=takes_s) for each in specs]


# -- the order ---------------------------------------------------------------------------------------------------


def test_rounds_are_taken_in_turn_forward_and_backward_after_all_warmups() -> None:
    clock = Clock(1000.0)
    run(timed(clock, spec("a"), spec("b"), spec("c")), TimedJob(clock))
    assert "".join(clock.of("warmup", "round")) == "abc" + "abc" + "cba" + "abc"


def test_a_slow_drift_reaches_every_cell_alike() -> None:
    clock = Clock(1000.0)
    run(timed(clock, *(spec(name, repetitions=6) for name in "abcd")), TimedJob(clock))
    rounds = [(name, at_s) for what, name, at_s in clock.log if what == "round"]
    middles = [sum(at_s for one, at_s in rounds if one == name) / 6 for name in "abcd"]
    assert len(set(middles)) == 1


def test_loads_come_first_and_each_to_its_end() -> None:
    clock = Clock(1000.0)
    run(timed(clock, spec("a"), spec("l", kind="load"), spec("b")), TimedJob(clock))
    assert "".join(clock.of("warmup", "round")) == "llll" + "ab" + "ab" + "ba" + "ab"


def test_a_cell_with_fewer_repetitions_leaves_the_turn_to_the_others() -> None:
    clock = Clock(1000.0)
    run(timed(clock, spec("a", repetitions=1), spec("b", repetitions=4)), TimedJob(clock))
    assert "".join(clock.of("round")) == "ab" + "b" + "b" + "b"


def test_a_round_that_does_not_count_is_taken_again_in_the_next_turn() -> None:
    clock = Clock(1000.0)
    cells = timed(clock, spec("a"), spec("b"))
    cells[0].invalid = 1
    run(cells, TimedJob(clock))
    assert "".join(clock.of("round")) == "ab" + "ba" + "ab" + "a"


def test_each_setting_is_loaded_once_and_its_cells_end_before_the_next() -> None:
    clock = Clock(1000.0)
    run(timed(clock, spec("a"), spec("x", num_ctx=8192), spec("b")), TimedJob(clock, load_s=5.0))
    assert clock.of("load") == ["4096", "8192"]
    assert "".join(clock.of("round")) == "abbaab" + "xxx"


def test_a_stand_in_takes_the_place_and_is_there_once() -> None:
    clock = Clock(1000.0)
    long, short = timed(clock, spec("tg128"), spec("tg32"))
    twin = TimedCell(spec("tg256"), clock, 1.0, 1.0)
    schedule = run([long, twin], TimedJob(clock, stand_ins={"tg128": short, "tg256": short}))
    assert [cell.spec.name for cell in schedule.cells] == ["tg128", "tg32", "tg256"]
    assert clock.of("round") == ["tg32"] * 3
    assert long.skipped == "tg32 was measured instead."


# -- the budget --------------------------------------------------------------------------------------------------


def test_what_is_predicted_is_noted_with_its_warmups() -> None:
    clock = Clock(1000.0)
    (cell,) = timed(clock, spec("a"), takes_s=2.0)
    run([cell], TimedJob(clock))
    assert cell.expected_s == 8.0


def test_reality_that_is_slower_than_predicted_sheds_what_has_not_begun_with_its_reason() -> None:
    clock = Clock(30.0)
    first = TimedCell(spec("tg128", repetitions=6), clock, takes_s=7.0, predicted_s=1.0)
    later = TimedCell(spec("pp8192", "prefill", num_ctx=10_240), clock, takes_s=3.0, predicted_s=3.0)
    run([first, later], TimedJob(clock))
    assert (later.skipped or "").startswith("skipped: budget (needs about 12 s, ")
    assert clock.of("load") == ["4096"]
    assert first.valid == 3
    assert first.stopped == "budget: 3"


def test_a_cell_that_was_cut_goes_on_in_the_time_that_is_left() -> None:
    clock = Clock(20.0)
    cells = timed(clock, spec("a", repetitions=10), spec("b", repetitions=10))
    run(cells, TimedJob(clock))
    assert [cell.valid for cell in cells] == [9, 9]
    assert clock.now_s == 20.0
    assert [cell.stopped for cell in cells] == ["budget: 9", "budget: 9"]


def test_warmups_that_use_up_the_budget_are_not_followed_by_a_round() -> None:
    clock = Clock(30.0)
    obligatory_one = TimedCell(spec("tg128"), clock, 1.0, 1.0)
    load = TimedCell(spec("load", kind="load"), clock, takes_s=29.5, predicted_s=1.0)
    run([load, obligatory_one], TimedJob(clock))
    assert clock.of("warmup", "round") == ["load", *["tg128"] * 4]
    assert (load.skipped or "").startswith("skipped: budget")


def test_wishes_wait_for_what_another_setting_still_needs() -> None:
    clock = Clock(20.0)
    here = timed(clock, spec("a", repetitions=12))[0]
    there = timed(clock, spec("x", num_ctx=8192, repetitions=6), takes_s=2.0)[0]
    run([here, there], TimedJob(clock, load_s=1.0))
    assert there.valid >= SHED_REPETITIONS
    assert there.skipped is None
    assert clock.now_s <= 20.0


def test_of_cells_that_can_be_measured_the_first_is_obligatory() -> None:
    clock = Clock(1.0)
    cannot, first, second = timed(clock, spec("tg128"), spec("a"), spec("b"), takes_s=0.3)
    cannot.drop("The model does not offer completion.")
    run([cannot, first, second], TimedJob(clock))
    assert clock.of("round") == ["a"] * 3
    assert (second.skipped or "").startswith("skipped: budget")


def test_what_stands_in_for_an_obligatory_cell_is_obligatory() -> None:
    clock = Clock(10.0)
    load, long, short = timed(clock, spec("load", kind="load"), spec("tg128"), spec("tg32"), takes_s=2.0)
    run([load, long], TimedJob(clock, stand_ins={"tg128": short}))
    assert (load.valid, short.valid) == (0, 3)


# -- early stop --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("precise_at", "taken"), [(0, 6), (6, 6), (9, 9), (15, 15), (99, 15)])
def test_an_adaptive_cell_goes_on_until_it_is_precise_or_at_its_most(precise_at: int, taken: int) -> None:
    clock = Clock(1000.0)
    cell = TimedCell(spec("a", repetitions=6, most=15), clock, 1.0, 1.0, precise_at=precise_at)
    run([cell], TimedJob(clock))
    assert cell.valid == taken


def test_nothing_goes_on_in_time_that_another_cell_needs() -> None:
    clock = Clock(31.0)
    wide = TimedCell(spec("a", repetitions=6, most=15), clock, 1.0, 1.0, precise_at=99)
    later = timed(clock, spec("x", num_ctx=8192, repetitions=6), takes_s=2.5)[0]
    run([wide, later], TimedJob(clock))
    assert (wide.valid, later.valid) == (9, 6)
    assert (wide.stopped, later.stopped) == ("budget: 9", None)


def test_without_a_most_a_cell_ends_at_its_repetitions() -> None:
    clock = Clock(1000.0)
    cell = TimedCell(spec("a", repetitions=6), clock, 1.0, 1.0, precise_at=99)
    run([cell], TimedJob(clock))
    assert (cell.valid, cell.stopped) == (6, None)


# -- whatever comes ----------------------------------------------------------------------------------------------

SECONDS = st.floats(0.01, 100.0)
KINDS = ("load", "prefill", "decode", "chat", "concurrency")
NAMES = ("pp512", "tg128", "pp8192", "c8", "load", "chat512/128", "tg128[num_thread=4]", "tg128@2048")


@st.composite
def jobs(draw: st.DrawFn) -> tuple[list[TimedCell], TimedJob]:
    """Up to eight cells of up to three settings, predicted rightly, wrongly or not at all."""
    clock = Clock(draw(st.floats(1.0, 1000.0)))
    cells = []
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=8, unique=True)):
        made = CellSpec(
            name,
            draw(st.sampled_from(KINDS)),  # type: ignore[arg-type]
            draw(st.integers(1, 10)),
            draw(st.integers(0, 2)),
            prompt_tokens=draw(st.sampled_from([32, 512, 2048, 8192])),
            output_tokens=draw(st.sampled_from([1, 128])),
            num_ctx=draw(st.sampled_from([2048, 4096, 10_240])),
            concurrency=draw(st.sampled_from([1, 4, 8])),
            max_repetitions=draw(st.none() | st.integers(1, 15)),
            num_thread=draw(st.sampled_from([None, 4])),
        )
        predicted_s = draw(st.none() | SECONDS)
        precise_at, invalid = draw(st.integers(0, 20)), draw(st.integers(0, 4))
        cells.append(TimedCell(made, clock, draw(SECONDS), predicted_s, precise_at, invalid))
    return cells, TimedJob(clock, load_s=draw(st.floats(0.0, 20.0)))


@given(jobs())
def test_whatever_comes_the_obligatory_run_in_one_block_a_setting_and_all_is_explained(
    job: tuple[list[TimedCell], TimedJob],
) -> None:
    cells, host = job
    clock = host.clock
    ended = False
    with contextlib.suppress(JobFailed):
        run(cells, host)
        ended = True
    by_name = {cell.spec.name: cell for cell in cells}
    keep = obligatory([cell.spec for cell in cells])

    assert clock.now_s <= clock.budget_s * HARD_LIMIT_TIMES_BUDGET
    blocks = [
        setting for setting, _ in itertools.groupby(by_name[name].setting for name in clock.of("warmup", "round"))
    ]
    assert len(blocks) == len(set(blocks)), "a cell of another setting ran in between"
    assert len(clock.of("load")) >= len(blocks)
    assert all(by_name[name].skipped is None for name in keep)
    for cell in cells:
        most = max(cell.spec.repetitions, cell.spec.max_repetitions or 0)
        assert cell.valid <= most
    if ended:
        for cell in cells:
            assert not cell.open
            assert cell.valid >= cell.spec.repetitions or cell.stopped or cell.skipped
        for name in keep:
            fewest = min(SHED_REPETITIONS, by_name[name].spec.repetitions)
            assert by_name[name].valid >= fewest or (by_name[name].stopped or "").startswith("stopped after")


@given(jobs())
def test_beyond_the_budget_only_the_obligatory_begin_a_round(job: tuple[list[TimedCell], TimedJob]) -> None:
    cells, host = job
    with contextlib.suppress(JobFailed):
        run(cells, host)
    keep = obligatory([cell.spec for cell in cells])
    by_name = {cell.spec.name: cell for cell in cells}
    for what, name, ended_s in host.clock.log:
        if what == "round" and name not in keep:
            assert ended_s - by_name[name].takes_s <= host.clock.budget_s + 1e-6
