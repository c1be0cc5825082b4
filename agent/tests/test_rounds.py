"""Rounds of several requests: what counts, and what only all of them together show."""

from __future__ import annotations

import dataclasses

import pytest

from agent.obt_agent.contract import CellSpec, RawCounters, Sample, Slo, Timing
from agent.obt_agent.metrics import FORMULAS
from agent.obt_agent.rounds import (
    ROUND_METRICS,
    Round,
    names_of,
    observed_parallelism,
    round_metrics,
    rounds_of,
    ttft_spread,
)

C3 = CellSpec("c3", "concurrency", 3, 1, 512, 128, 4096, concurrency=3)
TG = CellSpec("tg128", "decode", 6, 1, 32, 128, 4096)
MS = 1_000_000


def request(slot: int, start_ms: float, ttft_ms: int | None, last_ms: int | None, index: int = 0) -> Sample:
    """A request by its own times: tokens from `ttft_ms` to `last_ms` after its start."""
    raw = RawCounters(
        total_duration=900 * MS,
        load_duration=10 * MS,
        prompt_eval_count=512,
        prompt_eval_duration=100 * MS,
        eval_count=128,
        eval_duration=300 * MS,
        done=True,
        done_reason="length",
    )
    ttft = None if ttft_ms is None else ttft_ms * MS
    last = None if last_ms is None else last_ms * MS
    timing = Timing(start_ms / 1000, ttft, ttft, last, None if last is None else last + MS)
    return Sample("c3", index, False, raw, timing, slot=slot)


SERIAL = [request(0, 0, 100, 400), request(1, 0, 500, 800), request(2, 1, 900, 1200)]
PARALLEL = [request(0, 0, 100, 1200), request(1, 0, 120, 1200), request(2, 1, 140, 1199)]


def test_a_queue_worked_off_one_by_one_is_no_parallelism() -> None:
    assert observed_parallelism(SERIAL).value == 1
    noted_late = [request(0, 0, 100, 410), request(1, 0, 400, 710)]
    assert observed_parallelism(noted_late).value == 1


def test_requests_that_receive_tokens_at_the_same_time_are() -> None:
    assert observed_parallelism(PARALLEL).value == 3
    assert observed_parallelism([PARALLEL[0], PARALLEL[1], SERIAL[0]]).value == 3
    assert observed_parallelism([request(0, 0, 100, 400), request(1, 0, 300, 600), request(2, 0, 500, 800)]).value == 2


def test_one_request_is_one() -> None:
    assert observed_parallelism(SERIAL[:1]).value == 1


def test_waiting_shows_as_the_spread_of_the_first_tokens() -> None:
    assert ttft_spread(SERIAL).value == 800
    assert ttft_spread(PARALLEL).value == 40
    assert ttft_spread(SERIAL[:1]).reason == "one request has no spread"


def test_the_throughput_is_all_tokens_over_first_start_to_last_end() -> None:
    found = round_metrics(Round(0, False, SERIAL, 3), C3)["output_throughput"]
    assert found.value == pytest.approx(3 * 128 / 1.202)


def test_what_each_request_has_is_the_median_over_them() -> None:
    found = round_metrics(Round(0, False, SERIAL, 3), C3)
    assert found["ttft"].value == 500
    assert found["queueing"].value == pytest.approx(490)


def test_a_request_without_a_token_leaves_the_round_without_its_numbers() -> None:
    broken = [*SERIAL[:2], request(2, 0, None, None)]
    found = round_metrics(Round(0, False, broken, 3), C3)
    assert {name: found[name].value for name in (*ROUND_METRICS, "ttft")} == dict.fromkeys((*ROUND_METRICS, "ttft"))
    assert all(found[name].reason for name in (*ROUND_METRICS, "ttft"))


def with_limits(**limits: float) -> CellSpec:
    return dataclasses.replace(C3, slo=Slo(**limits))


# SERIAL: TTFT 100, 500, 900 ms; ITL 300 / 127 ms each; end to end 401, 801, 1201 ms.
@pytest.mark.parametrize(
    ("limits", "good"),
    [
        ({"ttft_ms": 1000.0}, 3),
        ({"ttft_ms": 500.0}, 2),
        ({"ttft_ms": 499.0}, 1),
        ({"ttft_ms": 99.0}, 0),
        ({"e2e_ms": 801.0}, 2),
        ({"itl_ms": 3.0}, 3),
        ({"itl_ms": 2.0}, 0),
        ({"ttft_ms": 500.0, "e2e_ms": 500.0}, 1),
        ({"ttft_ms": 0.0}, 0),
    ],
)
def test_goodput_is_the_requests_that_met_every_limit_over_the_makespan(limits: dict[str, float], good: int) -> None:
    found = round_metrics(Round(0, False, SERIAL, 3), with_limits(**limits))["goodput"]
    assert found.value == pytest.approx(good / 1.202)
    assert found.unit == "req/s"


@pytest.mark.parametrize("spec", [C3, with_limits()])
def test_without_limits_there_is_no_goodput(spec: CellSpec) -> None:
    found = round_metrics(Round(0, False, SERIAL, 3), spec)["goodput"]
    assert (found.value, found.reason) == (None, "no limits were stated")


def test_a_request_that_cannot_be_held_to_its_limits_leaves_no_goodput_but_a_reason() -> None:
    broken = [*SERIAL[:2], request(2, 0, None, None)]
    found = round_metrics(Round(0, False, broken, 3), with_limits(itl_ms=5.0))["goodput"]
    assert (found.value, found.reason) == (None, "a request could not be held to its limits: no token arrived")


def test_a_round_that_is_not_whole_has_no_goodput() -> None:
    found = round_metrics(Round(0, False, SERIAL[:2], 3), with_limits(ttft_ms=1000.0))["goodput"]
    assert (found.value, found.reason) == (None, "the requests have no duration")


def test_requests_are_gathered_by_their_round_in_order_of_slots() -> None:
    later = [dataclasses.replace(sample, index=1) for sample in SERIAL]
    warm = [dataclasses.replace(sample, warmup=True) for sample in SERIAL]
    found = rounds_of([*warm, *reversed(SERIAL), *later], C3)
    assert [(one.warmup, one.index, [sample.slot for sample in one.samples]) for one in found] == [
        (True, 0, [0, 1, 2]),
        (False, 0, [0, 1, 2]),
        (False, 1, [0, 1, 2]),
    ]
    assert [one.valid for one in found] == [False, True, True]


def test_a_round_counts_only_whole_and_without_a_flag() -> None:
    assert not rounds_of(SERIAL[:2], C3)[0].valid
    flagged = [dataclasses.replace(SERIAL[0], flags=["wrong_length"]), *SERIAL[1:]]
    (one,) = rounds_of(flagged, C3)
    assert (one.valid, one.flags) == (False, ["wrong_length"])


def test_other_cells_have_rounds_of_one() -> None:
    single = [dataclasses.replace(SERIAL[0], slot=None), dataclasses.replace(SERIAL[1], slot=None, index=1)]
    assert [len(one.samples) for one in rounds_of(single, TG)] == [1, 1]


def test_every_metric_of_a_round_has_a_formula() -> None:
    assert set(names_of(C3)) == set(round_metrics(Round(0, False, SERIAL, 3), C3))
    assert set(names_of(C3)) <= set(FORMULAS)
    assert not set(ROUND_METRICS) & set(names_of(TG))
