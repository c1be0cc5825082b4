"""GET results/{id}/samples."""

from dataclasses import replace

import pytest

from agent.obt_agent import contract, wire
from benchmarks.documents import SampleBlock
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api, problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(database):
    return Api()


@pytest.fixture
def forge(database):
    return world.machine("forge")


def delivered(forge, cell="tg128", change=lambda samples: samples):
    """A result of one cell whose samples were changed before they were sent."""
    offer = world.running(forge, world.MODELS[0], cells=[cell])
    run = world.run_of(offer.cells[0])
    sent = replace(run, samples=change(run.samples))
    return world.deliver(forge, offer, world.body(offer, cells=[sent])), sent.samples


def test_it_gives_every_sample_as_ollama_sent_it_in_the_order_they_ran(api, forge):
    result, sent = delivered(forge)

    items = api.get(f"results/{result.id}/samples").json()["items"]

    assert [(item["index"], item["warmup"]) for item in items] == [(one.index, one.warmup) for one in sent]
    assert [item["raw"] for item in items] == [wire.encode(one.raw) for one in sent]
    assert [item["timing"] for item in items] == [wire.encode(one.timing) for one in sent]


def test_each_decode_rate_is_eval_count_minus_one_over_eval_duration(api, forge):
    result, _ = delivered(forge)

    for item in api.get(f"results/{result.id}/samples").json()["items"]:
        rate = item["metrics"]["decode_rate"]
        expected = (item["raw"]["eval_count"] - 1) / item["raw"]["eval_duration"] * 1e9
        assert rate == {"value": pytest.approx(expected), "unit": "tok/s"}


def test_the_formulas_of_its_metrics_come_with_it(api, forge):
    result, _ = delivered(forge)

    body = api.get(f"results/{result.id}/samples").json()

    assert set(body["formulas"]) == set(body["items"][0]["metrics"])
    assert "eval_duration" in body["formulas"]["decode_rate"]


def test_a_warm_up_is_there_and_does_not_count(api, forge):
    result, _ = delivered(forge)

    items = api.get(f"results/{result.id}/samples").json()["items"]

    assert [item["valid"] for item in items] == [False, True, True, True, True, True, True]


def test_a_metric_without_a_number_is_null_with_its_reason(api, forge):
    def without_duration(samples):
        return [*samples[:-1], replace(samples[-1], raw=replace(samples[-1].raw, eval_duration=None))]

    result, _ = delivered(forge, change=without_duration)

    last = api.get(f"results/{result.id}/samples").json()["items"][-1]

    assert last["metrics"]["decode_rate"] is None
    assert "eval_duration" in last["missing"]["decode_rate"]
    assert (last["valid"], last["flags"]) == (False, ["no_counters"])


def test_samples_are_judged_anew_and_not_as_the_agent_flagged_them(api, forge):
    def flagged(samples):
        return [*samples[:-1], replace(samples[-1], flags=["cache_hit"])]

    result, _ = delivered(forge, change=flagged)

    assert api.get(f"results/{result.id}/samples").json()["items"][-1]["flags"] == []


def test_a_sample_that_failed_has_its_error(api, forge):
    def broken(samples):
        raw, timing = contract.RawCounters(), contract.Timing(start_s=9.0)
        error = contract.SampleError("stalled", "Ollama sent nothing for 120 s.")
        return [*samples[:-1], replace(samples[-1], raw=raw, timing=timing, error=error)]

    result, _ = delivered(forge, change=broken)

    last = api.get(f"results/{result.id}/samples").json()["items"][-1]

    assert last["error"] == {"kind": "stalled", "message": "Ollama sent nothing for 120 s."}
    assert last["raw"]["eval_count"] is None
    assert [name for name, metric in last["metrics"].items() if metric is not None] == ["gpu_share"]
    assert "error" in last["flags"]


def test_all_cells_are_in_one_answer(api, forge):
    result = world.result(forge)

    items = api.get(f"results/{result.id}/samples").json()["items"]

    assert list(dict.fromkeys(item["cell"] for item in items)) == ["load", "pp512", "tg128", "chat512/128"]


def test_a_result_that_measured_nothing_has_no_samples(api, forge):
    offer = world.running(forge, world.MODELS[0])
    error = contract.JobError("refused", "Ollama refused the connection.")
    failed = replace(world.body(offer), outcome="failed", cells=[], environment=None, error=error)
    result = world.deliver(forge, offer, failed)

    assert SampleBlock.objects(result=result.id).count() == 0
    assert api.get(f"results/{result.id}/samples").json() == {"items": [], "next": None, "formulas": {}}


def test_the_samples_of_a_result_that_is_not_there_are_not_found(api):
    problem(api.get("results/nothing/samples"), 404)
