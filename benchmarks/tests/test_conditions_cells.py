"""What a cell adds to the conditions of its result: its own parameters, its text, and for goodput its limits."""

import hashlib

import pytest

from agent.obt_agent import wire
from benchmarks import conditions, pairing, suites
from benchmarks.documents import Result
from benchmarks.pairing import Entry
from benchmarks.suites import prompts


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ("tg128[num_thread=4]", "Option num_thread: unknown against 4."),
        ("tg128[num_gpu=0]", "Option num_gpu: unknown against 0."),
        ("tg128[num_ctx=8192]", "Context length: 4096 against 8192."),
    ],
)
def test_a_cells_own_parameters_are_its_conditions(other, sentence):
    base, varied = (conditions.of_cell(wire.encode(suites.cell(name)), {}) for name in ("tg128", other))

    assert [one.sentence for one in conditions.differences(base, varied)] == [sentence]


def test_a_cells_own_option_goes_before_the_jobs():
    whole = {"option_num_thread": "8"}
    own = conditions.of_cell(wire.encode(suites.cell("tg128[num_thread=4]")), {})

    assert {**whole, **own}["option_num_thread"] == "4"


def test_two_texts_are_two_measurements():
    specs = [prompts.cell(suites.FixedPrompt("mine", text, 64)) for text in ("Why is the sky blue?", "Why?")]

    one, two = (conditions.of_cell(wire.encode(spec), {}) for spec in specs)

    assert one["prompt_sha256"] == hashlib.sha256(b"Why is the sky blue?").hexdigest()
    assert [found.group for found in conditions.differences(one, two)] == ["measurement"]


def test_limits_are_a_condition_of_goodput_and_of_nothing_else():
    cell = {"cell": "c4", "conditions": {"kind": "concurrency"}, "metrics": {}}
    strict, loose = ({**cell, "limits": {"ttft_ms": limit, "itl_ms": None}} for limit in (200.0, 500.0))
    goodput, speed = (
        [Entry(Result(conditions={}), each, metric) for each in (strict, loose)]
        for metric in ("goodput", "output_throughput")
    )

    _, _, differing = pairing.partners(goodput[:1], goodput[1:], frozenset())

    assert [one.sentence for one in differing] == ["Limits of goodput: ttft_ms 200 against ttft_ms 500."]
    assert pairing.forbidden(differing, frozenset(conditions.GROUPS)) == differing
    assert speed[0].key == speed[1].key
