"""/sessions/new?again=…: a session's form as it was asked for, with what has changed since said."""

import pytest

from agents import verbs
from agents.documents import Client as Machine
from benchmarks import sessions, suites
from benchmarks.presenters.session_again import again
from benchmarks.suites import FixedPrompt
from benchmarks.tests import world
from obt_site.access import Role
from obt_site.tests.people import by_id, links, signed_in, tags, words

pytestmark = pytest.mark.django_db

ADDRESS = "/sessions/new"
LLAMA, QWEN, _ = world.MODELS


@pytest.fixture
def forge(database):
    return world.machine("forge")


def start(machine, *models, **asked):
    targets = [sessions.Target(str(machine.id), name) for name in models or (LLAMA,)]
    return sessions.start(targets, "standard", asked.pop("budget", "quick"), "jo", **asked)


def cells(session):
    return {cell["name"] for cell in session.cells}


def repeated(session, browser=None):
    """What starting the form as it is shown makes of it, without touching anything."""
    browser = browser or signed_in()
    page = browser.get(ADDRESS, {"again": str(session.id)})
    sent = {"do": "start"}
    for tag in [*tags(page, "input"), *tags(page, "textarea")]:
        chosen = tag.get("type") not in ("checkbox", "radio") or "checked" in tag
        if chosen and tag.get("name") and tag["name"] != "csrfmiddlewaretoken":
            sent.setdefault(tag["name"], []).append(tag.get("value", ""))
    form = again(session).form
    sent |= {name: form.text(name) for name in form.more if name.startswith("prompt_text")}
    answer = browser.post(ADDRESS, sent | {"note": form.note})
    assert answer.status_code == 302, words(answer)
    return sessions.find(answer.url.rpartition("/")[2])


def test_the_same_models_machines_cells_and_budget_are_asked_for_again(forge):
    first = start(forge, LLAMA, QWEN, cells=["load", "tg128", "tg64@1024"], budget="standard", note="why")

    second = repeated(first)

    assert [(job.client, job.model) for job in sessions.jobs_of(second)] == [
        (job.client, job.model) for job in sessions.jobs_of(first)
    ]
    assert (cells(second), second.budget, second.name) == (cells(first), "standard", first.name)
    assert second.note == f"why\nRun again of session #{first.number}."


def test_a_sweep_prompts_limits_and_options_come_back(forge):
    first = start(
        forge,
        cells=["tg128", "c1"],
        sweep={"num_thread": [4, 8]},
        prompts=[FixedPrompt("My haiku", "Why?\nBecause.", 64), FixedPrompt("two", "And?", 32)],
        slo={"ttft_ms": 500.0},
        options={"seed": 7, "temperature": 0.5},
    )

    second = repeated(first)

    assert second.cells == first.cells
    assert sorted(second.prompts, key=str) == sorted(first.prompts, key=str)
    assert second.options == first.options


def test_cells_with_parameters_of_their_own_come_back_by_name(forge):
    first = start(forge, cells=["pp256[num_gpu=0,num_batch=64]", "tg128", "tg64[num_thread=4]"])

    assert cells(repeated(first)) == cells(first)


def test_what_is_gone_is_left_out_and_said(forge):
    atlas = world.machine("atlas")
    first = sessions.start(
        [sessions.Target(str(forge.id), LLAMA), sessions.Target(str(atlas.id), LLAMA)], "standard", "quick", "jo"
    )
    verbs.take_in(forge, world.sync_request(models=[world.model(QWEN)], models_hash="less"))
    Machine.objects(id=atlas.id).delete()

    page = signed_in().get(ADDRESS, {"again": str(first.id)})

    assert f"{LLAMA} on forge: it is no longer installed." in words(page)
    assert f"{LLAMA} on atlas: the machine is gone." in words(page)
    assert [tag for tag in tags(page, "input") if tag.get("name") == "pick" and "checked" in tag] == []


def test_another_digest_than_then_is_said(forge):
    first = start(forge)
    verbs.take_in(forge, world.sync_request(models=[world.model(LLAMA, digest="newer")], models_hash="newer"))

    page = words(signed_in().get(ADDRESS, {"again": str(first.id)}))

    assert f"{LLAMA} on forge has another digest than then: the numbers will not compare." in page


def test_it_names_the_session_and_starts_nothing_by_itself(forge):
    first = start(forge)

    page = signed_in().get(ADDRESS, {"again": str(first.id)})

    assert f"/sessions/{first.id}" in links(page)
    assert by_id(page, "name")["value"] == first.name
    assert sessions.Session.objects.count() == 1


@pytest.mark.parametrize(
    ("value", "sentence"), [("x", "“x” is no id."), ("507f1f77bcf86cd799439011", "is no session.")]
)
def test_a_session_that_is_not_there_is_said(forge, value, sentence):
    page = signed_in().get(ADDRESS, {"again": value})

    assert page.status_code == 200
    assert sentence in words(page)


def test_a_finished_session_leads_here_for_those_who_may_start(forge):
    result = world.result(forge)
    address = f"/sessions/{result.session}"

    assert f"/sessions/new?again={result.session}" in links(signed_in().get(address))
    assert f"/sessions/new?again={result.session}" not in links(signed_in(Role.VIEWER, "reader").get(address))


def test_a_swept_prompt_beside_cells_that_were_not_swept_is_said_to_be_left_out(forge):
    first = start(forge, cells=["tg128"], prompts=[FixedPrompt("p", "Why?", 64)], sweep={"num_thread": [4]})
    first.cells = [*first.cells, {**first.cells[0], "name": "tg64"}]
    first.save()

    told = again(first)

    assert told.gone == [
        "prompt-p/64[num_thread=4]: a sweep of a prompt can only be asked for together with all other cells."
    ]
    assert suites.plan("standard", "quick", [*told.form.cells, *told.form.other_cells]).cells
