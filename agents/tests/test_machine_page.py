"""/machines/<id>: one machine, its name, and whether it gets work."""

import pytest

from agents import verbs
from benchmarks import sessions
from benchmarks.tests import world
from obt_site.access import Role
from obt_site.tests.people import by_id, links, signed_in, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def forge(database):
    return world.machine("forge")


def address(machine, tail=""):
    return f"/machines/{machine.id}{tail}"


def test_it_shows_state_hardware_models_and_the_last_reading(forge):
    page = words(signed_in().get(address(forge)))

    facts = ["It is well and waits for work.", "NVIDIA GeForce RTX 4090, 24 GB", "AMD Ryzen 9 7950X", "Ubuntu 24.04"]
    facts += ["llama3.2 :3b", "312 W", "0.24.0", "Digest"]
    assert [fact for fact in facts if fact not in page] == []


def test_a_model_leads_to_its_result_or_to_measuring_it(forge):
    result = world.result(forge, world.MODELS[0])

    page = signed_in().get(address(forge))

    assert f"/results/{result.id}" in links(page)
    assert f"/history?model=llama3.2%3A3b&client={forge.id}" in links(page)
    assert f"/sessions/new?pick={forge.id}%3Aqwen3%3A8b" in links(page)


def test_a_model_that_cannot_be_measured_says_why(forge):
    models = [world.model("sees:1b", capabilities=["vision"])]
    verbs.take_in(forge, world.sync_request(models=models, models_hash="other"))

    assert "neither generates text nor embeds" in words(signed_in().get(address(forge)))


def test_its_open_jobs_lead_to_their_session(forge):
    session = world.session(forge)

    page = signed_in().get(address(forge))

    assert f"/sessions/{session.id}" in links(page)
    assert "2 not ended" in words(page)


def test_a_machine_that_does_not_exist_is_a_page_that_leads_on(forge):
    page = signed_in().get("/machines/nonsense")

    assert page.status_code == 404
    assert "There is no such machine." in words(page)
    assert "/fleet" in links(page)


def test_an_administrator_renames_it(forge):
    browser = signed_in(Role.ADMIN)

    page = browser.post(address(forge, "/rename"), {"name": " anvil "}, follow=True)

    assert verbs.find(str(forge.id)).name == "anvil"
    assert "It is called “anvil” now." in words(page)


def test_a_taken_name_is_said_beside_the_field_and_stays_typed(forge):
    world.machine("atlas")

    page = signed_in(Role.ADMIN).post(address(forge, "/rename"), {"name": "atlas"})

    assert page.status_code == 409
    assert by_id(page, "machine-name")["value"] == "atlas"
    assert "already called" in words(page)
    assert verbs.find(str(forge.id)).name == "forge"


def test_an_empty_name_is_refused(forge):
    page = signed_in(Role.ADMIN).post(address(forge, "/rename"), {"name": "  "})

    assert page.status_code == 422
    assert by_id(page, "machine-name-e") is not None


def test_a_paused_machine_gets_no_job_until_it_is_resumed(forge):
    browser = signed_in(Role.ADMIN)
    world.session(forge, world.MODELS[0])

    page = browser.post(address(forge, "/pause"), {"paused": "1"}, follow=True)
    while_paused = world.sync(verbs.find(str(forge.id))).jobs
    browser.post(address(forge, "/pause"), {"paused": "0"})

    assert "is paused" in words(page)
    assert while_paused == []
    assert len(world.sync(verbs.find(str(forge.id))).jobs) == 1


@pytest.mark.parametrize("tail", ["/rename", "/pause"])
def test_only_an_administrator_manages_machines(forge, tail):
    answer = signed_in(Role.OPERATOR).post(address(forge, tail), {"name": "x", "paused": "1"})

    assert answer.status_code == 403
    assert (verbs.find(str(forge.id)).name, verbs.find(str(forge.id)).paused) == ("forge", False)


def test_buttons_are_shown_only_to_those_who_may(forge):
    viewer, admin = signed_in(Role.VIEWER, "vi"), signed_in(Role.ADMIN, "ada")

    assert "Rename" not in words(viewer.get(address(forge)))
    assert "Measure" not in words(viewer.get(address(forge)))
    assert {"Rename", "Pause"} <= set(words(admin.get(address(forge))).split())


def test_results_of_every_outcome_are_listed_with_their_words(forge):
    offer = world.running(forge, world.MODELS[0])
    world.deliver(forge, offer, world.body(offer, outcome="failed", cells=[]))

    page = words(signed_in().get(address(forge)))

    assert sessions.find_job(offer.job).state == "failed"
    assert "no number" in page
    assert "Failed" in page
