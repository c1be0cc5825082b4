"""POST jobs/{id}/progress and PUT jobs/{id}/result, over HTTP: statuses, caps, and whose jobs are whose."""

import pytest

from agent.obt_agent import contract
from agents import verbs
from agents.tests.agent_calls import Machine
from benchmarks import sessions
from benchmarks.documents import LateResult, Result
from benchmarks.tests import world


@pytest.fixture
def forge(server):
    machine = Machine(server)
    machine.sync(world.sync_request(models=[world.model("a:1")], models_hash="m1"))
    return machine


@pytest.fixture
def offer(forge):
    return world.running(verbs.find(forge.client), "a:1")


def progress(machine, offer, *events, lease=None):
    body = contract.ProgressRequest(offer.attempt, lease or offer.lease, list(events))
    return machine.call("POST", f"jobs/{offer.job}/progress", body)


def test_progress_is_acknowledged_by_its_number(forge, offer):
    answer = progress(forge, offer, contract.Event(2, "live", 1.0), contract.Event(3, "live", 2.0))

    assert (answer.status_code, answer.json()) == (200, {"acknowledged": 3, "cancel": False})


def test_progress_under_a_stale_lease_gets_409(forge, offer):
    answer = progress(forge, offer, contract.Event(2, "live", 1.0), lease="0" * 32)

    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:obt:error:stale_lease"


def test_a_result_is_new_once_and_the_same_again_after(forge, offer):
    body = world.body(offer)

    answers = [forge.call("PUT", f"jobs/{offer.job}/result", body) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert {answer.json()["result"] for answer in answers} == {f"{offer.job}-1"}
    assert Result.objects.count() == 1


def test_another_result_for_the_attempt_gets_409_and_is_kept_as_late(forge, offer):
    forge.call("PUT", f"jobs/{offer.job}/result", world.body(offer, rate=100))

    answer = forge.call("PUT", f"jobs/{offer.job}/result", world.body(offer, rate=200))

    assert answer.status_code == 409
    assert LateResult.objects.count() == 1


def test_a_large_result_is_taken_and_one_over_the_cap_is_not(forge, offer):
    large = b" " * (contract.SYNC_BODY_BYTES * 4)
    fits = forge.call("PUT", f"jobs/{offer.job}/result", data=large + _json(world.body(offer)))
    over = forge.call("PUT", f"jobs/{offer.job}/result", data=b" " * (contract.RESULT_BODY_BYTES + 1))

    assert (fits.status_code, over.status_code) == (201, 413)


def test_another_machines_job_is_not_there(forge, offer, server):
    atlas = Machine(server, "atlas")

    assert progress(atlas, offer, contract.Event(2, "live", 1.0)).status_code == 404
    assert atlas.call("PUT", f"jobs/{offer.job}/result", world.body(offer)).status_code == 404
    assert sessions.find_job(offer.job).state == "running"


@pytest.mark.parametrize("job", ["nope", "6b02d6a12eea9e1e74c2adf2", "%00", "a" * 500])
def test_a_job_that_does_not_exist_gets_404(forge, offer, job):
    answer = forge.call("POST", f"jobs/{job}/progress", contract.ProgressRequest(1, offer.lease))

    assert answer.status_code == 404


def _json(body):
    from agent.obt_agent import wire

    return wire.dumps(body)
