"""GET jobs/{id}, POST jobs/{id}/cancel and /retry."""

from dataclasses import replace

import pytest

from agent.obt_agent import contract
from benchmarks import sessions
from benchmarks.documents import Job
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api, problem
from obt_site.access import Role

pytestmark = pytest.mark.django_db
MODEL = world.MODELS[0]


@pytest.fixture
def forge(database):
    return world.machine("forge")


@pytest.fixture
def api(database):
    return Api(Role.OPERATOR)


def queued(client):
    return sessions.jobs_of(world.session(client, MODEL))[0]


def test_it_tells_what_a_waiting_job_is(api, forge):
    job = queued(forge)

    found = api.get(f"jobs/{job.id}").json()

    assert found == {
        "id": str(job.id),
        "session": str(job.session),
        "client": str(forge.id),
        "client_name": "forge",
        "model": MODEL,
        "digest": f"digest-of-{MODEL}",
        "state": "queued",
        "state_since": found["state_since"],
        "attempt": 0,
        "progress": None,
        "error": None,
        "result": None,
        "created_at": found["created_at"],
        "started_at": None,
        "finished_at": None,
        "retry_at": None,
        "expected_s": None,
        "expected_from": None,
        "took_s": None,
    }


def test_it_tells_how_far_a_running_job_is(api, forge):
    offer = world.running(forge, MODEL)
    live = contract.Event(
        2, "live", 4.5, "tg128", 3, 6, done=11, total=28, remaining_s=40.0, reading=world.READING,
        metric="decode_rate", value=101.5, unit="tok/s", estimated=True,
    )  # fmt: skip
    world.report(forge, offer, live)

    found = api.get(f"jobs/{offer.job}").json()

    assert (found["state"], found["attempt"]) == ("running", 1)
    progress = found["progress"]
    assert (progress["cell"], progress["index"], progress["of"]) == ("tg128", 3, 6)
    assert (progress["done"], progress["total"], progress["remaining_s"]) == (11, 28, 40.0)
    assert (progress["metric"], progress["value"], progress["unit"], progress["estimated"]) == (
        "decode_rate", 101.5, "tok/s", True,
    )  # fmt: skip
    assert progress["reading"]["gpus"][0]["power_w"] == 312.0


def test_the_lease_is_not_told(api, forge):
    offer = world.running(forge, MODEL)

    assert offer.lease not in api.get(f"jobs/{offer.job}").content.decode()


def test_a_failed_job_says_why(api, forge):
    offer = world.running(forge, MODEL)
    error = contract.JobError("model_missing", "The model was deleted.")
    world.deliver(forge, offer, replace(world.body(offer), outcome="failed", error=error, cells=[]))

    found = api.get(f"jobs/{offer.job}").json()

    assert found["state"] == "failed"
    assert found["error"] == {"kind": "model_missing", "message": "The model was deleted."}


def test_a_failure_of_the_infrastructure_says_when_it_is_tried_again(api, forge):
    offer = world.running(forge, MODEL)
    error = contract.JobError("server_busy", "Ollama is busy.")
    world.deliver(forge, offer, replace(world.body(offer), outcome="failed", error=error, cells=[]))

    found = api.get(f"jobs/{offer.job}").json()

    assert found["retry_at"] > found["finished_at"]


def test_cancel_ends_a_waiting_job(api, forge):
    job = queued(forge)

    found = api.post(f"jobs/{job.id}/cancel").json()

    assert found["state"] == "cancelled"
    assert world.sync(forge).jobs == []
    assert sessions.find(str(job.session)).state == "cancelled"


def test_cancel_asks_a_running_job_to_stop(api, forge):
    offer = world.running(forge, MODEL)

    assert api.post(f"jobs/{offer.job}/cancel").json()["state"] == "cancelling"
    assert api.post(f"jobs/{offer.job}/cancel").json()["state"] == "cancelling"


def test_cancel_of_a_job_that_ended_is_a_conflict_that_says_how(api, forge):
    result = world.result(forge, MODEL)

    body = problem(api.post(f"jobs/{result.job}/cancel"), 409)

    assert "succeeded" in body["detail"]


def test_retry_queues_a_cancelled_job_as_a_new_attempt(api, forge):
    job = queued(forge)
    api.post(f"jobs/{job.id}/cancel")

    found = api.post(f"jobs/{job.id}/retry").json()

    assert found["state"] == "queued"
    assert world.sync(forge).jobs[0].job == str(job.id)


@pytest.mark.parametrize("state", ["queued", "succeeded"])
def test_retry_of_a_job_that_did_not_fail_is_a_conflict(api, forge, state):
    job_id = queued(forge).id if state == "queued" else world.result(forge, MODEL).job

    problem(api.post(f"jobs/{job_id}/retry"), 409)

    assert sessions.find_job(str(job_id)).state == state


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_changing_is_for_operators(forge, verb):
    job = queued(forge)

    problem(Api(Role.VIEWER).post(f"jobs/{job.id}/{verb}"), 403)

    assert Job.objects(id=job.id).first().state == "queued"


@pytest.mark.parametrize("wrong", ["ffffffffffffffffffffffff", "1", "%00", "[$ne]"])
def test_a_job_that_is_not_there_is_not_found(api, database, wrong):
    problem(api.get(f"jobs/{wrong}"), 404)
    problem(api.post(f"jobs/{wrong}/cancel"), 404)
    problem(api.post(f"jobs/{wrong}/retry"), 404)
