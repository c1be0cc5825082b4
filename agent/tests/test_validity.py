"""Each gate on a sample that fails it and on one that just does not."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from agent.obt_agent.contract import CellSpec, Placement, Prompt, RawCounters, Sample, SampleError, Timing
from agent.obt_agent.validity import SENTENCES, flags_of, is_valid, judge, missing_counters

CHAT = CellSpec("chat", "chat", 6, 1, 512, 128, 4096)
PREFILL = CellSpec("pp512", "prefill", 6, 1, 512, 1, 4096)
LOAD = CellSpec("load", "load", 3, 1, 0, 1, 4096)
POEM = CellSpec("prompt-poem/128", "prompt", 6, 1, 0, 128, 4096, text="Write a poem.")

RAW = RawCounters(
    total_duration=2_000_000_000,
    load_duration=3_000_000,
    prompt_eval_count=512,
    prompt_eval_duration=640_000_000,
    eval_count=128,
    eval_duration=1_270_000_000,
    done=True,
    done_reason="length",
)
GOOD = Sample(
    cell="chat",
    index=0,
    warmup=False,
    raw=RAW,
    timing=Timing(start_s=0.0, ttft_ns=650_000_000, e2e_ns=2_001_000_000, chunk_ns=[650_000_000, 700_000_000]),
    prompt=Prompt(512, 2300, "0" * 64, "1234"),
    placement=Placement(1000, 1000),
    loaded_models=1,
)


def with_raw(**changes: Any) -> Sample:
    return dataclasses.replace(GOOD, raw=dataclasses.replace(RAW, **changes))


def flags(sample: Sample, spec: CellSpec = CHAT, siblings: int = 5) -> list[str]:
    """Its flags beside good siblings."""
    return flags_of(sample, spec, [*[dataclasses.replace(GOOD) for _ in range(siblings)], sample])


def test_a_good_sample_has_no_flags_and_counts() -> None:
    assert flags(GOOD) == []
    assert is_valid(GOOD)


def test_a_warmup_never_counts() -> None:
    assert not is_valid(dataclasses.replace(GOOD, warmup=True))


def test_an_answer_without_the_final_message_is_not_done_and_only_that() -> None:
    assert flags(dataclasses.replace(GOOD, raw=RawCounters())) == ["not_done"]


@pytest.mark.parametrize("changes", [{"eval_count": 127}, {"eval_count": 129}, {"done_reason": "stop"}])
def test_any_other_length_or_ending_is_a_wrong_length(changes: dict[str, Any]) -> None:
    assert flags(with_raw(**changes)) == ["wrong_length"]


@pytest.mark.parametrize(("count", "off"), [(501, True), (502, False), (522, False), (523, True)])
def test_the_prompt_must_be_within_two_percent_of_its_target(count: int, off: bool) -> None:
    assert flags(with_raw(prompt_eval_count=count)) == (["prompt_off_target"] if off else [])


def test_a_prompt_of_a_few_tokens_may_miss_by_two() -> None:
    short = dataclasses.replace(with_raw(prompt_eval_count=18), prompt=Prompt(16, 60, "0" * 64, "1"))
    assert flags(short) == []
    assert flags(dataclasses.replace(short, raw=dataclasses.replace(short.raw, prompt_eval_count=19))) == [
        "prompt_off_target"
    ]


def test_a_cached_count_is_a_cache_hit_even_without_siblings() -> None:
    assert flags(with_raw(prompt_eval_cached_count=300), siblings=0) == ["cache_hit"]


def test_a_cached_begin_of_text_token_is_not() -> None:
    assert flags(with_raw(prompt_eval_cached_count=1)) == []


def test_a_prefill_many_times_faster_than_the_siblings_is_a_cache_hit() -> None:
    assert flags(with_raw(prompt_eval_duration=3_000_000, total_duration=1_363_000_000)) == ["cache_hit"]


def test_a_prefill_twice_as_fast_is_only_a_fast_one() -> None:
    assert flags(with_raw(prompt_eval_duration=320_000_000)) == []


def test_one_slow_sibling_does_not_make_the_others_cache_hits() -> None:
    slow = dataclasses.replace(GOOD, raw=dataclasses.replace(RAW, prompt_eval_duration=1_999_000_000, eval_duration=1))
    judged = judge([slow, *[dataclasses.replace(GOOD) for _ in range(5)]], CHAT)
    assert not any("cache_hit" in sample.flags for sample in judged)


def test_a_load_inside_the_block_is_a_reload() -> None:
    late = dataclasses.replace(
        with_raw(load_duration=290_000_000, total_duration=2_300_000_000),
        timing=dataclasses.replace(GOOD.timing, e2e_ns=2_301_000_000),
    )
    assert flags(late) == ["reloaded"]


def test_a_slow_lookup_of_a_warm_model_is_not_a_reload() -> None:
    assert flags(with_raw(load_duration=60_000_000)) == []


def test_without_siblings_only_a_whole_second_is_a_reload() -> None:
    timing = dataclasses.replace(GOOD.timing, e2e_ns=9_000_000_000)
    second = dataclasses.replace(with_raw(load_duration=1_100_000_000, total_duration=8_000_000_000), timing=timing)
    assert flags(second, siblings=0) == ["reloaded"]


def test_in_a_load_cell_a_load_is_the_point() -> None:
    raw = dataclasses.replace(RAW, load_duration=900_000_000, eval_count=1, eval_duration=None, prompt_eval_count=9)
    sample = dataclasses.replace(GOOD, raw=raw, prompt=Prompt(0, 8, "0" * 64, "1"))
    assert flags(sample, LOAD, siblings=0) == []


def test_a_sample_that_was_placed_otherwise_than_most_is_flagged() -> None:
    moved = dataclasses.replace(GOOD, placement=Placement(1000, 700))
    assert flags(moved) == ["placement_changed"]


def test_a_changed_placement_flags_the_few_and_not_the_many() -> None:
    moved = dataclasses.replace(GOOD, placement=Placement(1000, 700))
    judged = judge([GOOD, moved, moved, moved], CHAT)
    assert [sample.flags for sample in judged] == [["placement_changed"], [], [], []]


def test_an_unknown_placement_is_no_change() -> None:
    assert flags(dataclasses.replace(GOOD, placement=None)) == []


def test_a_second_loaded_model_is_flagged() -> None:
    assert flags(dataclasses.replace(GOOD, loaded_models=2)) == ["other_model_loaded"]


def test_an_answer_from_a_cloud_is_flagged() -> None:
    cloud = dataclasses.replace(GOOD, error=SampleError("model_remote", "It came from a cloud."))
    assert flags(cloud) == ["error", "cloud"]


@pytest.mark.parametrize("name", ["total_duration", "load_duration", "prompt_eval_duration", "eval_duration"])
def test_a_missing_counter_that_is_needed_is_flagged(name: str) -> None:
    assert "no_counters" in flags(with_raw(**{name: None}))


def test_one_token_needs_no_eval_duration() -> None:
    raw = dataclasses.replace(RAW, eval_count=1, eval_duration=None, total_duration=650_000_000)
    assert missing_counters(raw, PREFILL) == []
    assert (
        flags(dataclasses.replace(GOOD, raw=raw, timing=dataclasses.replace(GOOD.timing, chunk_ns=[1])), PREFILL) == []
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"eval_duration": 0},
        {"eval_duration": 1_900_000_000},  # more in parts than in all
        {"total_duration": 2_600_000_000},  # more than the agent saw pass
    ],
)
def test_counters_that_cannot_be_true_are_nonsense(changes: dict[str, Any]) -> None:
    assert flags(with_raw(**changes)) == ["nonsense_counters"]


def test_more_chunks_than_tokens_are_nonsense() -> None:
    timing = dataclasses.replace(GOOD.timing, chunk_ns=list(range(130)))
    assert flags(dataclasses.replace(GOOD, timing=timing)) == ["nonsense_counters"]
    timing = dataclasses.replace(GOOD.timing, chunk_ns=list(range(129)))
    assert flags(dataclasses.replace(GOOD, timing=timing)) == []


def test_counters_that_are_no_counts_are_nonsense_beside_the_error() -> None:
    wrong = dataclasses.replace(GOOD, error=SampleError("bad_counters", "Ollama's eval_count is -3."))
    assert flags(wrong) == ["error", "nonsense_counters"]


# -- fixed prompts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({"done_reason": "length", "eval_count": 128}, True),
        ({"done_reason": "stop", "eval_count": 128}, True),
        ({"done_reason": "stop", "eval_count": 2}, True),
        ({"done_reason": "length", "eval_count": 100}, True),  # the context was full
        ({"done_reason": "stop", "eval_count": 1}, False),
        ({"done_reason": "stop", "eval_count": 0}, False),
        ({"done_reason": "length", "eval_count": 129}, False),
        ({"done_reason": "load", "eval_count": 10}, False),
        ({"done_reason": None, "eval_count": 10}, False),
    ],
)
def test_the_answer_to_a_fixed_prompt_has_two_tokens_to_the_asked_however_it_ended(
    changes: dict[str, Any], counts: bool
) -> None:
    assert ("wrong_length" not in flags(with_raw(**changes), POEM)) is counts


@pytest.mark.parametrize("name", ["prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration"])
def test_a_fixed_prompt_needs_the_counters_of_a_chat(name: str) -> None:
    assert missing_counters(dataclasses.replace(RAW, **{name: None}), POEM) == [name]
    assert missing_counters(RawCounters(), POEM) == missing_counters(RawCounters(), CHAT)


def test_a_fixed_prompt_has_the_length_it_has_and_still_misses_the_cache() -> None:
    fixed = dataclasses.replace(with_raw(prompt_eval_count=40), prompt=Prompt(0, 30, "0" * 64, "1234"))
    assert flags(fixed, POEM) == []
    assert "cache_hit" in flags(with_raw(prompt_eval_duration=6_000_000), POEM)
    assert "cache_hit" in flags(with_raw(prompt_eval_cached_count=100), POEM)


def test_judging_again_changes_nothing() -> None:
    samples = [GOOD, with_raw(eval_count=3), dataclasses.replace(GOOD, loaded_models=3)]
    once = judge(samples, CHAT)
    assert judge(once, CHAT) == once


def test_every_flag_has_a_sentence() -> None:
    assert all(sentence.endswith(".") and len(sentence.split()) > 3 for sentence in SENTENCES.values())
