"""Cells by name: what each measures, what is refused, and which of them a model gets."""

from types import SimpleNamespace

import pytest

from benchmarks import suites
from obt_site.errors import Invalid


def model(*capabilities, name="m:1b", context=131_072, remote=False):
    return SimpleNamespace(name=name, capabilities=list(capabilities), context_length=context, remote=remote)


TEXT = model("completion", "tools")
EMBEDS = model("embedding", name="nomic", context=2048)
STANDARD = suites.plan("standard", "quick").cells


def names(cells):
    return [each.name for each in cells]


@pytest.mark.parametrize(
    ("name", "kind", "prompt", "output", "depth", "concurrency", "batch", "num_ctx", "repetitions"),
    [
        ("load", "load", 0, 1, 0, 1, 1, 4096, 3),
        ("pp2048", "prefill", 2048, 1, 0, 1, 1, 4096, 6),
        ("pp8192", "prefill", 8192, 1, 0, 1, 1, 10_240, 6),
        ("tg128", "decode", 32, 128, 0, 1, 1, 4096, 6),
        ("tg128@2048", "decode", 0, 128, 2048, 1, 1, 4096, 6),
        ("tg128@8192", "decode", 0, 128, 8192, 1, 1, 10_240, 6),
        ("tg64@16384", "decode", 0, 64, 16_384, 1, 1, 20_480, 6),
        ("chat512/128", "chat", 512, 128, 0, 1, 1, 4096, 6),
        ("c8", "concurrency", 512, 128, 0, 8, 1, 4096, 3),
        ("embed256x1", "embed", 256, 0, 0, 1, 1, 512, 6),
        ("embed256x32", "embed", 256, 0, 0, 1, 32, 512, 6),
        ("embed1024x4", "embed", 1024, 0, 0, 1, 4, 4096, 6),
    ],
)
def test_a_name_says_what_is_measured(name, kind, prompt, output, depth, concurrency, batch, num_ctx, repetitions):
    spec = suites.cell(name)

    assert (spec.name, spec.kind, spec.prompt_tokens, spec.output_tokens) == (name, kind, prompt, output)
    assert (spec.depth, spec.concurrency, spec.batch) == (depth, concurrency, batch)
    assert (spec.num_ctx, spec.repetitions) == (num_ctx, repetitions)


def test_the_standard_suite_has_two_context_lengths_for_text_and_one_for_vectors():
    assert {each.num_ctx for each in STANDARD if each.kind != "embed"} == {4096, 10_240}
    assert {each.num_ctx for each in STANDARD if each.kind == "embed"} == {512}
    assert len(STANDARD) == 15


@pytest.mark.parametrize(
    "name",
    [
        "",
        "warp9",
        "pp",
        "tg128@",
        "tg@128",
        "chat512",
        "c",
        "embed256",
        "LOAD",
        "pp5e2",
        "pp 512",
        "tg١٢٨",
        "c2 ",
        "x" * 100,
    ],
)
def test_an_unknown_name_is_refused_with_the_names_there_are(name):
    with pytest.raises(Invalid, match=r"There is no cell .* Cells are load, ppN"):
        suites.cell(name)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("pp0", "pp0 asks for 0 prompt tokens; it can be 32 to 131071."),
        ("pp-5", "pp-5 asks for -5 prompt tokens; it can be 32 to 131071."),
        ("tg0", "tg0 asks for 0 output tokens; it can be 2 to 16384."),
        ("tg1", "tg1 asks for 1 output tokens; it can be 2 to 16384."),
        ("tg99999999", "tg99999999 asks for 99999999 output tokens; it can be 2 to 16384."),
        ("tg128@0", "tg128@0 asks for 0 tokens of context; it can be 32 to 131072."),
        ("tg128@131072", "tg128@131072 asks for 131200 tokens of prompt and output; it can be 1 to 131072."),
        ("chat0/128", "chat0/128 asks for 0 prompt tokens; it can be 32 to 131072."),
        ("c0", "c0 asks for 0 requests at a time; it can be 1 to 64."),
        ("c65", "c65 asks for 65 requests at a time; it can be 1 to 64."),
        ("embed256x0", "embed256x0 asks for 0 texts in a request; it can be 1 to 256."),
        ("embed8192x256", "embed8192x256 asks for 2097152 tokens in a request; it can be 32 to 65536."),
        ("pp0512", "pp0512 has a number that begins with 0; write it without."),
    ],
)
def test_a_number_out_of_its_limits_has_a_sentence(name, sentence):
    with pytest.raises(Invalid) as refusal:
        suites.cell(name)

    assert refusal.value.detail == sentence


