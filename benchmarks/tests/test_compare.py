"""Comparing results: what pairs up, which values are used, and what is said when nothing can be."""

from dataclasses import replace

import pytest

from agent.obt_agent import contract
from benchmarks import compare, measured, measures, pairing
from benchmarks.documents import Result, SampleBlock
from benchmarks.listing import ResultFilters
from benchmarks.presenters import figures
from benchmarks.statistics import Verdict
from benchmarks.tests import world

LLAMA, QWEN, _ = world.MODELS


@pytest.fixture
def forge(database):
    return world.machine("forge")


def run(client, rate=100.0, model=LLAMA, cells=("tg128",), change=lambda environment: environment, **fields):
    offer = world.running(client, model, cells=list(cells))
    body = world.body(offer, rate, **fields)
    return world.deliver(client, offer, replace(body, environment=change(body.environment)))


def with_version(version):
    return lambda environment: replace(environment, ollama=replace(environment.ollama, version=version))


def of(result):
    return ResultFilters(session=str(result.session))


def on(client):
    return ResultFilters(client=str(client.id))


def only(found):
    (row,) = found.rows
    return row


def test_two_sessions_of_one_machine_are_compared_sample_by_sample(forge):
    slow, fast = run(forge, 100.0), run(forge, 110.0)

    row = only(compare.compare(of(slow), of(fast)))

    assert (row.place.cell, row.place.metric, row.unit) == ("tg128", "decode_rate", "tok/s")
    assert (row.verdict, row.compared, row.test.method) == (Verdict.FASTER, "samples", "exact")
    assert row.change.change == pytest.approx(0.10)
    assert row.test.p == pytest.approx(0.0022, abs=0.0001)
    assert row.base.values == measured.values(slow, "tg128", "decode_rate")
    assert only(compare.compare(of(fast), of(slow))).verdict is Verdict.SLOWER


def test_a_shorter_time_to_first_token_is_faster(forge):
    slow, fast = (run(forge, rate, cells=["chat512/128"]) for rate in (100.0, 110.0))

    row = only(compare.compare(of(slow), of(fast)))

    assert row.place.metric == "ttft"
    assert row.change.change < -0.03
    assert row.verdict is Verdict.FASTER


def test_a_result_against_itself_shows_no_difference(forge):
    result = run(forge)

    row = only(compare.compare(of(result), of(result)))

    assert (row.verdict, row.test.p, row.change.change) == (Verdict.SAME, 1.0, 0.0)


def test_a_change_of_two_percent_is_none(forge):
    assert only(compare.compare(of(run(forge, 100.0)), of(run(forge, 102.0)))).verdict is Verdict.SAME


def test_three_samples_are_too_few(forge):
    slow, fast = run(forge, 100.0, cells=["load"]), run(forge, 300.0, cells=["load"])

    row = only(compare.compare(of(slow), of(fast)))

    assert (row.verdict, row.test, row.p_corrected) == (Verdict.TOO_FEW, None, None)
    assert row.reasons == ["3 against 3 samples are too few to show any difference; 4 against 4 can."]


def test_where_the_samples_are_not_stored_the_medians_stand_and_it_is_said(forge):
    slow, fast = run(forge, 100.0), run(forge, 110.0)
    SampleBlock.objects(result=slow.id).delete()

    row = only(compare.compare(of(slow), of(fast)))

    assert (row.verdict, row.compared, row.test) == (Verdict.TOO_FEW, "session medians", None)
    assert row.change.change == pytest.approx(0.10)
    assert row.reasons == [
        f"The raw samples of result {slow.number} are not stored, so only medians can be compared.",
        "1 against 1 session medians are too few to show any difference; 4 against 4 can.",
    ]


def test_another_version_of_ollama_is_not_comparable_and_named(forge):
    row = only(compare.compare(of(run(forge)), of(run(forge, 200.0, change=with_version("0.24.1")))))

    assert (row.verdict, row.change, row.test) == (Verdict.NOT_COMPARABLE, None, None)
    assert row.reasons == ["Ollama version: 0.24.0 against 0.24.1."]
    assert (row.base.summary.median, row.other.summary.median) == (pytest.approx(100.25), pytest.approx(200.5))


