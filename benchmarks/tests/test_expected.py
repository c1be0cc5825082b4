"""How long a job will take, by what results measured: pure arithmetic on stored cells."""

import pytest

from benchmarks import expected, suites
from benchmarks.expected import Speeds


def cell(name, **fields):
    """A stored cell of a whole run, without numbers but those given."""
    spec = suites.cell(name)
    conditions = {
        "prompt_tokens": str(spec.prompt_tokens), "output_tokens": str(spec.output_tokens), "depth": str(spec.depth),
        "concurrency": str(spec.concurrency), "num_ctx": str(spec.num_ctx),
    }  # fmt: skip
    known = {"cell": name, "kind": spec.kind, "n": spec.repetitions, "warmups": spec.warmups, "left_out": 0}
    return {**known, "conditions": conditions, "metrics": {}, **fields}


def medians(**values):
    return {name: {"median": value} for name, value in values.items()}


def result(*cells, **fields):
    return {"cells": list(cells), "duration_s": 100.0, **fields}


PP512 = cell("pp512", metrics=medians(prefill_rate=1000.0, e2e_latency=600.0))
TG128 = cell("tg128", metrics=medians(decode_rate=50.0, e2e_latency=2700.0))
LOAD = cell("load", n=3, warmups=0, metrics=medians(load_time=2.0))


def specs(*names):
    return [suites.cell(name) for name in names]


def test_a_cell_takes_what_its_rounds_took_before():
    known = expected.speeds([result(cell("tg128", took_s=35.0, n=6, warmups=1))])

    assert expected.round_s(suites.cell("tg128"), known) == pytest.approx(5.0)


def test_rounds_that_did_not_count_took_their_time_too():
    known = expected.speeds([result(cell("tg128", took_s=35.0, n=4, left_out=2, warmups=1))])

    assert expected.round_s(suites.cell("tg128"), known) == pytest.approx(5.0)


def test_without_a_recorded_time_the_medians_tell():
    rounds = cell("c4", metrics=medians(output_throughput=64.0))
    known = expected.speeds([result(TG128, LOAD, rounds)])

    assert expected.round_s(suites.cell("tg128"), known) == pytest.approx(2.7)
    assert expected.round_s(suites.cell("load"), known) == pytest.approx(2.0 + expected.LOAD_PROCEDURE_S)
    assert expected.round_s(suites.cell("c4"), known) == pytest.approx(4 * 128 / 64)


def test_a_new_cell_takes_what_its_tokens_take_at_the_nearest_speeds():
    deep = cell("tg128@8192", metrics=medians(decode_rate=25.0))
    known = expected.speeds([result(PP512, TG128, deep)])

    assert expected.round_s(suites.cell("pp1024"), known) == pytest.approx(1024 / 1000)
    assert expected.round_s(suites.cell("tg256"), known) == pytest.approx(32 / 1000 + 255 / 50)
    assert expected.round_s(suites.cell("tg256@8000"), known) == pytest.approx(8000 / 1000 + 255 / 25)
    assert expected.round_s(suites.cell("c2"), known) == pytest.approx(2 * (512 / 1000 + 127 / 50))


@pytest.mark.parametrize("name", ["load", "embed256x1"])
def test_nothing_is_guessed_of_what_no_result_measured(name):
    assert expected.round_s(suites.cell(name), expected.speeds([result(PP512, TG128)])) is None
    assert expected.round_s(suites.cell("tg128"), Speeds()) is None


def test_the_newest_result_that_knows_a_cell_is_believed():
    newest, older = result(cell("tg128", took_s=7.0)), result(cell("tg128", took_s=70.0), cell("pp512", took_s=14.0))
    known = expected.speeds([newest, older])

    assert expected.round_s(suites.cell("tg128"), known) == pytest.approx(1.0)
    assert expected.round_s(suites.cell("pp512"), known) == pytest.approx(2.0)


def test_a_skipped_cell_tells_nothing():
    assert expected.speeds([result({**cell("tg128"), "skipped": "budget", "conditions": None})]).by_cell == {}


def test_a_speed_under_options_of_its_own_is_not_that_of_the_others():
    slow = cell("tg128[num_gpu=0]", metrics=medians(decode_rate=2.0, e2e_latency=64_000.0))
    slow["conditions"]["option_num_gpu"] = "0"
    known = expected.speeds([result(slow, PP512, TG128)])

    assert expected.round_s(suites.cell("tg64"), known) == pytest.approx(32 / 1000 + 63 / 50)
    assert expected.round_s(suites.cell("tg128[num_gpu=0]"), known) == pytest.approx(64.0)


