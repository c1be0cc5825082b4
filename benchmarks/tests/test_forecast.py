"""Which results tell about a model on a machine, and the budget that they show to be too small."""

from dataclasses import replace

import pytest

from agent.obt_agent import contract
from benchmarks import forecast, sessions
from benchmarks.documents import Result, Session
from benchmarks.sessions import Target
from benchmarks.tests import world
from obt_site.clock import now
from obt_site.errors import Invalid

LLAMA = world.MODELS[0]
TWO = ["pp512", "tg128"]


@pytest.fixture
def forge(database):
    return world.machine("forge")


def measured(machine, took_s=14.0, cells=TWO, **fields):
    """A result whose cells took so long each, of a job that took 10 s more."""
    offer = world.running(machine, LLAMA, cells=cells)
    body = world.body(offer, **fields)
    runs = [replace(run, took_s=took_s, expected_s=took_s) for run in body.cells]
    return world.deliver(machine, offer, replace(body, cells=runs, duration_s=took_s * len(runs) + 10.0))


def told(machine, **options):
    subject = forecast.subject(machine, f"digest-of-{LLAMA}")
    return forecast.known([subject], options).get(subject.pair)


def start(machine, **more):
    return sessions.start(
        [Target(str(machine.id), LLAMA)], "standard", more.pop("budget", "quick"), "jo", **{"cells": TWO, **more}
    )


def job(session):
    return sessions.jobs_of(session)[0]


def test_nothing_is_known_before_the_first_result(forge):
    assert told(forge) is None
    assert (job(start(forge)).expected_s, job(start(forge)).expected_from) == (None, None)


def test_its_own_result_tells_and_the_job_keeps_what_was_expected(forge):
    measured(forge)

    found = job(start(forge))

    assert found.expected_s == pytest.approx(2 * 14.0 + 10.0)
    assert found.expected_from == f"from its result of {now().date().isoformat()}"


def test_a_machine_with_the_same_hardware_tells_where_it_has_none(forge):
    atlas = world.machine("atlas")
    measured(forge)

    found = told(atlas)

    assert (found.own, found.ground) == (
        False,
        f"from forge's result of {now().date().isoformat()}, on the same hardware",
    )
    assert job(start(atlas)).expected_s == pytest.approx(38.0)


def test_a_machine_with_other_hardware_does_not(forge):
    other = world.machine("atlas", gear=replace(world.HARDWARE, gpus=[]))
    measured(forge)

    assert told(other) is None


def test_another_model_does_not(forge):
    measured(forge)
    subject = forecast.subject(forge, "digest-of-qwen3:8b")

    assert forecast.known([subject]) == {}


def test_a_result_of_the_simulator_says_nothing_about_the_machine(forge):
    measured(forge)
    Result.objects.update(set__simulated=True)

    assert told(forge) is None


def test_a_result_under_other_options_does_not_tell(forge):
    start(forge, options={"num_thread": 4})
    (offer,) = world.sync(forge).jobs
    world.acknowledge(forge, offer)
    world.deliver(forge, offer)

    assert told(forge) is None
    assert told(forge, num_thread=4) is not None
    assert told(forge, num_thread=8) is None


def test_a_failed_job_does_not_tell(forge):
    measured(forge, outcome="failed", error=contract.JobError("load_failed", "It does not load."))

    assert told(forge) is None


def test_a_short_session_does_not_hide_an_older_whole_one(forge):
    measured(forge)
    measured(forge, cells=["tg64"])

    assert set(told(forge).speeds.by_cell) == {"pp512", "tg128", "tg64"}


# -- a budget too small ------------------------------------------------------------------------------------------------


def refused(machine, **more):
    with pytest.raises(Invalid) as refusal:
        start(machine, **more)
    (error,) = refusal.value.errors
    return error


def test_a_budget_that_what_must_run_is_known_not_to_fit_is_refused_at_its_target(forge):
    measured(forge, took_s=350.0)
    before = Session.objects.count()

    error = refused(forge)

    assert error.field == "targets.0.model"
    assert error.message == (
        f"pp512 and tg128 always run and need about 400 s for {LLAMA} on forge (from its result of"
        f" {now().date().isoformat()}); the quick budget is 180 s. Choose a larger one."
    )
    assert Session.objects.count() == before
    assert job(start(forge, budget="standard")).state == "queued"


def test_a_first_cell_of_ones_own_that_cannot_fit_is_refused_too(forge):
    measured(forge, took_s=14.0)

    assert refused(forge, cells=["tg16384", "pp128"]).message.startswith("tg16384 always runs and needs about")


def test_what_is_not_known_or_only_known_of_a_twin_is_not_refused(forge):
    atlas = world.machine("atlas")
    start(forge)
    measured(forge, took_s=350.0)

    assert job(start(atlas)).state == "queued"


def test_cells_that_the_agent_skips_are_not_counted(forge):
    short = world.model(LLAMA, context_length=4096)
    world.verbs.take_in(forge, world.sync_request(models=[short], models_hash="short"))
    measured(forge)

    assert job(start(forge, cells=["tg128", "pp512", "pp8192"])).expected_s == pytest.approx(38.0)


def test_expectations_of_a_session_add_up_by_machine(forge):
    atlas = world.machine("atlas")
    measured(forge)
    targets = [Target(str(machine.id), LLAMA) for machine in (forge, atlas)]

    session = sessions.start(targets, "standard", "quick", "jo", cells=TWO)

    assert sessions.expected_s(sessions.jobs_of(session)) == pytest.approx(38.0)
    assert sessions.expected_s(sessions.jobs_of(start(forge, cells=["load"]))) is None
