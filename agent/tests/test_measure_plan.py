"""What a budget leaves of the standard cells, and what a very slow model gets: pure, without an Ollama."""

from __future__ import annotations

import dataclasses

import pytest

from agent.obt_agent.contract import CellSpec
from agent.obt_agent.measure_plan import Expected, Shedding, obligatory, shed, slow_variant, total_s
from agent.obt_agent.measure_setting import Setting


def spec(name: str, kind: str, prompt: int = 0, output: int = 1, depth: int = 0, requests: int = 1) -> CellSpec:
    num_ctx = 10_240 if prompt + depth >= 8192 else 4096
    made = CellSpec(name, "load", 6, 1, prompt, output, num_ctx, depth=depth, concurrency=requests)
    return dataclasses.replace(made, kind=kind)  # type: ignore[arg-type]


CELLS = [
    spec("load", "load"),
    spec("pp128", "prefill", 128),
    spec("pp512", "prefill", 512),
    spec("pp2048", "prefill", 2048),
    spec("tg128", "decode", 32, 128),
    spec("chat512/128", "chat", 512, 128),
    spec("tg128@2048", "decode", 0, 128, 2048),
    spec("c1", "concurrency", 512, 128),
    spec("c2", "concurrency", 512, 128, requests=2),
    spec("c4", "concurrency", 512, 128, requests=4),
    spec("c8", "concurrency", 512, 128, requests=8),
    spec("pp8192", "prefill", 8192),
    spec("tg128@8192", "decode", 0, 128, 8192),
]
# Each cell: a warm-up and six rounds of one second.
EXPECTED = [Expected(each, 6, 1.0) for each in CELLS]
WHOLE_S, CUT_S = 7.0, 4.0


def dropped(left_s: float, load_s: float = 0.0) -> list[str]:
    return list(shed(EXPECTED, left_s, load_s).dropped)


def test_what_fits_is_left_whole() -> None:
    assert shed(EXPECTED, 13 * WHOLE_S, 0.0).cut is False
    assert dropped(13 * WHOLE_S) == []


def test_repetitions_go_first() -> None:
    assert shed(EXPECTED, 13 * WHOLE_S - 1, 0.0).cut is True
    assert dropped(13 * CUT_S) == []


@pytest.mark.parametrize(
    ("cells_left", "gone"),
    [
        (12.9, ["pp8192", "tg128@8192"]),
        (10.9, ["pp8192", "tg128@8192", "c8"]),
        (9.9, ["pp8192", "tg128@8192", "c8", "c4"]),
        (8.9, ["pp8192", "tg128@8192", "c8", "c4", "pp2048", "tg128@2048"]),
        (6.9, ["pp8192", "tg128@8192", "c8", "c4", "pp2048", "tg128@2048", "c2"]),
        (3.9, ["pp8192", "tg128@8192", "c8", "c4", "pp2048", "tg128@2048", "c2", "c1", "chat512/128", "pp128"]),
    ],
)
def test_cells_are_shed_in_the_written_order(cells_left: float, gone: list[str]) -> None:
    assert dropped(cells_left * CUT_S) == gone


@pytest.mark.parametrize("left_s", [0.1, 0.0, -100.0])
def test_without_any_time_pp512_and_tg128_still_run(left_s: float) -> None:
    assert {each.name for each in CELLS} - set(dropped(left_s)) == {"pp512", "tg128"}


def test_the_reload_for_a_second_context_length_counts() -> None:
    assert total_s(EXPECTED, 30.0) == 13 * WHOLE_S + 30
    assert dropped(13 * CUT_S + 29, load_s=30.0) == ["pp8192", "tg128@8192"]


def test_a_sweeps_values_are_reloads_too() -> None:
    settings = [Setting(4096, num_thread=threads) for threads in (2, 4, 2)]
    pairs = zip(EXPECTED[:3], settings, strict=True)
    sweep = [dataclasses.replace(each, setting=setting) for each, setting in pairs]
    assert total_s(sweep, 30.0) == 3 * WHOLE_S + 30
    assert total_s(sweep, 30.0, loaded=Setting(4096, num_thread=4)) == 3 * WHOLE_S + 30
    assert total_s(sweep, 30.0, loaded=Setting(4096)) == 3 * WHOLE_S + 60


def test_what_is_done_already_is_not_needed_again() -> None:
    half = Expected(CELLS[0], 4, 1.0, done=2, warmups=0)
    assert (half.seconds, half.cut().seconds) == (4.0, 1.0)
    assert Expected(CELLS[0], 2, 1.0, done=4).cut().seconds == 0.0


def test_cells_that_have_what_a_short_budget_leaves_are_not_dropped() -> None:
    begun = [Expected(each, 3, 1.0, done=3, warmups=0) for each in CELLS]
    assert shed(begun, 0.0, 0.0) == Shedding(True, {})


def test_the_obligatory_stay_so_when_they_are_done() -> None:
    left = [Expected(each, 6, 1.0) for each in CELLS if each.name == "chat512/128"]
    assert list(shed(left, 0.0, 0.0, keep=frozenset({"tg128"})).dropped) == ["chat512/128"]
    assert shed(left, 0.0, 0.0).dropped == {}


def test_a_shed_cell_says_what_it_needs_and_what_was_left() -> None:
    reason = shed(EXPECTED, 13 * CUT_S - 1, 0.0).dropped["pp8192"]
    assert reason == "skipped: budget (needs about 4 s, 3 s were left)"


def test_a_cell_nobody_can_predict_is_not_shed_for_its_time() -> None:
    unknown = [dataclasses.replace(each, each_s=None) for each in EXPECTED]
    assert shed(unknown, 1.0, 0.0).dropped == {}


def test_of_other_cells_the_first_always_runs() -> None:
    assert obligatory([spec("tg16", "decode", 32, 16), spec("pp64", "prefill", 64)]) == {"tg16"}
    assert obligatory(CELLS[5:]) == {"chat512/128"}
    assert obligatory([]) == frozenset()


def test_a_sweeps_values_are_not_all_obligatory() -> None:
    sweep = [spec(f"tg128[num_thread={threads}]", "decode", 32, 128) for threads in (2, 4, 8)]
    assert obligatory(sweep) == {"tg128[num_thread=2]"}
    assert obligatory([*sweep, spec("tg128", "decode", 32, 128)]) == {"tg128"}


def test_the_slow_variant_is_as_obligatory_as_the_cell_it_stands_for() -> None:
    slow = [slow_variant(each, 1.5) or each for each in CELLS]
    assert obligatory(slow) == {"pp512", "tg32"}


@pytest.mark.parametrize(
    ("name", "rate", "variant"),
    [
        ("tg128", 1.9, "tg32"),
        ("tg128@2048", 0.5, "tg32@2048"),
        ("tg128[num_gpu=0]", 0.5, "tg32[num_gpu=0]"),
        ("tg128@2048[num_gpu=0]", 0.5, "tg32@2048[num_gpu=0]"),
        ("tg128", 2.0, None),
        ("tg128", None, None),
        ("pp512", 0.5, None),
        ("chat512/128", 0.5, None),
    ],
)
def test_below_two_tokens_a_second_32_are_decoded_instead(name: str, rate: float | None, variant: str | None) -> None:
    base, _, parameters = name.partition("[")
    cell = next(each for each in CELLS if each.name == base)
    cell = dataclasses.replace(cell, name=name, num_gpu=0 if parameters else None)
    found = slow_variant(cell, rate)
    assert (found.name if found else None) == variant
    assert found is None or (found.output_tokens, found.depth, found.num_gpu) == (32, cell.depth, cell.num_gpu)
