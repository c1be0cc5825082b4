"""Starting, cancelling and retrying sessions, and the state that follows from their jobs."""

import pytest

from agents.documents import ModelInstallation
from benchmarks import sessions
from benchmarks.documents import Job, Session
from benchmarks.lifecycle import Actor, State, move
from benchmarks.sessions import Target
from benchmarks.tests import world
from obt_site.errors import Conflict, Invalid


@pytest.fixture
def forge(database):
    return world.machine("forge")


def start(*targets: Target, **more):
    return sessions.start(targets, more.pop("suite", "standard"), more.pop("budget", "quick"), "jo", **more)


def test_it_queues_one_job_per_model_and_machine(forge):
    atlas = world.machine("atlas")

    session = start(*(Target(str(c.id), m) for c in (forge, atlas) for m in world.MODELS[:2]))

    jobs = sessions.jobs_of(session)
    assert [(job.client_name, job.model) for job in jobs] == [
        ("forge", "llama3.2:3b"),
        ("forge", "qwen3:8b"),
        ("atlas", "llama3.2:3b"),
        ("atlas", "qwen3:8b"),
    ]
    assert (session.name, session.state, session.counts["queued"]) == ("2 models on 2 machines", "queued", 4)


def test_sessions_are_numbered_in_order(forge):
    numbers = [start(Target(str(forge.id), "qwen3:8b")).number for _ in range(3)]

    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]


def test_the_same_target_twice_is_one_job(forge):
    session = start(*[Target(str(forge.id), "qwen3:8b")] * 3)

    assert len(sessions.jobs_of(session)) == 1


@pytest.mark.parametrize(
    ("client", "model", "field", "words"),
    [
        ("6b02d6a12eea9e1e74c2adf2", "qwen3:8b", "targets.0.client", "no machine"),
        ("not an id", "qwen3:8b", "targets.0.client", "no machine"),
        (None, "nope:latest", "targets.0.model", "has no model “nope:latest”"),
    ],
)
def test_an_unknown_target_is_refused_by_name_and_nothing_is_written(forge, client, model, field, words):
    with pytest.raises(Invalid) as refusal:
        start(Target(client or str(forge.id), model))

    assert refusal.value.errors[0].field == field
    assert words in refusal.value.errors[0].message
    assert Session.objects.count() == Job.objects.count() == 0


def test_a_cloud_model_and_one_that_only_sees_are_refused_by_name(forge):
    ModelInstallation(client=forge.id, name="big:cloud", digest="c", remote=True).save()
    ModelInstallation(client=forge.id, name="sees", digest="e", capabilities=["vision"]).save()

    with pytest.raises(Invalid) as refusal:
        start(Target(str(forge.id), "big:cloud"), Target(str(forge.id), "sees"))

    assert [error.field for error in refusal.value.errors] == ["targets.0.model", "targets.1.model"]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"suite": "nope"}, "suite"),
        ({"budget": "endless"}, "budget"),
        ({"cells": ["tg128", "tg0"]}, "cells.1"),
        ({"cells": []}, "cells"),
        ({"name": "x" * 121}, "name"),
        ({"note": "x" * 2001}, "note"),
    ],
)
def test_a_bad_plan_is_refused_by_field(forge, more, field):
    with pytest.raises(Invalid) as refusal:
        start(Target(str(forge.id), "qwen3:8b"), **more)

    assert refusal.value.errors[0].field == field
    assert Session.objects.count() == 0


def test_named_cells_are_measured_in_the_order_given(forge):
    session = start(Target(str(forge.id), "qwen3:8b"), cells=["tg64", "pp512"])

    assert [cell["name"] for cell in session.cells] == ["tg64", "pp512"]


def test_a_queued_job_is_cancelled_at_once_and_a_running_one_when_its_agent_says_so(forge):
    offer = world.running(forge)
    session = sessions.find(offer.session)

    sessions.cancel(session)

    assert [job.state for job in sessions.jobs_of(session)] == ["cancelling", "cancelled"]
    assert sessions.find(offer.session).state == "running"
    world.deliver(forge, offer, world.body(offer, outcome="cancelled"))
    assert sessions.find(offer.session).state == "cancelled"


def test_a_lost_job_is_cancelled_at_once(forge):
    offer = world.running(forge, "qwen3:8b")
    move(sessions.find_job(offer.job), State.LOST, Actor.SWEEPER)

    assert sessions.cancel_job(sessions.find_job(offer.job)).state == "cancelled"


def test_cancelling_between_automatic_retries_ends_them(forge):
    offer = world.running(forge, "qwen3:8b")
    world.sync(forge, slots=0)
    assert sessions.find(offer.session).state == "queued"

    sessions.cancel_job(sessions.find_job(offer.job))

    assert sessions.find(offer.session).state == "failed"


def test_an_ended_job_cannot_be_cancelled(forge):
    offer = world.running(forge, "qwen3:8b")
    world.deliver(forge, offer)

    with pytest.raises(Conflict, match="already ended"):
        sessions.cancel_job(sessions.find_job(offer.job))


def test_a_retry_is_a_new_attempt_and_opens_the_session_again(forge):
    offer = world.running(forge, "qwen3:8b")
    world.deliver(forge, offer, world.body(offer, outcome="failed"))
    session = sessions.find(offer.session)
    assert (session.state, session.finished_at is None) == ("failed", False)

    sessions.retry(session)

    session = sessions.find(offer.session)
    assert (session.state, session.finished_at) == ("queued", None)
    assert world.sync(forge).jobs[0].attempt == 2


def test_a_succeeded_job_is_not_measured_again_by_retry(forge):
    offer = world.running(forge, "qwen3:8b")
    world.deliver(forge, offer)

    with pytest.raises(Conflict):
        sessions.retry_job(sessions.find_job(offer.job))


@pytest.mark.parametrize(
    ("counts", "state"),
    [
        ({"queued": 2}, "queued"),
        ({"queued": 1, "running": 1}, "running"),
        ({"queued": 1, "succeeded": 1}, "running"),
        ({"succeeded": 2}, "succeeded"),
        ({"succeeded": 1, "failed": 1}, "failed"),
        ({"succeeded": 1, "cancelled": 1}, "cancelled"),
        ({}, "cancelled"),
    ],
)
def test_a_sessions_state_follows_from_how_many_jobs_are_where(counts, state):
    whole = dict.fromkeys(("queued", "running", "succeeded", "failed", "cancelled"), 0) | counts

    assert sessions.overall(whole) == state


def test_recomputing_again_changes_nothing(forge):
    session = world.session(forge)
    sessions.recompute(session.id)
    first = sessions.find(str(session.id))

    sessions.recompute(session.id)

    again = sessions.find(str(session.id))
    assert (again.state, again.counts, again.finished_at) == (first.state, first.counts, first.finished_at)
