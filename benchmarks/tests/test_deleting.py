"""Deleting results, jobs, sessions and machines with all that hangs on them."""

import pytest

from agents.documents import Client, Event, ModelInstallation
from benchmarks import deleting, sessions, shelf
from benchmarks.documents import Job, JobLive, Result, SampleBlock, Session, TelemetrySeries
from benchmarks.tests import world
from obt_site import data_checks
from obt_site.audit import AuditEntry
from obt_site.errors import Conflict

KINDS = (Job, JobLive, Result, SampleBlock, Session, TelemetrySeries)


@pytest.fixture
def forge(database):
    return world.machine("forge")


def counts():
    return {kind.__name__: kind.objects.count() for kind in KINDS}


def test_a_result_goes_with_its_samples_and_its_job_stays_without_it(forge):
    kept, gone = world.result(forge), world.result(forge)
    before = counts()

    plan = deleting.of_result(gone)
    assert plan.counts == {"cells of raw samples": 4, "recordings of telemetry": 1, "results": 1}
    deleting.carry_out(plan)

    after = counts()
    assert before["SampleBlock"] - after["SampleBlock"] == 4
    assert [one.id for one in Result.objects] == [kept.id]
    assert sessions.find_job(str(gone.job)).result is None
    assert [one.id for one in shelf.results()] == [kept.id]
    assert data_checks.check() == []


def test_a_job_goes_with_its_result_and_its_session_is_counted_again(forge):
    session = world.session(forge)
    (offer,) = world.sync(forge).jobs
    world.acknowledge(forge, offer)
    world.deliver(forge, offer)

    deleting.carry_out(deleting.of_job(sessions.find_job(offer.job)))

    assert sessions.find(str(session.id)).counts == {
        "queued": 1, "running": 0, "succeeded": 0, "failed": 0, "cancelled": 0,
    }  # fmt: skip
    assert Result.objects.count() == 0
    assert data_checks.check() == []


def test_a_session_goes_whole_and_others_stay(forge):
    other, gone = world.result(forge), world.result(forge)

    found = deleting.carry_out(deleting.of_session(sessions.find(str(gone.session))))

    assert found["sessions"] == found["jobs"] == found["results"] == 1
    assert [one.id for one in Session.objects] == [other.session]
    assert data_checks.check() == []


def test_a_machine_goes_with_what_it_measured_and_others_stay(forge):
    atlas = world.machine("atlas")
    world.result(forge)
    other = world.result(atlas)
    both = sessions.start(
        [sessions.Target(str(each.id), world.MODELS[0]) for each in (forge, atlas)], "standard", "quick", "jo"
    )

    deleting.carry_out(deleting.of_machine(forge))

    assert [one.name for one in Client.objects] == ["atlas"]
    assert {one.client for one in ModelInstallation.objects} == {atlas.id}
    assert {one.id for one in Session.objects} == {other.session, both.id}
    assert sessions.find(str(both.id)).counts["queued"] == 1
    assert Event.objects(client=forge.id).count() > 0
    assert data_checks.check() == []


def test_nothing_goes_while_a_machine_works_on_it(forge):
    offer = world.running(forge)
    job = sessions.find_job(offer.job)

    for plan, what in ((deleting.of_job, job), (deleting.of_session, sessions.find(str(job.session))),
                       (deleting.of_machine, forge)):  # fmt: skip
        with pytest.raises(Conflict, match="with a machine now"):
            plan(what)


def test_it_is_written_down_with_what_went(forge):
    result = world.result(forge)

    deleting.carry_out(deleting.of_result(result))

    entry = AuditEntry.objects(action="result.delete").first()
    assert (entry.about_id, entry.before["results"]) == (result.id, 1)