def test_unless_the_comparison_is_about_it(forge):
    row = only(compare.compare(of(run(forge)), of(run(forge, 200.0, change=with_version("0.24.1"))), ["ollama"]))

    assert row.verdict is Verdict.FASTER
    assert [one.sentence for one in row.varied] == ["Ollama version: 0.24.0 against 0.24.1."]


def test_the_simulator_is_never_comparable_with_ollama(forge):
    everything = ["machine", "model", "ollama", "settings", "options", "context", "placement"]

    row = only(compare.compare(of(run(forge)), of(run(forge, simulated=True)), everything))

    assert "Answered by: Ollama against the simulator." in row.reasons


def test_another_context_length_is_not_comparable(forge):
    offer = world.running(forge, LLAMA, cells=["tg128"])
    body = world.body(offer)
    wider = [replace(each, spec=replace(each.spec, num_ctx=8192)) for each in body.cells]
    other = world.deliver(forge, offer, replace(body, cells=wider))

    assert only(compare.compare(of(run(forge)), of(other))).reasons == ["Context length: 4096 against 8192."]


def test_machines_are_compared_by_the_medians_of_sessions_only(forge):
    atlas = world.machine("atlas")
    run(forge, 100.0)
    run(atlas, 120.0)

    row = only(compare.compare(on(forge), on(atlas)))

    assert (row.verdict, row.compared) == (Verdict.TOO_FEW, "session medians")
    assert row.reasons == ["1 against 1 session medians are too few to show any difference; 4 against 4 can."]


def test_with_enough_sessions_a_machine_is_faster_and_its_own_gear_is_no_obstacle(forge):
    atlas = world.machine("atlas")
    other_cpu = lambda one: replace(one, hardware=replace(one.hardware, cpu=contract.Cpu("Intel", 8, 16)))  # noqa: E731
    for i in range(4):
        run(forge, 100.0 + i)
        run(atlas, 120.0 + i, change=other_cpu)

    found = compare.compare(on(forge), on(atlas))
    row = only(found)

    assert (found.about, row.place.client, row.place.model) == (["machine"], None, LLAMA)
    assert (row.verdict, len(row.base.values), row.test.p) == (Verdict.FASTER, 4, pytest.approx(2 / 70))
    assert "CPU: AMD Ryzen 9 7950X against Intel." in [one.sentence for one in row.varied]


def test_the_same_number_of_sessions_on_one_machine_is_compared_by_their_medians_too(forge):
    before = [run(forge, 100.0 + i, model=LLAMA) for i in range(4)]
    after = [run(forge, 110.0 + i, model=LLAMA) for i in range(4)]
    moment = after[0].created_at

    row = only(compare.compare(ResultFilters(until=moment), ResultFilters(since=moment)))

    assert (row.compared, row.verdict) == ("session medians", Verdict.FASTER)
    assert [one.id for one in row.base.used] == [one.id for one in before[::-1]]


def test_with_two_sessions_the_newest_is_used_and_the_other_counted(forge):
    run(forge, 50.0)
    newest = run(forge, 100.0)
    other = run(forge, 100.0, model=LLAMA)

    row = only(compare.compare(ResultFilters(until=other.created_at), of(other)))

    assert ([one.id for one in row.base.used], row.base.left_out) == ([newest.id], 1)
    assert row.verdict is Verdict.SAME


def test_of_mixed_conditions_those_with_a_comparable_partner_are_used(forge):
    old = run(forge, 100.0)
    run(forge, 300.0, change=with_version("0.24.1"))
    other = run(forge, 110.0)

    row = only(compare.compare(ResultFilters(until=other.created_at), of(other)))

    assert ([one.id for one in row.base.used], row.base.left_out) == ([old.id], 1)
    assert row.verdict is Verdict.FASTER


