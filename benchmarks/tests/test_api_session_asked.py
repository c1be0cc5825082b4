"""POST sessions with sweeps, prompts, limits and options."""

import json

import pytest

from benchmarks.documents import Job, Session
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api, problem
from obt_site.access import Role

pytestmark = pytest.mark.django_db
MODEL = world.MODELS[0]
PROMPT = {"name": "mine", "text": "Why is the sky blue?", "output_tokens": 64}


@pytest.fixture
def forge(database):
    return world.machine("forge")


@pytest.fixture
def operator(database):
    return Api(Role.OPERATOR)


def wanted(forge, **more):
    return {"targets": [{"client": str(forge.id), "model": MODEL}], "budget": "quick", "cells": ["tg128", "c4"], **more}


def test_the_session_tells_what_was_asked(operator, forge):
    asked = {"slo": {"ttft_ms": 500}, "options": {"seed": 7, "temperature": 0.5}, "sweep": {"num_thread": [4, 8]}}

    response = operator.post("sessions", wanted(forge, prompts=[PROMPT], **asked))

    body = response.json()
    assert response.status_code == 201, body
    assert body["cells"] == [
        "tg128[num_thread=4]", "c4[num_thread=4]", "prompt-mine/64[num_thread=4]",
        "tg128[num_thread=8]", "c4[num_thread=8]", "prompt-mine/64[num_thread=8]",
    ]  # fmt: skip
    assert body["slo"] == {"ttft_ms": 500.0, "itl_ms": None, "e2e_ms": None}
    assert body["options"] == {"seed": 7.0, "temperature": 0.5}
    assert body["prompts"] == [{"cell": "prompt-mine/64", "text": PROMPT["text"]}]
    assert body["suite_version"] == "1"
    assert operator.get(f"sessions/{body['id']}").json() == body
    assert operator.get("sessions").json()["items"][0]["prompts"] == [{"cell": "prompt-mine/64", "text": None}]


def test_a_text_keeps_its_exact_characters(operator, forge):
    text = " \t“Zwölf” 🥊\r\n\u200bend "

    operator.post("sessions", wanted(forge, prompts=[{**PROMPT, "text": text}]))

    (offer,) = world.sync(forge).jobs
    assert offer.cells[-1].text == text


def test_jobs_tell_what_was_expected_and_what_they_took(operator, forge):
    world.result(forge)
    body = operator.post("sessions", wanted(forge, cells=["pp512", "tg128"])).json()
    (offer,) = world.sync(forge).jobs
    world.acknowledge(forge, offer)

    running = operator.get(f"jobs/{offer.job}").json()
    world.deliver(forge, offer)
    done = operator.get(f"jobs/{offer.job}").json()

    assert body["expected_s"] == body["jobs"][0]["expected_s"] > 0
    assert running["expected_from"].startswith("from its result of 20")
    assert (running["took_s"], done["took_s"]) == (None, 42.0)


BAD = [
    ({"cells": ["tg128[threads=4]"]}, "cells.0", "unknown parameter “threads”"),
    ({"cells": ["tg128[num_ctx=128]"]}, "cells.0", "its 160 tokens need 183 or more"),
    ({"cells": ["tg128[num_ctx=999999]"]}, "cells.0", "the chosen models have at most 131072"),
    ({"cells": ["x" * 121]}, "cells.0", "has more than 120 characters"),
    ({"cells": ["warp9"]}, "cells.0", "Cells are load, ppN"),
    ({"sweep": {"num_ctx": [262_144]}}, "sweep.num_ctx.0", "the chosen models have at most 131072"),
    ({"sweep": {"threads": [4]}}, "sweep.threads", "is not a field of this call"),
    ({"sweep": {"num_thread": "4"}}, "sweep.num_thread", "must be a list"),
    ({"sweep": {"num_thread": [4.5]}}, "sweep.num_thread.0", "must be a whole number"),
    ({"sweep": {"num_thread": ["4"]}}, "sweep.num_thread.0", "must be a whole number"),
    ({"sweep": {"num_thread": [True]}}, "sweep.num_thread.0", "must be a whole number"),
    ({"sweep": {"num_thread": [0]}}, "sweep.num_thread.0", "it can be 1 to 1024"),
    ({"sweep": {"num_thread": [10**300]}}, "sweep.num_thread.0", "it can be 1 to 1024"),
    ({"sweep": {"num_thread": list(range(1, 21)), "num_batch": [1, 2]}}, "sweep", "a session has at most 50"),
    ({"prompts": [{**PROMPT, "text": ""}]}, "prompts.0.text", "The text is empty."),
    ({"prompts": [{**PROMPT, "text": "x" * 50_001}]}, "prompts.0.text", "at most 50000"),
    ({"prompts": [{**PROMPT, "text": "\x00"}]}, "prompts.0.text", "control character"),
    ({"prompts": [{**PROMPT, "text": 7}]}, "prompts.0.text", "must be a string"),
    ({"prompts": [{**PROMPT, "name": "a\nb"}]}, "prompts.0.name", "not text on one line"),
    ({"prompts": [PROMPT, PROMPT]}, "prompts.1.name", "already"),
    ({"prompts": [{**PROMPT, "output_tokens": 0}]}, "prompts.0.output_tokens", "it can be 2 to 16384"),
    ({"prompts": [{"name": "a"}]}, "prompts.0.text", "is required"),
    ({"prompts": [PROMPT] * 11}, "prompts", "has more than 10 items"),
    ({"slo": {"ttft_ms": 0}}, "slo.ttft_ms", "more than 0"),
    ({"slo": {"ttft_ms": -1.5}}, "slo.ttft_ms", "more than 0"),
    ({"slo": {"ttft_ms": "500"}}, "slo.ttft_ms", "number"),
    ({"slo": {"ttft_ms": 500}, "cells": ["tg128"]}, "slo.ttft_ms", "requests at a time"),
    ({"options": {"seed": -1}}, "options.seed", "it can be 0"),
    ({"options": {"num_ctx": 4096}}, "options.num_ctx", "is not a field of this call"),
    ({"options": {"temperature": 3}}, "options.temperature", "it can be 0 to 2"),
]


@pytest.mark.parametrize(("extra", "field", "words"), BAD, ids=range(len(BAD)))
def test_it_refuses_what_cannot_be_and_names_the_field(operator, forge, extra, field, words):
    body = problem(operator.post("sessions", wanted(forge, **extra)), 422, field)

    assert words in next(error["message"] for error in body["errors"] if error["field"] == field)
    assert Session.objects.count() == Job.objects.count() == 0


def test_half_a_character_is_refused_wherever_it_stands(operator, forge):
    raw = json.dumps(wanted(forge, prompts=[{**PROMPT, "text": "half \ud83d"}])).encode()

    response = operator.post("sessions", raw)

    assert response.status_code in (400, 422)
    assert problem(response, response.status_code)["detail"]
    assert Session.objects.count() == 0


def test_a_budget_known_to_be_too_small_is_refused_at_its_target_with_numbers(operator, forge):
    offer = world.running(forge, MODEL, cells=["pp512", "tg128"])
    slow = [world.replace(run, took_s=700.0) for run in world.body(offer).cells]
    world.deliver(forge, offer, world.body(offer, cells=slow))

    body = problem(operator.post("sessions", wanted(forge, cells=["pp512", "tg128"])), 422, "targets.0.model")

    assert "need about 800 s" in body["detail"]
    assert "the quick budget is 180 s" in body["detail"]
