"""Each cell on the result page: every number with how sure it is, what was left out, and why it ended."""

from dataclasses import replace

import pytest

from agent.obt_agent import contract
from agent.obt_agent.validity import SENTENCES
from benchmarks.headline import best_cell
from benchmarks.presenters import figures
from benchmarks.presenters.cells import CellView, in_words
from benchmarks.presenters.result import result_view
from benchmarks.tests import world
from obt_site.tests.people import signed_in, tags, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def forge(database):
    return world.machine("forge")


def result_of(forge, cells=("pp512", "tg128"), change=lambda run: run, **fields):
    """A result of these cells, each changed before it was sent."""
    offer = world.running(forge, world.MODELS[0], cells=cells)
    whole = world.body(offer, **fields)
    return world.deliver(forge, offer, replace(whole, cells=[change(run) for run in whole.cells]))


def cell_of(result, name) -> CellView:
    return next(cell for cell in result_view(result, None).cells if cell.name == name)


def stopped_early(run, *indexes):
    """The run with these samples cut short by Ollama."""
    samples = [
        replace(one, raw=replace(one.raw, done_reason="stop")) if not one.warmup and one.index in indexes else one
        for one in run.samples
    ]
    return replace(run, samples=samples)


def only(name, change):
    return lambda run: change(run) if run.spec.name == name else run


def test_every_number_has_interval_coverage_n_iqr_cv_and_formula_without_javascript(forge):
    page = words(signed_in().get(f"/results/{result_of(forge).id}"))

    row = page[page.index("All numbers, formulas and conditions") :]
    assert "Decode 100.2 tok/s 100.0–100.5 96.9 % 6 0.250 0.2 % 100.0–100.5 (eval_count − 1) ÷ eval_duration" in row


def test_counted_of_planned_stands_in_its_row(forge):
    result = result_of(forge, change=only("tg128", lambda run: stopped_early(run, 2)))

    assert cell_of(result, "pp512").of_planned.startswith("6 of 6")
    assert cell_of(result, "tg128").of_planned.startswith("5 of 6")


def test_left_out_samples_are_named_with_their_sentence(forge):
    result = result_of(forge, change=only("tg128", lambda run: stopped_early(run, 2, 4)))

    assert cell_of(result, "tg128").left_out_why == [("samples 3 and 5", SENTENCES["wrong_length"])]
    assert f"Left out: samples 3 and 5. {SENTENCES['wrong_length']}" in words(signed_in().get(f"/results/{result.id}"))


def test_a_cell_with_too_few_samples_has_no_headline_and_says_why(forge):
    result = result_of(forge, change=only("tg128", lambda run: stopped_early(run, 0, 1, 2, 3)))

    (headline, *_) = cell_of(result, "tg128").rows
    page = words(signed_in().get(f"/results/{result.id}"))

    assert headline.value is None
    assert "too few valid samples: 2 of the 6 it needs" in headline.reason
    assert headline.reason in page
    assert "Decode, tg128 —" in page


def test_a_result_of_before_that_rule_keeps_no_headline_either():
    cell = {"cell": "tg128", "kind": "decode", "headline": "decode_rate", "n": 2, "planned": 6, "valid": False,
            "metrics": {"decode_rate": {"median": 1.0, "unit": "tok/s", "low": 1.0, "high": 1.0, "n": 2}}}  # fmt: skip

    assert figures.headline_of(cell).value is None
    assert figures.headline_of(cell).reason == "too few valid samples: 2 of 6 planned"
    assert figures.decode_of([cell]).value is None


def test_a_valid_cell_stands_before_the_reference_cell_without_a_number():
    numbers = {"decode_rate": {"median": 1.0, "unit": "tok/s", "low": 1.0, "high": 1.0, "n": 2}}
    cells = [
        {"cell": "tg128", "kind": "decode", "valid": False, "metrics": numbers},
        {"cell": "tg64", "kind": "decode", "valid": True, "metrics": numbers},
    ]

    assert best_cell(cells, "decode_rate")["cell"] == "tg64"


def test_why_it_stopped_and_how_far_it_was_from_its_prediction_are_said(forge):
    stop = "precise: the interval is ±1.1 % after 8 repetitions (asked: ±2 %)"
    result = result_of(forge, change=only("tg128", lambda run: replace(run, stopped=stop, expected_s=12, took_s=14)))

    page = words(signed_in().get(f"/results/{result.id}"))

    assert "Precise: the interval is ±1.1 % after 8 repetitions (asked: ±2 %)." in page
    assert "predicted 12.0 s, took 14.0 s (+17 %)" in page