def test_the_same_prompt_cell_with_another_text_is_not_the_same():
    one, two = (suites.prompts.cell(suites.FixedPrompt("p", text, 64)) for text in ("Why?", "Why not?"))
    key = expected._key_of(one)
    known = Speeds(by_cell={key: (3.0, 6)})

    assert expected.round_s(one, known) == 3.0
    assert expected.round_s(two, known) is None


# -- jobs --------------------------------------------------------------------------------------------------------------


def test_a_job_takes_its_cells_warm_ups_included_and_what_lies_around_them():
    before = [cell("pp512", took_s=7.0), cell("tg128", took_s=21.0)]
    known = expected.speeds([result(*before, duration_s=40.0)])

    assert expected.job_s(specs("pp512", "tg128"), 180.0, known) == pytest.approx(7.0 + 21.0 + 12.0)


def test_each_context_length_more_costs_a_load():
    known = expected.speeds([result(LOAD, cell("tg128", took_s=7.0), cell("tg128@8192", took_s=7.0))])

    one = expected.job_s(specs("tg128"), 900.0, known)
    two = expected.job_s(specs("tg128", "tg128@8192"), 900.0, known)

    assert one is not None
    assert two == pytest.approx(one + 7.0 + 2.0)


def test_a_cell_that_needed_more_repetitions_is_expected_to_again_within_what_is_allowed():
    known = expected.speeds([result(cell("tg128", took_s=26.0, n=12, warmups=1), duration_s=26.0)])
    (longer,) = suites.plan("standard", "standard", ["tg128"]).cells

    assert expected.job_s([longer], 900.0, known) == pytest.approx(26.0)
    assert expected.job_s(specs("tg128"), 180.0, known) == pytest.approx(14.0)


def test_what_does_not_fit_the_budget_is_left_out_as_the_agent_would():
    known = expected.speeds([result(*(cell(name, took_s=140.0) for name in ("pp512", "tg128", "c8")))])
    whole = expected.job_s(specs("pp512", "tg128", "c8"), 10_000.0, known)

    shortened = expected.job_s(specs("pp512", "tg128", "c8"), 180.0, known)

    assert whole > 400.0
    assert shortened == pytest.approx(2 * 4 * 20.0)  # three repetitions and a warm-up of the two that always run


def test_a_job_with_a_cell_that_nothing_is_known_of_is_not_foreseen():
    known = expected.speeds([result(PP512, TG128)])

    assert expected.job_s(specs("pp512", "tg128", "load"), 180.0, known) is None
    assert expected.job_s([], 180.0, known) is None


# -- what must run -----------------------------------------------------------------------------------------------------


def test_what_must_run_needs_three_repetitions_a_warm_up_and_the_load():
    known = expected.speeds([result(LOAD, cell("pp512", took_s=70.0), cell("tg128", took_s=350.0), PP512)])

    found = expected.obligatory(specs("load", "pp128", "pp512", "tg128"), known)

    assert set(found.names) == {"pp512", "tg128"}
    assert found.seconds == pytest.approx(2.0 + 4 * 10.0 + 4 * 50.0)


def test_of_other_cells_the_first_must_run():
    known = expected.speeds([result(cell("tg4096", took_s=1400.0))])

    assert expected.obligatory(specs("tg4096", "c16"), known) == expected.Obligatory(("tg4096",), 800.0)


def test_a_slow_model_is_judged_by_the_short_cell_it_gets():
    slow = cell("tg128", metrics=medians(decode_rate=1.0))
    known = expected.speeds([result(PP512, slow)])

    found = expected.obligatory(specs("pp512", "tg128"), known)

    assert found.names == ("pp512", "tg32")
    assert found.seconds == pytest.approx(4 * (0.6 + 32 / 1000 + 31), rel=0.01)


@pytest.mark.parametrize("names", [("tg128",), ("embed256x1",), ("tg64[num_gpu=0]",), ()])
def test_nothing_is_said_of_what_must_run_where_it_is_not_known(names):
    known = Speeds() if names == ("tg128",) else expected.speeds([result(PP512, TG128)])

    assert expected.obligatory(specs(*names), known) is None
