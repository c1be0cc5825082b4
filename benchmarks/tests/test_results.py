"""Storing results: once, whole, and never for a stale lease."""

from dataclasses import replace

import pytest

from agent.obt_agent import contract, wire
from benchmarks import results, sessions
from benchmarks.documents import LateResult, Result, SampleBlock, TelemetrySeries
from benchmarks.tests import world
from obt_site.errors import Conflict, NotFound


@pytest.fixture
def forge(database):
    return world.machine("forge")


def store(client, offer, body):
    return results.store(client, offer.job, body, wire.dumps(body))


def test_it_keeps_the_summary_and_the_bulky_parts_and_ends_the_job(forge):
    offer = world.running(forge, world.MODELS[0])

    result, created = store(forge, offer, world.body(offer))

    job = sessions.find_job(offer.job)
    assert created
    assert (job.state, job.result) == ("succeeded", result.id)
    assert [cell["cell"] for cell in result.cells] == ["load", "pp512", "tg128", "chat512/128"]
    assert SampleBlock.objects(result=result.id).count() == 4
    assert TelemetrySeries.objects(id=result.id).first().content["interval_ms"] == 200
    assert result.hardware_config == forge.hardware_config


def test_the_decode_rate_is_the_median_of_eval_count_minus_one_over_eval_duration(forge):
    offer = world.running(forge, world.MODELS[0])
    result, _ = store(forge, offer, world.body(offer, rate=100.0))

    decode = next(cell for cell in result.cells if cell["cell"] == "tg128")
    raw = [sample["raw"] for sample in SampleBlock.objects(cell="tg128").first().samples if not sample["warmup"]]
    rates = sorted((one["eval_count"] - 1) / one["eval_duration"] * 1e9 for one in raw)

    rate = decode["metrics"]["decode_rate"]
    assert rate["median"] == pytest.approx((rates[2] + rates[3]) / 2)
    assert (rate["low"], rate["high"]) == (pytest.approx(rates[0]), pytest.approx(rates[-1]))
    assert (rate["n"], rate["unit"], rate["interval"], decode["valid"]) == (6, "tok/s", True, True)


def test_the_same_body_again_gives_the_same_result(forge):
    offer = world.running(forge, world.MODELS[0])
    body = world.body(offer)

    first, _ = store(forge, offer, body)
    again, created = store(forge, offer, body)

    assert (again.id, created) == (first.id, False)
    assert Result.objects.count() == 1


def test_another_body_for_the_same_attempt_is_refused_and_kept_as_late(forge):
    offer = world.running(forge, world.MODELS[0])
    store(forge, offer, world.body(offer, rate=100.0))

    with pytest.raises(Conflict):
        store(forge, offer, world.body(offer, rate=200.0))

    assert Result.objects.count() == 1
    assert LateResult.objects.count() == 1


def test_a_result_under_a_stale_lease_is_refused_and_kept_as_late(forge):
    offer = world.running(forge, world.MODELS[0])
    stale = replace(offer, lease="0" * 32)

    with pytest.raises(Conflict):
        store(forge, stale, world.body(stale))

    assert Result.objects.count() == 0
    assert LateResult.objects.first().reason == "the job was running, attempt 1"
    assert sessions.find_job(offer.job).state == "running"


def test_another_machines_job_does_not_exist_for_this_one(forge):
    atlas = world.machine("atlas")
    offer = world.running(forge, world.MODELS[0])

    with pytest.raises(NotFound):
        store(atlas, offer, world.body(offer))

    assert Result.objects.count() == 0


def test_a_crash_between_result_and_job_is_finished_by_the_same_body(forge):
    offer = world.running(forge, world.MODELS[0])
    body = world.body(offer)
    job = sessions.find_job(offer.job)
    results._write(forge, job, body, results.hashlib.sha256(wire.dumps(body)).hexdigest(), f"{job.id}-1")
    assert sessions.find_job(offer.job).state == "running"

    _, created = store(forge, offer, body)

    assert not created
    assert sessions.find_job(offer.job).state == "succeeded"
    assert Result.objects.count() == 1


def test_a_failed_job_keeps_its_samples_and_its_sentence(forge):
    offer = world.running(forge, world.MODELS[0])
    error = contract.JobError("ollama_died", "Ollama closed the connection in the middle of the answer.")
    body = world.body(offer)
    body = replace(body, outcome="failed", error=error, cells=body.cells[:2])

    result, _ = store(forge, offer, body)

    job = sessions.find_job(offer.job)
    assert (job.state, job.error["kind"], job.not_before) == ("failed", "ollama_died", None)
    assert (result.outcome, len(result.cells)) == ("failed", 2)
    assert sessions.find(str(job.session)).state == "failed"


def test_a_lost_job_that_delivers_under_its_lease_succeeds(forge):
    from benchmarks import lifecycle

    offer = world.running(forge, world.MODELS[0])
    lifecycle.move(sessions.find_job(offer.job), lifecycle.State.LOST, lifecycle.Actor.SWEEPER)

    store(forge, offer, world.body(offer))

    assert sessions.find_job(offer.job).state == "succeeded"


def test_a_job_being_cancelled_ends_cancelled_whatever_its_agent_had_finished(forge):
    offer = world.running(forge, world.MODELS[0])
    sessions.cancel_job(sessions.find_job(offer.job))

    store(forge, offer, world.body(offer))

    assert sessions.find_job(offer.job).state == "cancelled"


def test_simulated_numbers_say_so(forge):
    offer = world.running(forge, world.MODELS[0])

    result, _ = store(forge, offer, world.body(offer, simulated=True))

    assert result.simulated is True
