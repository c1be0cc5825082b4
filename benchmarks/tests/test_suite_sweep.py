"""Sweeps: cells times values, what they are bounded by, and what is refused of them."""

import pytest

from benchmarks import suites
from obt_site.errors import Invalid


def plan(cells, budget="quick", **more):
    return suites.plan("standard", budget, cells, **more)


def names(cells, **sweep):
    return [spec.name for spec in plan(cells, sweep=sweep).cells]


def problems(cells, **more):
    with pytest.raises(Invalid) as refusal:
        plan(cells, **more)
    return {error.field: error.message for error in refusal.value.errors}


def test_each_cell_is_measured_at_each_value_and_equal_values_stand_together():
    assert names(["tg128", "pp512"], num_thread=[4, 8]) == [
        "tg128[num_thread=4]",
        "pp512[num_thread=4]",
        "tg128[num_thread=8]",
        "pp512[num_thread=8]",
    ]


def test_two_parameters_make_every_combination():
    assert names(["tg128"], num_gpu=[0, 32], num_ctx=[4096, 8192]) == [
        "tg128[num_ctx=4096,num_gpu=0]",
        "tg128[num_ctx=4096,num_gpu=32]",
        "tg128[num_ctx=8192,num_gpu=0]",
        "tg128[num_ctx=8192,num_gpu=32]",
    ]


def test_a_load_is_multiplied_only_by_what_concerns_it():
    found = names(["load", "tg128"], num_ctx=[4096, 8192], num_thread=[4, 8])

    assert [name for name in found if name.startswith("load")] == ["load[num_ctx=4096]", "load[num_ctx=8192]"]
    assert sum(name.startswith("tg128") for name in found) == 4
    assert names(["load", "tg128"], num_thread=[4]) == ["load", "tg128[num_thread=4]"]


def test_a_value_given_twice_is_one():
    assert names(["tg128"], num_thread=[4, 4]) == ["tg128[num_thread=4]"]


def test_a_parameter_a_cell_names_beside_the_sweep_stays():
    assert names(["tg128[num_gpu=0]"], num_thread=[4]) == ["tg128[num_gpu=0,num_thread=4]"]


def test_fixed_prompts_are_swept_too():
    prompt = suites.FixedPrompt("mine", "Why is the sky blue?", 64)

    made = plan([], prompts=[prompt], sweep={"num_thread": [2, 4]}).cells

    assert [spec.name for spec in made] == ["prompt-mine/64[num_thread=2]", "prompt-mine/64[num_thread=4]"]
    assert {spec.text for spec in made} == {prompt.text}


def test_a_sweep_is_bounded_before_it_is_made():
    found = problems(["tg128", "pp512", "load"], sweep={"num_thread": list(range(1, 21)), "num_batch": [1, 2, 3]})

    assert found["sweep"].startswith("These values make 121 cells of 3; a session has at most 50.")


@pytest.mark.parametrize(
    ("sweep", "field", "words"),
    [
        ({"threads": [4]}, "sweep.threads", "There is no parameter “threads”; there is num_ctx"),
        ({"num_thread": []}, "sweep.num_thread", "Give between 1 and 20 values of num_thread."),
        ({"num_thread": list(range(1, 22))}, "sweep.num_thread", "Give between 1 and 20 values"),
        ({"num_thread": [4, 0]}, "sweep.num_thread.1", "It asks for num_thread 0; it can be 1 to 1024."),
        ({"num_gpu": [-1]}, "sweep.num_gpu.0", "It asks for num_gpu -1"),
        ({"num_batch": [10**9]}, "sweep.num_batch.0", "It asks for num_batch 1000000000"),
        ({"num_ctx": [4096, 2048]}, "sweep.num_ctx.1", "A context of 2048 is too small for pp2048: 2342 or more"),
    ],
)
def test_values_that_cannot_be_are_refused_at_their_place(sweep, field, words):
    assert words in problems(["tg128", "pp2048"], sweep=sweep)[field]


def test_what_the_sweep_varies_cannot_be_named_by_a_cell_or_an_option_as_well():
    sweep = {"num_thread": [4, 8]}

    assert "which the sweep varies" in problems(["pp512", "tg128[num_thread=2]"], sweep=sweep)["cells.1"]
    assert (
        "The sweep varies num_thread"
        in problems(["tg128"], sweep=sweep, options={"num_thread": 2})["options.num_thread"]
    )


def test_a_context_longer_than_every_models_is_refused_at_the_value_that_asked_for_it():
    model = type("M", (), {"name": "m", "capabilities": ["completion"], "context_length": 8192})()
    made = plan(["tg128", "pp512"], sweep={"num_ctx": [4096, 16_384]})

    with pytest.raises(Invalid) as refusal:
        suites.used(made.cells, [model], made.fields)

    (error,) = refusal.value.errors
    assert error == (
        "sweep.num_ctx.1",
        "tg128[num_ctx=16384] needs a context of 16384 tokens; the chosen models have at most 8192.",
    )


def test_a_swept_cell_of_the_suite_that_a_model_is_too_short_for_is_skipped_not_refused():
    model = type("M", (), {"name": "m", "capabilities": ["completion"], "context_length": 8192})()
    made = plan(["pp8192", "tg128"], sweep={"num_thread": [4]})

    assert len(suites.used(made.cells, [model], made.fields)) == 2


def test_everything_that_is_wrong_is_said_at_once():
    found = problems(["warp9"], sweep={"num_thread": [0]}, slo={"ttft_ms": -1.0}, options={"seed": -1})

    assert set(found) == {"cells.0", "sweep.num_thread.0", "slo.ttft_ms", "options.seed"}
