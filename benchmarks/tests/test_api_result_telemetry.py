"""GET results/{id}/telemetry."""

from dataclasses import replace

import pytest

from agent.obt_agent import contract, wire
from agents.documents import Client
from benchmarks.telemetry import MOST_POINTS
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api, problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(database):
    return Api()


@pytest.fixture
def offer(database):
    return world.running(world.machine("forge"), world.MODELS[0])


def deliver(offer, body):
    return world.deliver(Client.objects(name="forge").first(), offer, body)


def test_it_gives_the_telemetry_as_the_agent_sent_it(api, offer):
    body = world.body(offer)
    result = deliver(offer, body)

    assert api.get(f"results/{result.id}/telemetry").json() == wire.encode(body.telemetry)


def test_a_reading_that_could_not_be_made_stays_null(api, offer):
    body = world.body(offer)
    series = replace(body.telemetry.series[0], values=[None, *body.telemetry.series[0].values[1:]])
    result = deliver(offer, replace(body, telemetry=replace(body.telemetry, series=[series])))

    (found,) = api.get(f"results/{result.id}/telemetry").json()["series"]

    assert found["values"][0] is None


def test_of_a_long_run_it_gives_a_selection_and_when_asked_all(api, offer):
    t_s = [round(0.2 * i, 4) for i in range(MOST_POINTS + 500)]
    long = contract.Telemetry(200, t_s, [contract.Series("cpu_percent", "%", [float(i % 90) for i in range(len(t_s))])])
    result = deliver(offer, replace(world.body(offer), telemetry=long))

    assert len(api.get(f"results/{result.id}/telemetry").json()["t_s"]) == MOST_POINTS
    assert api.get(f"results/{result.id}/telemetry?raw=true").json() == wire.encode(long)
    problem(api.get(f"results/{result.id}/telemetry?raw=yes"), 422)


def test_a_result_without_telemetry_says_so(api, offer):
    result = deliver(offer, replace(world.body(offer), telemetry=None))

    body = problem(api.get(f"results/{result.id}/telemetry"), 404)

    assert "no telemetry" in body["detail"]


def test_the_telemetry_of_a_result_that_is_not_there_is_not_found(api):
    problem(api.get("results/nothing/telemetry"), 404)
