"""A whole standard session: what each machine is offered, and every cell on the pages and in the API."""

from dataclasses import replace

import pytest

from agent.obt_agent import contract
from benchmarks import derive, sessions, suites
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api
from obt_site.access import Role
from obt_site.tests.people import signed_in, words

pytestmark = pytest.mark.django_db
STANDARD = suites.SUITES["standard"]
EMBEDS = "nomic:latest"


@pytest.fixture
def forge(database):
    machine = world.machine("forge")
    models = [world.model(world.MODELS[0]), world.model(EMBEDS, capabilities=["embedding"], context_length=2048)]
    world.verbs.take_in(machine, world.sync_request(models=models, models_hash="with one that embeds"))
    return machine


def start(forge, *models, cells=None):
    return sessions.start(
        [sessions.Target(str(forge.id), name) for name in models], "standard", "quick", "jo", cells=cells
    )


def next_offer(forge):
    (offer,) = world.sync(forge).jobs
    world.acknowledge(forge, offer)
    return offer


def finished(forge, model):
    start(forge, model)
    offer = next_offer(forge)
    return world.deliver(forge, offer)


def summary(spec, *changed, stopped=None):
    """The summary of a whole run of the cell with samples replaced by place."""
    samples = list(world.run_of(spec).samples)
    for place, sample in changed:
        samples[place] = sample
    (found,) = derive.cells([contract.CellRun(spec, [each for each in samples if each], stopped=stopped)])
    return found


def test_a_session_has_the_cells_of_its_models_and_each_job_its_own(forge):
    session = start(forge, world.MODELS[0], EMBEDS)

    assert [cell["name"] for cell in session.cells] == list(STANDARD)
    text = next_offer(forge)
    world.deliver(forge, text)
    vectors = next_offer(forge)
    assert [cell.name for cell in text.cells] == list(STANDARD[:-2])
    assert [cell.name for cell in vectors.cells] == ["load", "embed256x1", "embed256x32"]


def test_a_session_of_text_models_only_has_no_embedding_cells(forge):
    assert [cell["name"] for cell in start(forge, world.MODELS[0]).cells] == list(STANDARD[:-2])


def test_an_embedding_model_with_text_cells_alone_is_refused_at_its_target(forge):
    body = {"targets": [{"client": str(forge.id), "model": EMBEDS}], "cells": ["tg128"]}

    problem = Api(Role.OPERATOR).post("sessions", body).json()

    assert [error["field"] for error in problem["errors"]] == ["targets.0.model"]
    assert "only embeds" in problem["detail"]


def test_every_cell_has_its_number_on_the_result_page(forge):
    result = finished(forge, world.MODELS[0])
    browser = signed_in()

    pages = {cell: browser.get(f"/results/{result.id}", {"cell": cell}) for cell in STANDARD[:-2]}

    assert result.valid
    assert [page.status_code for page in pages.values()] == [200] * 13
    assert all(cell in words(page) for cell, page in pages.items())


def test_a_concurrency_cell_shows_rounds_and_every_request_of_them(forge):
    result = finished(forge, world.MODELS[0])

    page = words(signed_in().get(f"/results/{result.id}", {"cell": "c4"}))

    assert "Output throughput" in page
    assert "Observed parallelism" in page
    assert "1.4" in page
    assert "speed-up" not in page.lower()


def test_an_embedding_models_result_is_whole_and_stands_in_the_matrix(forge):
    result = finished(forge, EMBEDS)

    browser = signed_in()
    page = words(browser.get(f"/results/{result.id}", {"cell": "embed256x32"}))

    assert result.valid
    assert "items/s" in page
    assert browser.get(f"/sessions/{result.session}").status_code == 200
    assert f"/results/{result.id}" in browser.get(f"/machines/{forge.id}").content.decode()
    for address in ("/models", "/fleet", "/results", "/sessions"):
        assert browser.get(address).status_code == 200


def test_the_session_page_has_a_column_for_each_cell_and_says_what_is_not_for_a_model(forge):
    session = start(forge, world.MODELS[0], EMBEDS)
    for _ in range(2):
        world.deliver(forge, next_offer(forge))

    page = signed_in().get(f"/sessions/{session.id}")

    assert page.status_code == 200
    assert "not measured on this model" in page.content.decode()


def test_the_api_gives_each_request_its_slot(forge):
    result = finished(forge, world.MODELS[0])

    items = Api(Role.VIEWER).get(f"results/{result.id}/samples").json()["items"]

    assert [item["slot"] for item in items if item["cell"] == "c2" and not item["warmup"]] == [0, 1] * 3
    assert {item["slot"] for item in items if item["cell"] == "tg128"} == {None}


# -- a round is one value ----------------------------------------------------------------------------------------------


def test_a_round_is_one_value_however_many_requests_it_has():
    found = summary(suites.cell("c4"))

    assert (found["n"], found["planned"], found["warmups"], found["left_out"], found["valid"]) == (3, 3, 1, 0, True)
    assert {metric["n"] for metric in found["metrics"].values()} == {3}
    assert found["headline"] == "output_throughput"
    assert found["metrics"]["observed_parallelism"]["median"] == 4


def test_a_round_with_one_bad_request_does_not_count():
    spec = suites.cell("c4")
    bad = world.sample(spec, 1, slot=2)

    found = summary(spec, (4 + 4 + 2, replace(bad, raw=replace(bad.raw, done_reason="stop"))))

    assert (found["n"], found["left_out"], found["flags"], found["valid"]) == (2, 1, {"wrong_length": 1}, False)


def test_a_round_that_was_cut_off_does_not_count():
    found = summary(suites.cell("c2"), (7, None))

    assert (found["n"], found["left_out"]) == (2, 1)


def test_one_request_has_no_spread_and_says_so():
    assert summary(suites.cell("c1"))["missing"]["ttft_spread"] == "one request has no spread"


def test_a_cell_that_the_budget_left_at_three_is_valid_with_three_and_one_that_failed_is_not():
    spec = suites.cell("tg128")
    gone = [(place, None) for place in (4, 5, 6)]

    assert summary(spec, *gone, stopped="budget: shortened to 3 of 6 repetitions")["valid"]
    assert not summary(spec, *gone, stopped="stopped after 3 samples in a row that do not count")["valid"]


def test_an_embedding_cell_has_texts_and_tokens_per_second_by_the_wall_clock():
    spec = suites.cell("embed256x32")
    run = world.run_of(spec)
    e2e = sorted(sample.timing.e2e_ns for sample in run.samples if not sample.warmup)

    (found,) = derive.cells([run])

    assert found["metrics"]["item_rate"]["maximum"] == pytest.approx(32 / e2e[0] * 1e9)
    assert found["metrics"]["input_token_rate"]["minimum"] == pytest.approx(32 * 256 / e2e[-1] * 1e9)
    assert "decode_rate" not in found["metrics"]
