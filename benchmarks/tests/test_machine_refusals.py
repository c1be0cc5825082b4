"""A machine whose owner's policy keeps it from working: what its job, its session, the queue and its page say."""

import pytest

from agent.obt_agent import contract
from agents import verbs
from agents.api import read
from benchmarks import queue, sessions
from benchmarks.documents import Job
from benchmarks.lifecycle import State
from benchmarks.presenters import queue as queue_page
from benchmarks.tests import world
from obt_site.access import Role
from obt_site.clock import now
from obt_site.tests.people import signed_in, words

pytestmark = pytest.mark.django_db

WAITS = "It waits until 22:00: jobs run from 22:00 to 06:00 only (policy of the machine)."
REFUSED = "The policy of the machine does not let qwen3:8b run: it allows llama*."


@pytest.fixture
def forge(database):
    return world.machine("forge")


def waits(client, why: str | None = WAITS):
    """The machine's next sync, which takes no job and says why."""
    verbs.take_in(client, world.sync_request(slots=0, refusal=why))
    return queue.exchange(verbs.find(str(client.id)), [], 0, now())


def test_its_jobs_wait_and_do_not_fail(forge):
    session = world.session(forge)

    assert waits(forge).jobs == []
    assert {job.state for job in Job.objects(session=session.id)} == {State.QUEUED}


def test_the_queue_says_until_when_and_no_times(forge):
    world.session(forge)
    waits(forge)

    (machine,) = queue_page.queue().machines

    assert machine.stands_because == WAITS
    assert {line.starts_at for line in machine.lines} == {None}
    assert WAITS in words(signed_in().get("/queue"))


def test_the_session_and_the_machine_s_page_say_it_too(forge):
    session = world.session(forge)
    waits(forge)
    browser = signed_in(Role.VIEWER)

    assert WAITS.rstrip(".") in words(browser.get(f"/sessions/{session.id}"))
    assert WAITS.rstrip(".") in words(browser.get(f"/machines/{forge.id}"))


def test_the_api_gives_it_as_the_reason(forge):
    waits(forge)

    assert signed_in().get(f"/api/v1/clients/{forge.id}").json()["reason"] == WAITS


def test_it_is_gone_when_the_machine_takes_jobs_again(forge):
    world.session(forge)
    waits(forge)
    (offer,) = world.sync(verbs.find(str(forge.id))).jobs

    assert offer.model in world.MODELS
    (machine,) = queue_page.queue().machines
    assert machine.stands_because is None


def test_a_job_that_the_policy_forbids_has_failed_with_its_reason_and_is_not_tried_again(forge):
    session = world.session(forge, "qwen3:8b")
    (offer,) = world.sync(forge).jobs
    error = contract.JobError("policy", REFUSED)
    body = contract.ResultBody(offer.attempt, offer.lease, "failed", duration_s=0.0, error=error)

    world.deliver(forge, offer, body)

    job = sessions.find_job(offer.job)
    assert (job.state, job.error["kind"], job.not_before) == (State.FAILED, "policy", None)
    assert REFUSED in words(signed_in().get(f"/sessions/{session.id}"))
    assert signed_in(name="mo").get(f"/api/v1/jobs/{job.id}").json()["error"]["message"] == REFUSED


def test_an_agent_of_the_protocol_before_needs_to_know_nothing_of_it(rf, forge):
    """Nothing was added to the wire: a reason is the sentence that `refusal` and `error` always had."""
    body = {"protocol": 1, "agent_version": "0.0.9", "boot_id": "b", "slots": 0, "refusal": "It waits."}
    body["ollama"] = {"url": "http://x", "reachable": True}
    request = rf.post("/", body, "application/json")

    assert read(request, contract.SyncRequest).refusal == "It waits."
    assert "policy" not in contract.SyncRequest.__dataclass_fields__
