"""The session page's plan and report: time against what was expected, every cell of every machine side by side."""

from dataclasses import replace

import pytest

from agent.obt_agent import contract
from benchmarks import sessions
from benchmarks.documents import Job, Session
from benchmarks.presenters.session import session_view
from benchmarks.tests import world
from obt_site.tests.people import by_id, links, signed_in, words

pytestmark = pytest.mark.django_db

CELLS = ("load", "pp512", "tg128", "chat512/128", "c1", "c4")


@pytest.fixture
def forge(database):
    return world.machine("forge")


def ask(machines, models=world.MODELS[:1], cells=CELLS):
    targets = [sessions.Target(str(machine.id), model) for model in models for machine in machines]
    return sessions.start(targets, "standard", "quick", "jo", cells=cells)


def deliver_all(machines, rates=(100.0, 50.0), **fields):
    """Every job of every machine delivers; machine i at rates[i]."""
    for machine, rate in zip(machines, rates, strict=False):
        while jobs := world.sync(machine).jobs:
            world.acknowledge(machine, jobs[0])
            world.deliver(machine, jobs[0], replace(world.body(jobs[0], rate), **fields))


def view_of(session):
    return session_view(Session.objects(id=session.id).first())


def test_one_model_on_two_machines_is_a_table_of_cells_by_machines(forge):
    machines = [forge, world.machine("atlas")]
    session = ask(machines)
    deliver_all(machines)

    (table,) = view_of(session).tables

    assert (table.title, [column.name for column in table.columns]) == (world.MODELS[0], ["forge", "atlas"])
    assert [group.word for group in table.groups] == ["Load", "Prefill", "Decode", "Chat", "Concurrency"]
    decode = table.groups[2].rows[0]
    assert (decode.cell, [round(figure.value) for figure in decode.figures]) == ("tg128", [100, 50])


def test_several_models_on_one_machine_are_the_columns(forge):
    session = ask([forge], world.MODELS[:2], ("tg128",))
    deliver_all([forge])

    (table,) = view_of(session).tables

    assert (table.title, [column.name for column in table.columns]) == ("forge", list(world.MODELS[:2]))


def test_several_models_on_several_machines_are_a_table_each(forge):
    machines = [forge, world.machine("atlas")]
    session = ask(machines, world.MODELS[:2], ("tg128",))
    deliver_all(machines)

    assert [table.title for table in view_of(session).tables] == list(world.MODELS[:2])


def test_concurrency_has_throughput_parallelism_and_spread_and_never_a_speed_up(forge):
    session = ask([forge])
    deliver_all([forge])

    (table,) = view_of(session).tables
    rows = [(row.cell, row.word) for row in table.groups[-1].rows]

    assert rows == [
        ("c1", "Output throughput"),
        ("", "Observed parallelism"),
        ("c4", "Output throughput"),
        ("", "Observed parallelism"),
        ("", "TTFT spread"),
    ]
    assert "speed-up" not in words(signed_in().get(f"/sessions/{session.id}")).lower()


def test_a_cell_without_a_number_anywhere_is_named_once_below(forge):
    session = ask([forge], cells=("tg128", "c4"))
    (offer,) = world.sync(forge).jobs
    world.acknowledge(forge, offer)
    whole = world.body(offer)
    cells = [
        replace(run, samples=[], skipped="skipped: budget (needs about 64 s, 12 s were left)")
        if run.spec.name == "c4"
        else run
        for run in whole.cells
    ]
    world.deliver(forge, offer, replace(whole, cells=cells))

    (table,) = view_of(session).tables

    assert table.nowhere == [("c4", "budget (needs about 64 s, 12 s were left)")]
    assert "c4 : budget (needs about 64 s" in words(signed_in().get(f"/sessions/{session.id}"))


