"""What a session with sweeps, prompts, limits and options keeps, and what its machines are offered."""

import pytest

from agent.obt_agent import contract, wire
from benchmarks import sessions, suites
from benchmarks.documents import Result
from benchmarks.sessions import Target
from benchmarks.suites import FixedPrompt
from benchmarks.tests import world

LLAMA = world.MODELS[0]
TEXT = "Zwölf\nBoxkämpfer 🥊"


@pytest.fixture
def forge(database):
    return world.machine("forge")


def start(forge, **more):
    asked = {"cells": ["load", "tg128", "c4"], "budget": "quick", **more}
    return sessions.start([Target(str(forge.id), LLAMA)], "standard", asked.pop("budget"), "jo", **asked)


def offered(forge, **more):
    start(forge, **more)
    (offer,) = world.sync(forge).jobs
    return wire.decode(contract.JobOffer, wire.loads(wire.dumps(offer)))  # as the agent reads it


def test_swept_cells_are_offered_with_their_parameters(forge):
    cells = offered(forge, sweep={"num_thread": [4, 8]}).cells

    assert [(cell.name, cell.num_thread) for cell in cells] == [
        ("load", None),
        ("tg128[num_thread=4]", 4),
        ("c4[num_thread=4]", 4),
        ("tg128[num_thread=8]", 8),
        ("c4[num_thread=8]", 8),
    ]


def test_a_prompt_is_offered_with_its_exact_text_and_kept_once(forge):
    prompt = FixedPrompt("mine", TEXT, 64)

    session = start(forge, cells=[], prompts=[prompt], sweep={"num_gpu": [0, 32]})
    (offer,) = world.sync(forge).jobs

    assert [(cell.name, cell.text) for cell in offer.cells] == [
        ("prompt-mine/64[num_gpu=0]", TEXT),
        ("prompt-mine/64[num_gpu=32]", TEXT),
    ]
    assert session.prompts == [{"cell": "prompt-mine/64", "text": TEXT}]
    assert {cell["text"] for cell in session.cells} == {None}


def test_limits_are_offered_with_the_cells_they_are_for(forge):
    cells = offered(forge, slo={"ttft_ms": 500.0, "e2e_ms": 9000.0}).cells

    assert {cell.name: cell.slo for cell in cells} == {
        "load": None,
        "tg128": None,
        "c4": contract.Slo(ttft_ms=500.0, e2e_ms=9000.0),
    }


def test_options_are_offered_and_the_rest_stays_pinned(forge):
    options = offered(forge, options={"num_thread": 8, "seed": 7}).options

    assert options == contract.PinnedOptions(temperature=0.0, seed=7, repeat_penalty=1.0, num_thread=8)


def test_the_suites_version_is_offered_and_stays_with_the_result(forge):
    offer = world.running(forge, LLAMA, cells=["tg128"])
    result = world.deliver(forge, offer)

    assert offer.suite_version == sessions.find(offer.session).suite_version == suites.SUITE_VERSIONS["standard"]
    assert Result.objects.get(id=result.id).suite_version == "1"


def test_longer_budgets_offer_more_repetitions(forge):
    cells = {cell.name: cell.max_repetitions for cell in offered(forge, budget="standard").cells}

    assert cells == {"load": None, "tg128": 15, "c4": None}


def test_an_offer_that_is_repeated_is_the_same(forge):
    start(forge, cells=["tg128"], prompts=[FixedPrompt("mine", TEXT, 64)], options={"num_batch": 256})

    assert world.sync(forge).jobs == world.sync(forge).jobs


def test_a_job_says_what_it_took_by_its_agents_clock(forge):
    offer = world.running(forge, LLAMA, cells=["tg128"])
    world.deliver(forge, offer, world.body(offer, duration_s=37.5))

    assert sessions.find_job(offer.job).took_s == 37.5


def test_a_result_of_a_prompt_is_whole_and_known_by_its_text(forge):
    start(forge, cells=[], prompts=[FixedPrompt("mine", TEXT, 64)])
    (offer,) = world.sync(forge).jobs
    world.acknowledge(forge, offer)

    result = world.deliver(forge, offer)

    (cell,) = result.cells
    assert (cell["kind"], cell["valid"], cell["headline"]) == ("prompt", True, "ttft")
    assert len(cell["conditions"]["prompt_sha256"]) == 64