def test_models_are_paired_by_name_unless_the_filters_name_two(forge):
    llama, qwen = run(forge, 100.0, model=LLAMA), run(forge, 50.0, model=QWEN)

    apart = compare.compare(of(llama), of(qwen))
    named = compare.compare(ResultFilters(model=LLAMA), ResultFilters(model=QWEN))

    assert [row.reasons for row in apart.rows] == [
        ["“with” has no number for tg128 here."],
        ["“base” has no number for tg128 here."],
    ]
    assert {row.verdict for row in apart.rows} == {Verdict.NOT_COMPARABLE}
    assert (only(named).verdict, named.about) == (Verdict.SLOWER, ["model"])


def test_a_side_with_several_models_must_name_one(forge):
    run(forge, model=LLAMA)
    run(forge, model=QWEN)

    row = only(compare.compare(on(forge), ResultFilters(client=str(forge.id), model=QWEN)))

    assert row.reasons == [f"“base” holds several models: {QWEN}, {LLAMA}. Name one of them."]


def test_all_tests_of_an_answer_are_corrected_together(forge):
    cells = ["tg64", "tg96", "tg128", "tg160"]
    slow = run(forge, 100.0, cells=cells)
    offer = world.running(forge, LLAMA, cells=cells)
    body = world.body(offer)
    runs = [world.run_of(spec, 120.0 if spec.name == "tg128" else 100.0) for spec in offer.cells]
    fast = world.deliver(forge, offer, replace(body, cells=runs))

    found = {row.place.cell: row for row in compare.compare(of(slow), of(fast)).rows}

    assert found["tg128"].test.p == pytest.approx(2 / 924)
    assert found["tg128"].p_corrected == pytest.approx(4 * 2 / 924)
    assert {cell: row.verdict for cell, row in found.items()} == {
        "tg64": Verdict.SAME, "tg96": Verdict.SAME, "tg128": Verdict.FASTER, "tg160": Verdict.SAME,
    }  # fmt: skip


def test_another_metric_than_the_headline_can_be_asked_for(forge):
    slow, fast = run(forge, 100.0), run(forge, 110.0)

    row = only(compare.compare(of(slow), of(fast), metric="itl"))

    assert (row.place.metric, row.unit, row.verdict) == ("itl", "ms", Verdict.FASTER)


def test_samples_that_do_not_count_are_not_compared(forge):
    offer = world.running(forge, LLAMA, cells=["tg128"])
    cell = world.run_of(offer.cells[0])
    cut = replace(cell.samples[-1], raw=replace(cell.samples[-1].raw, done_reason="stop"))
    shortened = replace(cell, samples=[*cell.samples[:-1], cut], stopped="budget: shortened to 3 of 6 repetitions")
    result = world.deliver(forge, offer, world.body(offer, cells=[shortened]))

    row = only(compare.compare(of(result), of(run(forge))))

    assert (len(row.base.values), len(row.other.values)) == (5, 6)
    assert measured.values(result, "no such cell", "decode_rate") == []


def test_a_round_of_concurrent_requests_is_one_value():
    spec = contract.CellSpec(
        "c2", "concurrency", 3, 0, prompt_tokens=512, output_tokens=128, num_ctx=4096, concurrency=2
    )
    samples = [replace(world.sample(spec, i), slot=slot) for i in range(3) for slot in (0, 1)]
    alone = [replace(world.sample(spec, 3), slot=0)]  # the other request never came

    found = measured.of_run(
        Result(ollama_version="0.24.0"), contract.CellRun(spec, [*samples, *alone]), "output_throughput"
    )

    ends_s = [each.timing.e2e_ns / 1e9 for each in samples[::2]]
    assert found == pytest.approx([256 / end for end in ends_s], rel=1e-6)


def test_nothing_against_nothing_is_nothing(forge):
    assert compare.compare(ResultFilters(model="a"), ResultFilters(model="b")).rows == []


def test_pages_and_comparisons_agree_on_what_is_better():
    pages = {name for name in pairing.HIGHER_IS_BETTER if name in measures.HIGHER_IS_BETTER}

    known = {name for name in pairing.HIGHER_IS_BETTER if name in figures.METRIC_WORDS}
    assert pages == {name for name in known if pairing.HIGHER_IS_BETTER[name]}