def test_every_wrong_cell_of_a_plan_is_named_at_its_place():
    with pytest.raises(Invalid) as refusal:
        suites.plan("standard", "quick", ["tg0", "tg128", "warp9"])

    assert [error.field for error in refusal.value.errors] == ["cells.0", "cells.2"]


def test_a_text_model_gets_everything_but_embeddings():
    assert names(suites.cells_for(STANDARD, TEXT)) == [name for name in names(STANDARD) if "embed" not in name]


def test_an_embedding_model_gets_loading_and_embedding_at_one_context_length():
    cells = suites.cells_for(STANDARD, EMBEDS)

    assert names(cells) == ["load", "embed256x1", "embed256x32"]
    assert {each.num_ctx for each in cells} == {512}


def test_a_model_that_does_both_gets_everything():
    assert suites.cells_for(STANDARD, model("completion", "embedding")) == list(STANDARD)


def test_a_model_that_says_nothing_of_itself_is_taken_for_one_that_generates():
    assert names(suites.cells_for(STANDARD, model())) == names(suites.cells_for(STANDARD, TEXT))


def test_a_short_context_is_used_whole_where_a_cell_fits_and_left_alone_where_not():
    by_name = {each.name: each for each in suites.cells_for(STANDARD, model("completion", context=2048))}

    assert by_name["tg128"].num_ctx == by_name["load"].num_ctx == by_name["c8"].num_ctx == 2048
    assert by_name["pp2048"].num_ctx == 4096  # the agent skips it, and says why
    assert suites.too_long(by_name["pp8192"], model("completion", context=2048))


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (model("completion", remote=True), "runs in the cloud"),
        (model("vision"), "neither generates text nor embeds (vision)"),
        (EMBEDS, None),
        (TEXT, None),
        (model(), None),
    ],
)
def test_what_cannot_be_measured_is_refused_by_name(one, words):
    reason = suites.unsuitable(one)

    assert reason is None if words is None else (one.name in reason and words in reason)


@pytest.mark.parametrize(
    ("cells", "one", "words"),
    [
        (["tg128", "load"], EMBEDS, "nomic only embeds, and none of the chosen cells measures that."),
        (["embed256x1"], TEXT, "m:1b generates text, and none of the chosen cells measures that."),
        (["load"], EMBEDS, None),
        (["tg128", "embed256x1"], EMBEDS, None),
    ],
)
def test_cells_that_measure_nothing_of_a_model_have_a_sentence(cells, one, words):
    assert suites.useless([suites.cell(name) for name in cells], one) == words


def test_cells_that_concern_no_chosen_model_are_not_part_of_the_session():
    assert names(suites.used(STANDARD, [EMBEDS])) == ["load", "embed256x1", "embed256x32"]
    assert len(suites.used(STANDARD, [EMBEDS, TEXT])) == 15


def test_a_cell_of_ones_own_beyond_every_models_context_is_refused_and_one_of_the_suite_is_not():
    short = model("completion", context=8192)
    cells = [suites.cell("pp8192"), suites.cell("tg64@16384")]

    with pytest.raises(Invalid) as refusal:
        suites.used(cells, [short])

    assert [error.field for error in refusal.value.errors] == ["cells.1"]
    assert refusal.value.detail == "tg64@16384 needs a context of 20480 tokens; the chosen models have at most 8192."
    assert suites.used(cells, [short, TEXT]) == cells
