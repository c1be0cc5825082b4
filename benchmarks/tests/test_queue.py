"""Giving out work: once each, to its own machine, and again when the answer got lost."""

import threading
from datetime import timedelta

import pytest
from bson import ObjectId

from benchmarks import queue, sessions
from benchmarks.documents import Job
from benchmarks.lifecycle import Actor, Overtaken, State, move
from benchmarks.tests import world
from obt_site.clock import now

RACES = 1000


@pytest.fixture
def forge(database):
    return world.machine("forge")


def test_a_machine_with_a_free_slot_gets_its_oldest_job(forge):
    first = world.session(forge, "llama3.2:3b")
    world.session(forge, "qwen3:8b")

    (offer,) = world.sync(forge).jobs

    assert (offer.session, offer.model, offer.attempt) == (str(first.id), "llama3.2:3b", 1)
    assert [cell.name for cell in offer.cells] == ["load", "pp512", "tg128", "chat512/128"]


def test_a_machine_gets_only_its_own_jobs(forge):
    atlas = world.machine("atlas")
    world.session(forge, "llama3.2:3b")

    assert not world.sync(atlas)


def test_a_machine_without_a_free_slot_or_paused_gets_nothing(forge):
    from agents import verbs

    world.session(forge, "llama3.2:3b")
    assert not world.sync(forge, slots=0)

    verbs.set_paused(forge, True)
    assert not world.sync(forge)


def test_an_offer_whose_answer_got_lost_is_repeated_with_the_same_lease(forge):
    world.session(forge)
    (offer,) = world.sync(forge).jobs

    (again,) = world.sync(forge).jobs

    assert again == offer
    assert Job.objects(state="offered").count() == 1


def test_a_job_the_agent_has_taken_in_is_not_offered_again(forge):
    world.session(forge, "llama3.2:3b")
    (offer,) = world.sync(forge).jobs

    assert not world.sync(forge, [world.hold(offer)], slots=0)


def test_a_running_job_its_agent_no_longer_knows_fails_and_is_tried_again_later(forge):
    offer = world.running(forge, "llama3.2:3b")

    world.sync(forge, slots=0)

    job = sessions.find_job(offer.job)
    assert (job.state, job.error["kind"], job.retries) == ("failed", "agent_restarted", 1)
    assert timedelta(seconds=25) < job.not_before - now() < timedelta(seconds=31)
    assert sessions.find(offer.session).counts["queued"] == 1


def test_a_job_acknowledged_while_the_sync_was_under_way_is_not_given_up(forge):
    offer = world.running(forge, "llama3.2:3b")
    before_it_started = sessions.find_job(offer.job).started_at - timedelta(milliseconds=1)

    queue.exchange(forge, [], 0, before_it_started)

    assert sessions.find_job(offer.job).state == "running"


def test_a_lost_job_that_is_still_held_runs_on_in_the_same_attempt(forge):
    offer = world.running(forge, "llama3.2:3b")
    move(sessions.find_job(offer.job), State.LOST, Actor.SWEEPER)

    world.sync(forge, [world.hold(offer)], slots=0)

    job = sessions.find_job(offer.job)
    assert (job.state, job.attempt, job.lease) == ("running", 1, offer.lease)


def test_the_agent_is_told_to_stop_a_job_that_is_being_cancelled(forge):
    offer = world.running(forge, "llama3.2:3b")
    sessions.cancel_job(sessions.find_job(offer.job))

    (order,) = world.sync(forge, [world.hold(offer)], slots=0).cancel

    assert (order.job, order.lease, order.reason) == (offer.job, offer.lease, "cancelled")


@pytest.mark.parametrize("change", ["ended", "another lease", "another machine's", "gone"])
def test_the_agent_is_told_to_drop_what_is_no_longer_its_own(forge, change):
    offer = world.running(forge, "llama3.2:3b")
    held, client = world.hold(offer), forge
    if change == "ended":
        world.deliver(forge, offer)
    elif change == "another lease":
        held = type(held)(held.job, held.attempt, "0" * 32)
    elif change == "another machine's":
        client = world.machine("atlas")
    else:
        held = type(held)(str(ObjectId()), 1, held.lease)

    (order,) = world.sync(client, [held], slots=0).cancel

    assert order.reason == "stale"


def test_two_claimers_race_for_one_job_a_thousand_times_and_one_wins_each(database):
    """Both have read the job as queued before either claims it: the database alone decides."""
    jobs = [Job(session=ObjectId(), client=ObjectId(), model=str(i), digest="d") for i in range(RACES)]
    ids = [job.id for job in Job.objects.insert(jobs)]
    both_have_read = threading.Barrier(2)
    outcomes: list[list[str]] = [[], []]

    def claim(mine: list[str]) -> None:
        for identity in ids:
            job = Job.objects.get(id=identity)
            both_have_read.wait(60)
            try:
                mine.append(move(job, State.OFFERED, Actor.SERVER).lease)
            except Overtaken:
                mine.append("overtaken")

    threads = [threading.Thread(target=claim, args=(mine,)) for mine in outcomes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    stored = [Job.objects.get(id=identity) for identity in ids]
    assert all(job.attempt == 1 for job in stored)
    assert [{one, other} for one, other in zip(*outcomes, strict=True)] == [{"overtaken", job.lease} for job in stored]