@pytest.mark.parametrize(
    ("expected_s", "took_s", "said"),
    [
        (12.0, 14.0, "predicted 12.0 s, took 14.0 s (+17 %)"),
        (10.0, 8.0, "predicted 10.0 s, took 8.00 s (−20 %)"),
        (10.0, 10.01, "predicted 10.0 s, took 10.0 s (as predicted)"),
        (10.0, 51.0, "predicted 10.0 s, took 51.0 s (5.1 times that)"),
        (0.0, 2.0, "predicted 0 s, took 2.00 s"),
        (10.0, None, "predicted 10.0 s"),
        (None, 2.0, "took 2.00 s, not predicted"),
        (None, None, ""),
    ],
)
def test_a_prediction_is_compared_with_what_came(expected_s, took_s, said):
    assert figures.against_plan(expected_s, took_s) == said


def test_skipped_cells_come_last_with_their_reason(forge):
    skip = only("pp512", lambda run: replace(run, samples=[], skipped="skipped: budget (needs about 64 s)"))

    cells = result_view(result_of(forge, change=skip), None).cells

    assert [cell.name for cell in cells] == ["tg128", "pp512"]
    assert cells[1].skipped == "budget (needs about 64 s)"


def test_a_drift_is_a_sentence_at_its_cell(forge):
    def slower(run):
        first, *rest = run.samples
        return replace(run, samples=[first, *(world.sample(run.spec, 0, 110 - 2 * i) for i, _ in enumerate(rest))])

    def numbered(run):
        return replace(run, samples=[replace(one, index=i) for i, one in enumerate(slower(run).samples)])

    cell = cell_of(result_of(forge, change=only("tg128", numbered)), "tg128")

    assert cell.has_drifted
    assert cell.drift.startswith("Drifted: its last third differs from its first by −")


def test_conditions_and_keys_of_result_and_cell_are_shown(forge):
    result = result_of(forge)

    page = words(signed_in().get(f"/results/{result.id}"))

    assert result.comparison_key in page
    assert all(cell["comparison_key"] in page for cell in result.cells)
    assert ("Output tokens", "128") in cell_of(result, "tg128").conditions


def test_a_condition_of_a_newer_version_keeps_its_own_name(forge):
    result = result_of(forge)
    result.conditions["phase_of_moon"] = "full"

    assert ("Phase of moon", "full") in result_view(result, None).conditions


def test_concurrency_shows_throughput_parallelism_and_spread_and_no_speed_up(forge):
    result = result_of(forge, cells=("tg128", "c4"))

    names = [figure.metric for figure in cell_of(result, "c4").rows]

    assert names == ["output_throughput", "observed_parallelism", "ttft_spread"]
    assert "speed-up" not in words(signed_in().get(f"/results/{result.id}"))


def test_goodput_joins_them_where_limits_were_stated(forge):
    slo = contract.Slo(ttft_ms=10_000.0)
    result = result_of(forge, ("tg128", "c4"), only("c4", lambda run: replace(run, spec=replace(run.spec, slo=slo))))

    cell = cell_of(result, "c4")

    assert cell.rows[-1].metric == "goodput"
    assert "TTFT at most 10000 ms" in cell.words


def test_cells_that_take_turns_have_their_samples_parted(forge):
    def at_turn(run):
        place = {"pp512": 0, "tg128": 1}[run.spec.name]
        moved = [
            replace(one, timing=replace(one.timing, start_s=10.0 * (one.index + (not one.warmup)) + place))
            for one in run.samples
        ]
        return replace(run, samples=moved)

    view = result_view(result_of(forge, change=at_turn), "tg128")

    assert [point.others_before for point in view.points] == [0, 1, 1, 1, 1, 1, 1]
    assert [phase.start_s for phase in view.phases if phase.is_chosen] == [1.0, 11.0, 21.0, 31.0, 41.0, 51.0, 61.0]


def test_the_parts_of_the_page_are_linked_and_each_cell_has_an_address(forge):
    page = signed_in().get(f"/results/{result_of(forge, cells=('chat512/128',)).id}")

    ids = [tag.get("id") for tag in tags(page, "tbody")]
    assert "cell-chat512-128" in ids


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "decode", "output_tokens": 128}, "decode of 128 tokens after a few; context 4096"),
        ({"kind": "decode", "output_tokens": 128, "depth": 2048, "num_gpu": 0}, "after 2048; context 4096; num_gpu 0"),
        ({"kind": "embed", "prompt_tokens": 256, "batch": 32}, "32 texts of 256 tokens embedded"),
        ({"kind": "concurrency", "prompt_tokens": 512, "output_tokens": 128, "concurrency": 4}, "4 requests at a time"),
        ({"kind": "prompt", "text": "Why\nis it?", "output_tokens": 64}, "“Why is it?”, at most 64 tokens out"),
    ],
)
def test_a_cell_is_said_in_words(fields, said):
    spec = contract.CellSpec(
        **{"name": "x", "repetitions": 6, "warmups": 1, "prompt_tokens": 0, "output_tokens": 0, "num_ctx": 4096}
        | fields
    )

    assert said in in_words(spec)
