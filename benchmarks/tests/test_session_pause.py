"""Pausing and resuming a session: its queued jobs wait, what runs ends, and everybody else goes on."""

from datetime import timedelta

import pytest

from agent.obt_agent import contract
from agents import presence
from agents.documents import Client
from benchmarks import pausing, sessions, sweeper
from benchmarks.documents import Job
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api, problem
from obt_site.access import Role
from obt_site.clock import now
from obt_site.errors import Conflict
from obt_site.tests.people import signed_in, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def forge(database):
    return world.machine("forge")


def states(session):
    return [job.state for job in sessions.jobs_of(session)]


def test_queued_jobs_of_a_paused_session_are_not_handed_out_until_it_is_resumed(forge):
    session = pausing.pause(world.session(forge), "jo")
    assert (session.paused, session.paused_by, session.state) == (True, "jo", "queued")
    assert not world.sync(forge)

    pausing.resume(session)

    assert [offer.session for offer in world.sync(forge).jobs] == [str(session.id)]


def test_what_a_machine_has_already_ends_normally(forge):
    offer = world.running(forge)
    pausing.pause(sessions.find(offer.session), "jo")

    assert not world.sync(forge, [world.hold(offer)]).cancel
    world.deliver(forge, offer)

    session = sessions.find(offer.session)
    assert states(session) == ["succeeded", "queued"]
    assert (session.state, session.paused) == ("running", True)
    assert not world.sync(forge)


def test_other_sessions_of_the_machine_go_on(forge):
    pausing.pause(world.session(forge, "llama3.2:3b"), "jo")
    later = world.session(forge, "qwen3:8b")

    assert [offer.session for offer in world.sync(forge).jobs] == [str(later.id)]


def test_an_offer_that_was_not_taken_in_is_still_repeated(forge):
    session = world.session(forge)
    (offer,) = world.sync(forge).jobs
    pausing.pause(session, "jo")

    (again,) = world.sync(forge).jobs

    assert (again.job, again.lease) == (offer.job, offer.lease)


def test_a_job_given_back_by_its_agent_waits_with_the_others(forge):
    offer = world.running(forge, "qwen3:8b", "gemma3:4b")
    pausing.pause(sessions.find(offer.session), "jo")

    world.report(forge, offer, contract.Event(seq=2, kind="released", elapsed_s=1.0))

    assert states(sessions.find(offer.session)) == ["queued", "queued"]
    assert not world.sync(forge)


def test_recomputing_keeps_the_pause_and_the_end_takes_it_away(forge):
    session = pausing.pause(world.session(forge), "jo")
    sessions.recompute(session.id)
    assert sessions.find(str(session.id)).paused

    ended = sessions.cancel(session)

    assert (ended.state, ended.paused, ended.paused_at) == ("cancelled", False, None)


def test_the_sweeper_does_not_give_up_jobs_that_wait_for_a_person(forge):
    long_ago = now() - timedelta(hours=25)
    held = pausing.pause(world.session(forge, "qwen3:8b"), "jo")
    waiting = world.session(forge, "gemma3:4b")
    Job.objects.update(set__state_since=long_ago)
    Client.objects.update(
        set__state=presence.Presence.OFFLINE.value, set__last_seen_at=long_ago, set__state_since=long_ago
    )

    sweeper.fail_unreachable()

    assert (states(held), states(waiting)) == (["queued"], ["failed"])


def test_a_session_that_is_over_or_has_nothing_waiting_cannot_be_paused(forge):
    result = world.result(forge)
    with pytest.raises(Conflict, match="is over"):
        pausing.pause(sessions.find(str(result.session)), "jo")

    offer = world.running(forge, "qwen3:8b")
    with pytest.raises(Conflict, match="None of its jobs waits"):
        pausing.pause(sessions.find(offer.session), "jo")


def test_pausing_and_resuming_again_change_nothing(forge):
    session = pausing.pause(world.session(forge), "jo")

    assert pausing.pause(session, "ann").paused_by == "jo"
    assert pausing.resume(pausing.resume(session)).paused is False


def test_the_api_pauses_and_resumes(forge):
    session, api = world.session(forge), Api(Role.OPERATOR)

    paused = api.post(f"sessions/{session.id}/pause").json()
    resumed = api.post(f"sessions/{session.id}/resume").json()

    assert (paused["state"], paused["paused_at"] is not None) == ("queued", True)
    assert resumed["paused_at"] is None


def test_the_api_refuses_viewers_and_what_is_over(forge):
    session = sessions.cancel(world.session(forge))

    problem(Api(Role.OPERATOR, "op").post(f"sessions/{session.id}/pause"), 409)
    problem(Api(Role.VIEWER).post(f"sessions/{session.id}/pause"), 403)
    problem(Api(Role.VIEWER, "v2").post(f"sessions/{session.id}/resume"), 403)


def test_the_page_pauses_says_so_and_resumes(forge):
    session, browser = world.session(forge), signed_in()

    paused = words(browser.post(f"/sessions/{session.id}/pause", follow=True))
    resumed = words(browser.post(f"/sessions/{session.id}/resume", follow=True))

    assert "Paused" in paused
    assert "paused by jo" in paused
    assert "nothing starts before it is resumed" in paused
    assert "goes on" in resumed
    assert "paused by" not in resumed


def test_a_viewer_can_neither_pause_nor_resume(forge):
    session, viewer = world.session(forge), signed_in(Role.VIEWER)

    answers = [viewer.post(f"/sessions/{session.id}/{act}").status_code for act in ("pause", "resume")]

    assert answers == [403, 403]
    assert "Pause" not in words(viewer.get(f"/sessions/{session.id}"))
