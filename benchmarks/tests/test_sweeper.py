"""What time alone brings about. Jobs are made old by moving their times back."""

from datetime import timedelta

import pytest

from agents.documents import Client
from benchmarks import sessions, sweeper
from benchmarks.documents import Job
from benchmarks.tests import world
from obt_site import mongo
from obt_site.clock import now


@pytest.fixture
def forge(database):
    mongo.database()["leases"].delete_many({})
    return world.machine("forge")


def age(job_id: str, **back: float) -> None:
    moved = now() - timedelta(**back)
    Job.objects(id=job_id).update_one(set__state_since=moved, set__last_seen_at=moved)


def offered(forge):
    world.session(forge, "llama3.2:3b")
    return world.sync(forge).jobs[0]


def test_an_offer_nobody_acknowledged_is_queued_again_after_a_minute(forge):
    offer = offered(forge)
    sweeper.sweep()
    assert sessions.find_job(offer.job).state == "offered"

    age(offer.job, seconds=61)
    sweeper.sweep()

    job = sessions.find_job(offer.job)
    assert (job.state, job.deliveries) == ("queued", 1)


def test_the_third_offer_nobody_acknowledged_is_the_last(forge):
    offer = offered(forge)
    for _ in range(2):
        age(offer.job, seconds=61)
        sweeper.sweep()
        world.sync(forge)
    age(offer.job, seconds=61)
    sweeper.sweep()

    job = sessions.find_job(offer.job)
    assert (job.state, job.attempt, job.error["kind"]) == ("failed", 3, "not_acknowledged")
    assert sessions.find(offer.session).state == "failed"


def test_a_running_job_is_lost_after_five_silent_minutes_and_failed_after_a_day(forge):
    offer = world.running(forge, "llama3.2:3b")
    age(offer.job, minutes=4, seconds=55)
    sweeper.sweep()
    assert sessions.find_job(offer.job).state == "running"

    age(offer.job, minutes=5, seconds=1)
    sweeper.sweep()
    assert sessions.find_job(offer.job).state == "lost"

    age(offer.job, hours=24, seconds=1)
    sweeper.sweep()
    job = sessions.find_job(offer.job)
    assert (job.state, job.error["kind"], job.not_before) == ("failed", "agent_lost", None)


def test_a_cancel_nobody_confirmed_is_forced_after_two_minutes(forge):
    offer = world.running(forge, "llama3.2:3b")
    sessions.cancel_job(sessions.find_job(offer.job))
    sweeper.sweep()
    assert sessions.find_job(offer.job).state == "cancelling"

    age(offer.job, seconds=121)
    sweeper.sweep()

    assert sessions.find_job(offer.job).state == "cancelled"
    assert sessions.find(offer.session).state == "cancelled"


def test_a_retry_that_falls_due_is_queued_and_the_third_is_the_last(forge):
    offer = world.running(forge, "llama3.2:3b")
    for retries, seconds in enumerate((30, 120, 480), start=1):
        world.sync(forge, slots=0)  # the agent came back without it
        job = sessions.find_job(offer.job)
        assert (job.state, job.retries) == ("failed", retries)
        assert abs((job.not_before - now()).total_seconds() - seconds) < 5
        Job.objects(id=offer.job).update_one(set__not_before=now())
        sweeper.sweep()
        assert sessions.find_job(offer.job).state == "queued"
        (again,) = world.sync(forge).jobs
        world.acknowledge(forge, again)

    world.sync(forge, slots=0)

    job = sessions.find_job(offer.job)
    assert (job.state, job.not_before, job.attempt) == ("failed", None, 4)
    assert sessions.find(offer.session).state == "failed"


def test_a_queued_job_of_a_machine_that_is_gone_for_a_day_ends_so_that_its_session_can(forge):
    session = world.session(forge, "llama3.2:3b")
    long_ago = now() - timedelta(hours=25)
    Client.objects(id=forge.id).update_one(set__last_seen_at=long_ago, set__state="offline", set__state_since=long_ago)
    (job,) = sessions.jobs_of(session)
    age(str(job.id), hours=25)

    sweeper.sweep()

    (job,) = sessions.jobs_of(session)
    assert (job.state, job.error["kind"]) == ("failed", "client_offline")
    assert sessions.find(str(session.id)).finished_at is not None


def test_a_machine_that_fell_silent_is_late_and_then_offline_with_a_sentence(forge):
    for seconds, state in ((26, "late"), (61, "offline")):
        Client.objects(id=forge.id).update_one(set__last_seen_at=now() - timedelta(seconds=seconds))
        sweeper.sweep()
        stored = Client.objects.get(id=forge.id)
        assert stored.state == state
        assert "report" in stored.reason


def test_after_a_time_without_a_server_nothing_expires_for_five_minutes(forge):
    offer = world.running(forge, "llama3.2:3b")
    sweeper.sweep()
    age(offer.job, minutes=10)
    mongo.database()["leases"].update_one({}, {"$set": {"swept_at": now() - timedelta(minutes=9)}})

    sweeper.sweep()
    assert sessions.find_job(offer.job).state == "running"
    sweeper.sweep()
    assert sessions.find_job(offer.job).state == "running"

    mongo.database()["leases"].update_one({}, {"$set": {"frozen_until": now()}})
    sweeper.sweep()
    assert sessions.find_job(offer.job).state == "lost"


def test_of_several_processes_one_sweeps_and_another_takes_over_when_it_stops(forge):
    moment = now()
    assert sweeper.take_lease(moment, "one") is not None
    assert sweeper.take_lease(moment, "two") is None
    assert sweeper.take_lease(moment + timedelta(seconds=2), "one") is not None

    taken_over = sweeper.take_lease(moment + timedelta(seconds=20), "two")

    assert taken_over is not None
    assert not taken_over.frozen(moment + timedelta(seconds=20))
    assert sweeper.take_lease(moment + timedelta(seconds=21), "one") is None


def test_a_session_whose_jobs_ended_unseen_is_mended_at_start_up(forge):
    session = world.session(forge, "llama3.2:3b")
    Job.objects(session=session.id).update(set__state="succeeded", set__finished_at=now())

    sweeper.mend()

    assert sessions.find(str(session.id)).state == "succeeded"
