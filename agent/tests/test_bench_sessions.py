"""The rows about whole sessions, on results as the API tells them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from agent.bench import repeatability, whole_session
from agent.bench.metronome import Metronome
from agent.bench.whole_session import EMBED_CELLS, NARROW, TEXT_CELLS
from agent.real_ollama.models import EMBEDS


def cell(name: str, median: float = 100.0, spread: float = 1.0, **fields: Any) -> dict[str, Any]:
    number = {"median": median, "low": median - spread, "high": median + spread, "n": 6, "interval": True, "unit": "x"}
    plain = {"headline": "rate", "valid": True, "skipped": None, "stopped": None, "flags": [], "left_out": 0}
    return {"cell": name, "metrics": {"rate": number}, "n": 6, "planned": 6, **plain, **fields}


def result(*cells: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "m", "cells": list(cells), "valid": True, "outcome": "succeeded", "duration_s": 61.0, **fields}


def whole(*replaced: dict[str, Any], of: frozenset[str] = TEXT_CELLS) -> dict[str, Any]:
    known = {name: cell(name) for name in of}
    return result(*{**known, **{each["cell"]: each for each in replaced}}.values())


def test_a_whole_session_has_a_number_in_every_cell() -> None:
    assert whole_session.row(NARROW, whole(), "standard").ok
    assert whole_session.row(EMBEDS, whole(of=EMBED_CELLS), "standard").ok


@pytest.mark.parametrize(
    ("lacking", "reason"),
    [
        (cell("pp8192", skipped="budget: too long", valid=False, metrics={}), "pp8192: budget: too long"),
        (cell("c8", stopped="stopped after 9 tries", valid=False), "c8: stopped after 9 tries"),
        (cell("tg128", valid=False, n=2, flags=["reloaded"]), "tg128: 2 of 6 valid (reloaded)"),
    ],
)
def test_a_cell_without_a_number_is_named_with_its_reason(lacking: dict[str, Any], reason: str) -> None:
    row = whole_session.row(NARROW, whole(lacking), "standard")
    assert not row.ok
    assert reason in row.measured


def test_a_cell_that_is_not_even_in_the_result_is_missed() -> None:
    row = whole_session.row(NARROW, whole(of=TEXT_CELLS - {"c4"}), "standard")
    assert not row.ok
    assert "c4: not in the result" in row.measured


def test_text_cells_on_a_model_that_embeds_are_not_expected() -> None:
    assert not whole_session.row(EMBEDS, whole(cell("tg128"), of=EMBED_CELLS), "standard").ok


def agreement(before: dict[str, Any], after: dict[str, Any]) -> Any:
    pairs, lost = repeatability.paired(before, after), repeatability.unpaired(before, after)
    return repeatability.row(pairs, lost, "standard")


def test_medians_within_two_percent_agree_whatever_their_intervals() -> None:
    assert agreement(result(cell("a", 100.0, 0.1)), result(cell("a", 101.9, 0.1))).ok


def test_intervals_that_overlap_agree_and_others_do_not() -> None:
    row = agreement(result(cell("a", 100.0, 3.0)), result(cell("a", 105.0, 3.0)))
    assert row.ok
    assert "0 within 2 %, 1 within the intervals" in row.measured
    apart = agreement(result(cell("a", 100.0, 2.0)), result(cell("a", 105.0, 2.0)))
    assert not apart.ok
    assert "apart: a +5.0 %" in apart.measured


@pytest.mark.parametrize(("machine", "ok"), [(1.30, True), (1.20, False), (None, False)])
def test_a_cell_is_apart_unless_the_machine_itself_was_as_far_apart(machine: float | None, ok: bool) -> None:
    (pair,) = repeatability.paired(result(cell("a", 100.0, 0.1)), result(cell("a", 80.0, 0.1)))
    row = repeatability.row([dataclasses.replace(pair, machine=machine)], [], "standard")
    assert row.ok is ok
    assert ("apart: a -20.0 %" in row.measured) is not ok
    assert ("1 no further apart than the machine itself" in row.measured) is ok


def test_the_metronome_tells_what_the_same_work_cost_in_a_window() -> None:
    metronome = Metronome()
    metronome.at_s = [float(i) for i in range(20)]
    metronome.ms = [1.0] * 10 + [2.0] * 10
    assert metronome.cost_ms([(0.0, 4.0)]) == [1.0] * 5
    assert repeatability.machine_range(metronome, [(0.0, 9.0), (10.0, 19.0)]) == 2.0
    assert repeatability.machine_range(metronome, [(0.0, 9.0)]) == 1.0
    assert repeatability.machine_range(metronome, [(40.0, 50.0)]) is None


def test_the_metronome_beats_while_it_is_open() -> None:
    with Metronome() as metronome:
        assert metronome._process is not None
    assert metronome.ms
    assert len(metronome.ms) == len(metronome.at_s)
    assert min(metronome.ms) > 0


def test_a_number_in_one_session_only_is_no_agreement() -> None:
    row = agreement(result(cell("a"), cell("b")), result(cell("a"), cell("b", valid=False)))
    assert not row.ok
    assert "in one session only: b" in row.measured


def test_no_cells_at_all_agree_on_nothing() -> None:
    assert not agreement(result(), result()).ok
