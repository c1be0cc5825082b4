"""Parameters in the brackets of a cell's name, and the options of a whole session."""

import pytest

from benchmarks import suites
from benchmarks.suites import parameters
from obt_site.errors import Invalid


def refused(name):
    with pytest.raises(Invalid) as refusal:
        suites.cell(name)
    return refusal.value.detail


def test_brackets_set_the_cells_own_fields_and_nothing_else():
    spec = suites.cell("tg128[num_ctx=8192,num_gpu=0,num_thread=4,num_batch=256]")

    assert (spec.num_ctx, spec.num_gpu, spec.num_thread, spec.num_batch) == (8192, 0, 4, 256)
    assert (spec.kind, spec.output_tokens, spec.prompt_tokens) == ("decode", 128, 32)


def test_what_is_not_named_stays_as_it_is():
    spec = suites.cell("pp512[num_thread=4]")

    assert (spec.num_ctx, spec.num_gpu, spec.num_batch) == (4096, None, None)


def test_one_measurement_has_one_name_however_it_was_written():
    assert suites.cell("tg128[num_thread=4,num_ctx=8192]").name == "tg128[num_ctx=8192,num_thread=4]"


@pytest.mark.parametrize("base", ["load", "pp512", "tg64@1024", "chat256/64", "c16", "embed256x8"])
def test_every_kind_of_cell_takes_them(base):
    assert suites.cell(f"{base}[num_thread=2]").num_thread == 2


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("tg128[threads=4]", "tg128[threads=4] has an unknown parameter “threads”; there is num_ctx, num_gpu,"),
        ("tg128[num_thread=0]", "tg128[num_thread=0] asks for num_thread 0; it can be 1 to 1024."),
        ("tg128[num_thread=-4]", "tg128[num_thread=-4] asks for num_thread -4; it can be 1 to 1024."),
        ("tg128[num_gpu=99999]", "tg128[num_gpu=99999] asks for num_gpu 99999; it can be 0 to 1000."),
        ("tg128[num_batch=0]", "tg128[num_batch=0] asks for num_batch 0; it can be 1 to 65536."),
        ("tg128[num_ctx=99999999]", "asks for num_ctx 99999999; it can be 128 to 1048576."),
        ("tg128[num_ctx=128]", "asks for a context of 128; its 160 tokens need 183 or more."),
        ("pp2048[num_ctx=2048]", "asks for a context of 2048; its 2049 tokens need 2342 or more."),
        ("tg128[num_thread=4,num_thread=8]", "names num_thread twice."),
        ("tg128[]", "has “” in its brackets; write parameters as num_thread=4"),
        ("tg128[num_thread]", "has “num_thread” in its brackets"),
        ("tg128[num_thread=4.5]", "has “num_thread=4.5” in its brackets"),
        ("tg128[num_thread=٤]", "in its brackets"),
        ("tg128[num_thread=4", "has brackets that do not close once, at its end."),
        ("tg128[num_thread=4]x", "has brackets that do not close once, at its end."),
        ("warp9[num_thread=4]", "There is no cell “warp9[num_thread=4]”. Cells are load, ppN"),
        ("[num_thread=4]", "There is no cell “[num_thread=4]”."),
    ],
)
def test_what_is_wrong_in_the_brackets_has_a_sentence(name, sentence):
    assert sentence in refused(name)


def test_the_smallest_context_that_the_sentence_names_is_accepted():
    assert suites.cell("pp2048[num_ctx=2342]").num_ctx == 2342


def test_a_context_that_was_named_is_not_cut_to_the_models():
    model = type("M", (), {"name": "m", "capabilities": ["completion"], "context_length": 2048})()
    specs = [suites.cell("tg128[num_ctx=8192]"), suites.cell("tg128[num_thread=4]")]

    assert [spec.num_ctx for spec in suites.cells_for(specs, model)] == [8192, 2048]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("temperature", 2.5, "It asks for temperature 2.5; it can be 0 to 2."),
        ("temperature", float("nan"), "It asks for temperature nan; it can be 0 to 2."),
        ("seed", -1, "It asks for seed -1; it can be 0 to 2147483647."),
        ("seed", 1.5, "seed must be a whole number."),
        ("seed", 10**400, "It asks for seed 10000000000000000000; it can be 0 to 2147483647."),
        ("num_thread", 0, "It asks for num_thread 0; it can be 1 to 1024."),
        ("num_ctx", 4096, "There is no option “num_ctx”; there is temperature, seed, num_gpu, num_thread, num_batch."),
    ],
)
def test_an_option_that_cannot_be_is_refused_at_its_field(name, value, sentence):
    _, (problem,) = parameters.options({name: value})

    assert problem == (f"options.{name}", sentence)


def test_options_that_were_left_open_are_not_sent():
    assert parameters.options({"seed": 7, "temperature": 0.5, "num_gpu": None}) == (
        {"seed": 7, "temperature": 0.5},
        [],
    )
