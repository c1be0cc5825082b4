"""Fixed prompts, limits and repetitions: what becomes of them in a plan, and what is refused."""

import pytest

from agent.obt_agent import wire
from agent.obt_agent.contract import Slo
from agent.obt_agent.link import ANSWER_BYTES
from benchmarks import suites
from benchmarks.suites import FixedPrompt, prompts
from obt_site.errors import Invalid

TEXT = "Why is the sky blue?"


def plan(cells=None, budget="quick", **more):
    return suites.plan("standard", budget, cells, **more)


def problems(**more):
    with pytest.raises(Invalid) as refusal:
        plan(**more)
    return {error.field: error.message for error in refusal.value.errors}


def test_a_prompt_is_a_cell_named_after_it_with_its_text_as_it_is():
    text = "  Zwölf Boxkämpfer\n\tjagen Viktor 🥊  "

    (spec,) = plan([], prompts=[FixedPrompt("Mein Prompt!", text, 64)]).cells

    assert (spec.name, spec.kind, spec.text) == ("prompt-mein-prompt/64", "prompt", text)
    assert (spec.prompt_tokens, spec.output_tokens, spec.repetitions, spec.warmups) == (0, 64, 6, 1)


def test_prompts_come_after_the_cells_and_without_cells_after_the_whole_suite():
    prompt = FixedPrompt("mine", TEXT, 64)

    assert [spec.name for spec in plan(["tg128"], prompts=[prompt]).cells] == ["tg128", "prompt-mine/64"]
    assert len(plan(None, prompts=[prompt]).cells) == 16


@pytest.mark.parametrize(
    ("name", "slug"),
    [("a", "a"), ("A  b_c", "a-b_c"), ("俳句 2", "俳句-2"), ("Ｆull-width", "full-width"), ("../x[1]", "x-1")],
)
def test_a_name_becomes_letters_and_digits_of_any_script(name, slug):
    assert prompts.slug(name) == slug


@pytest.mark.parametrize(
    ("prompt", "field", "words"),
    [
        (FixedPrompt("", TEXT, 64), "name", "needs a name with a letter or a digit"),
        (FixedPrompt("!!", TEXT, 64), "name", "needs a name with a letter or a digit"),
        (FixedPrompt("x" * 41, TEXT, 64), "name", "at most 40 characters"),
        (FixedPrompt("a", "", 64), "text", "The text is empty."),
        (FixedPrompt("a", " \n\t ", 64), "text", "The text is empty."),
        (FixedPrompt("a", "x" * 50_001, 64), "text", "50001 characters; at most 50000"),
        (FixedPrompt("a", "half \ud83d", 64), "text", "a lone surrogate"),
        (FixedPrompt("a", "broken \ufffd", 64), "text", "not UTF-8"),
        (FixedPrompt("a", "bell \x07", 64), "text", "a control character (U+0007)"),
        (FixedPrompt("a", "nul \x00", 64), "text", "a control character (U+0000)"),
        (FixedPrompt("a", "next line \x85", 64), "text", "a control character (U+0085)"),
        (FixedPrompt("a", TEXT, 0), "output_tokens", "asks for 0 output tokens; it can be 2 to 16384."),
        (FixedPrompt("a", TEXT, 1), "output_tokens", "asks for 1 output tokens"),
        (FixedPrompt("a", TEXT, -5), "output_tokens", "asks for -5 output tokens"),
        (FixedPrompt("a", TEXT, 10**9), "output_tokens", "asks for 1000000000 output tokens"),
    ],
)
def test_what_is_wrong_with_a_prompt_is_said_at_its_field(prompt, field, words):
    found = problems(prompts=[FixedPrompt("first", TEXT, 64), prompt])

    assert list(found) == [f"prompts.1.{field}"]
    assert words in found[f"prompts.1.{field}"]


def test_two_prompts_of_one_name_are_refused_at_the_second():
    found = problems(prompts=[FixedPrompt("Haiku", TEXT, 64), FixedPrompt("haiku!", "other", 64)])

    assert found == {"prompts.1.name": "Another prompt is called “Haiku” already; both would be prompt-haiku."}


def test_there_are_at_most_ten_prompts():
    assert "at most 10 prompts" in problems(prompts=[FixedPrompt(f"p{i}", TEXT, 64) for i in range(11)])["prompts"]


def test_a_long_text_gets_a_context_with_room_for_it():
    (spec,) = plan([], prompts=[FixedPrompt("long", "word " * 9000, 64)]).cells

    assert spec.num_ctx * suites.parameters.ROOM >= len("word " * 9000) / 2 + 64


def test_a_prompt_takes_what_context_a_short_model_has():
    (spec,) = plan([], prompts=[FixedPrompt("long", "word " * 9000, 64)]).cells
    model = type("M", (), {"name": "m", "capabilities": ["completion"], "context_length": 2048})()

    assert suites.cells_for([spec], model)[0].num_ctx == 2048


# -- limits and repetitions --------------------------------------------------------------------------------------------


def test_limits_go_to_the_cells_with_requests_at_a_time():
    made = plan(["tg128", "c1", "c4"], slo={"ttft_ms": 500.0, "itl_ms": None}).cells

    assert {spec.name: spec.slo for spec in made} == {"tg128": None, "c1": Slo(500.0), "c4": Slo(500.0)}


def test_without_a_stated_limit_there_is_none():
    assert {spec.slo for spec in plan(slo={"ttft_ms": None}).cells} == {None}


@pytest.mark.parametrize("value", [0.0, -5.0, float("nan"), float("inf"), 3_600_001.0])
def test_a_limit_is_a_positive_number_of_milliseconds(value):
    assert problems(slo={"itl_ms": value})["slo.itl_ms"].startswith("A limit is more than 0 and at most 3600000 ms;")


def test_an_unknown_limit_and_limits_without_a_cell_for_them_are_refused():
    assert "there is ttft_ms, itl_ms, e2e_ms" in problems(slo={"ttfb_ms": 1.0})["slo.ttfb_ms"]
    assert "choose one of them, such as c1" in problems(cells=["tg128"], slo={"e2e_ms": 1.0})["slo.e2e_ms"]


@pytest.mark.parametrize(("budget", "most"), [("quick", None), ("standard", 15), ("full", 15)])
def test_longer_budgets_go_on_while_a_cell_is_not_precise_but_not_with_loads_and_rounds(budget, most):
    made = {spec.name: spec.max_repetitions for spec in plan(["load", "c4", "tg128", "chat512/128"], budget).cells}

    assert made == {"load": None, "c4": None, "tg128": most, "chat512/128": most}


def test_a_plan_carries_its_suites_version_and_options():
    made = plan(options={"num_thread": 4, "seed": None})

    assert (made.suite_version, made.options) == ("1", {"num_thread": 4})


def test_texts_that_no_agent_could_take_in_one_offer_are_refused():
    long = FixedPrompt("long", "🥊" * 50_000, 64)

    found = problems(prompts=[long], cells=[], sweep={"num_thread": [1, 2, 3, 4, 5, 6]})
    assert "1200000 bytes together" in found["sweep"]
    assert len(plan([], prompts=[long], sweep={"num_thread": [1, 2, 3, 4, 5]}).cells) == 5


def test_the_longest_offer_is_within_what_an_agent_reads():
    long = FixedPrompt("long", "🥊" * 50_000, 64)
    made = plan([], prompts=[long], sweep={"num_thread": [1, 2, 3, 4, 5]})

    assert len(wire.dumps(list(made.cells))) < ANSWER_BYTES