def test_a_slow_variant_that_nobody_planned_has_its_row(forge):
    session = ask([forge], cells=("tg128",))
    (offer,) = world.sync(forge).jobs
    world.acknowledge(forge, offer)
    whole = world.body(offer)
    slow = replace(whole.cells[0].spec, name="tg32", output_tokens=32)
    cells = [replace(whole.cells[0], samples=[], skipped="tg32 was measured instead"), world.run_of(slow, 1.5)]
    world.deliver(forge, offer, replace(whole, cells=cells))

    (table,) = view_of(session).tables

    assert [row.cell for group in table.groups for row in group.rows] == ["tg32"]
    assert table.nowhere == [("tg128", "tg32 was measured instead")]


def test_a_jobs_line_has_only_numbers_of_cells_that_are_for_them(forge):
    session = ask([forge], cells=("pp512", "tg128"))
    deliver_all([forge])

    (line,) = view_of(session).report

    # pp512 has a TTFT too, which is no chat's
    assert [figure.metric for figure in line.figures] == ["decode_rate", "prefill_rate"]
    assert view_of(session).columns == ["Decode, tg128", "Prefill, pp512"]


def test_machines_and_their_results_are_linked(forge):
    session = ask([forge])
    deliver_all([forge])

    page = signed_in().get(f"/sessions/{session.id}")

    assert any(link.startswith("/results/") for link in links(page))
    assert by_id(page, "session-report") is not None


# -- time against the plan -------------------------------------------------------------------------------------------


def expecting(session, seconds):
    Job._get_collection().update_many({"session": session.id}, {"$set": {"expected_s": seconds}})
    return session


def test_before_it_starts_the_plan_has_its_cells_and_the_expected_time(forge):
    session = expecting(ask([forge], world.MODELS[:2]), 100.0)

    view = view_of(session)
    page = words(signed_in().get(f"/sessions/{session.id}"))

    assert (view.progress.expected_s, view.progress.plan) == (200.0, "expected 3 min 20 s")
    assert [row.expected_s for row in view.report] == [100.0, 100.0]
    assert "The plan: 6 cells per model" in page
    assert "4 requests at a time, 512 tokens in, 128 out; context 4096" in page


def test_machines_work_side_by_side(forge):
    session = expecting(ask([forge, world.machine("atlas")]), 100.0)

    assert view_of(session).progress.expected_s == 100.0


def test_without_earlier_results_nothing_is_foreseen_and_it_says_so(forge):
    session = expecting(ask([forge]), None)

    assert view_of(session).progress.plan == ""
    assert "no earlier result to foresee it from" in words(signed_in().get(f"/sessions/{session.id}"))


def test_while_it_runs_it_says_how_far_off_it_will_be(forge):
    session = expecting(ask([forge]), 50.0)
    (offer,) = world.sync(forge).jobs
    world.acknowledge(forge, offer)
    live = contract.Event(
        seq=3, kind="live", elapsed_s=1.0, cell="tg128", of=6, remaining_s=100.0, reading=world.READING
    )
    world.report(forge, offer, live)

    view = view_of(session)

    assert view.progress.plan.startswith("expected 50 s, +")
    assert view.lanes[0].current.plan.startswith("expected 50 s, +")


def test_when_it_is_over_each_job_says_expected_and_took(forge):
    session = expecting(ask([forge]), 30.0)
    deliver_all([forge], duration_s=42.0)

    (line,) = view_of(session).report

    assert (line.expected_s, line.took_s, line.off_by) == (30.0, 42.0, "+40 %")
    assert "30.0 s 42.0 s +40 %" in words(signed_in().get(f"/sessions/{session.id}"))


def test_a_failed_job_is_not_held_against_the_plan(forge):
    session = expecting(ask([forge]), 30.0)
    error = contract.JobError("out_of_memory", "Ollama could not load it.")
    deliver_all([forge], outcome="failed", cells=[], error=error)

    (line,) = view_of(session).report

    assert (line.off_by, line.error) == ("", "Ollama could not load it.")
