"""Progress: taken in once, in order, under the current lease only."""

import pytest

from agent.obt_agent import contract
from benchmarks import leases, progress, sessions
from benchmarks.documents import JobLive
from benchmarks.lifecycle import Actor, State, move
from benchmarks.tests import world

Event = contract.Event


@pytest.fixture
def forge(database):
    return world.machine("forge")


@pytest.fixture
def offer(forge):
    world.session(forge, "llama3.2:3b")
    return world.sync(forge).jobs[0]


def test_the_first_report_acknowledges_the_offer_and_starts_the_session(forge, offer):
    answer = world.report(forge, offer, Event(1, "started", 0.0))

    job = sessions.find_job(offer.job)
    assert (answer.acknowledged, answer.cancel) == (1, False)
    assert (job.state, job.deliveries) == ("running", 0)
    assert job.started_at is not None
    assert sessions.find(offer.session).state == "running"


def test_events_that_were_already_taken_in_change_nothing(forge, offer):
    events = [
        Event(1, "started", 0.0),
        Event(2, "sample", 1.0, cell="tg128", index=0, value=50.0, metric="decode_rate"),
    ]
    world.report(forge, offer, *events)

    answer = world.report(forge, offer, *events, Event(3, "cell", 2.0, cell="pp512", of=6))

    assert answer.acknowledged == 3
    assert len(JobLive.objects.get(id=offer.job).samples) == 1
    assert sessions.find_job(offer.job).progress["cell"] == "pp512"


def test_the_newest_of_each_kind_is_what_a_page_shows(forge, offer):
    world.report(forge, offer, Event(1, "started", 0.0), Event(2, "cell", 1.0, cell="tg128", of=6, done=3, total=20))
    world.report(
        forge,
        offer,
        Event(3, "live", 2.0, metric="decode_rate", value=71.3, unit="tok/s", estimated=True, reading=world.READING),
    )

    shown = sessions.find_job(offer.job).progress
    assert (shown["cell"], shown["of"], shown["done"], shown["total"]) == ("tg128", 6, 3, 20)
    assert (shown["value"], shown["unit"], shown["estimated"]) == (71.3, "tok/s", True)
    assert shown["reading"]["gpus"][0]["power_w"] == 312.0


def test_a_new_cell_does_not_show_the_last_cells_rate(forge, offer):
    world.report(forge, offer, Event(1, "sample", 1.0, cell="tg128", index=0, value=50.0, metric="decode_rate"))
    world.report(forge, offer, Event(2, "cell", 2.0, cell="pp512", of=6))

    assert sessions.find_job(offer.job).progress["value"] is None


def test_the_live_tail_is_bounded(forge, offer):
    for start in range(0, 3 * progress.LIVE_POINTS, 60):
        world.report(forge, offer, *(Event(start + i + 1, "live", float(start + i), value=1.0) for i in range(60)))

    points = JobLive.objects.get(id=offer.job).points
    assert len(points) == progress.LIVE_POINTS
    assert points[-1]["at"] == 3 * progress.LIVE_POINTS - 1


def test_what_was_not_read_stays_none(forge, offer):
    world.report(forge, offer, Event(1, "live", 1.0, value=5.0, reading=contract.HostReading()))

    assert JobLive.objects.get(id=offer.job).points[0]["gpu_percent"] is None


def test_a_stale_lease_is_refused(forge, offer):
    with pytest.raises(leases.StaleLease):
        progress.apply(forge, offer.job, contract.ProgressRequest(1, "0" * 32, [Event(1, "started", 0.0)]))

    assert sessions.find_job(offer.job).state == "offered"


def test_the_answer_says_when_a_person_has_cancelled(forge, offer):
    world.acknowledge(forge, offer)
    sessions.cancel_job(sessions.find_job(offer.job))

    assert world.report(forge, offer, Event(2, "live", 1.0)).cancel is True


def test_a_lost_job_that_reports_again_runs_on_in_its_attempt(forge, offer):
    world.acknowledge(forge, offer)
    move(sessions.find_job(offer.job), State.LOST, Actor.SWEEPER)

    world.report(forge, offer, Event(2, "live", 1.0))

    job = sessions.find_job(offer.job)
    assert (job.state, job.attempt) == ("running", 1)


def test_a_released_job_waits_in_the_queue_again(forge, offer):
    world.acknowledge(forge, offer)

    world.report(forge, offer, Event(2, "released", 1.0))

    job = sessions.find_job(offer.job)
    assert (job.state, job.lease) == ("queued", None)
    assert sessions.find(offer.session).counts["queued"] == 1
    assert world.sync(forge).jobs[0].attempt == 2
