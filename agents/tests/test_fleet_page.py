"""/fleet: every machine, what it does, and what needs a look."""

from datetime import timedelta

import pytest

from agent.obt_agent import contract
from agents import verbs
from agents.documents import Client as Machine
from benchmarks.tests import world
from obt_site.access import Role
from obt_site.clock import now
from obt_site.tests.people import links, signed_in, words

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _database(database):
    """The pages read the real database."""


def test_without_a_machine_it_teaches_the_first_step():
    page = signed_in(Role.ADMIN).get("/fleet")

    assert "Measure your first machine" in words(page)
    assert "How to read a number" in words(page)
    assert "/machines/add" in links(page)


def test_who_may_not_add_machines_is_told_who_can():
    page = signed_in(Role.OPERATOR).get("/fleet")

    assert "An administrator of this OBT can do that." in words(page)
    assert "/machines/add" not in links(page)


def test_one_idle_machine_without_results_leads_to_its_models():
    forge = world.machine("forge")

    page = signed_in().get("/fleet")

    assert "1 machine, idle." in words(page)
    assert "RTX 4090" in words(page)
    assert "Measure your first model" in words(page)
    assert {f"/machines/{forge.id}", "/models"} <= set(links(page))


def test_a_machine_without_models_says_how_to_get_one():
    world.machine("forge", models=[])

    assert "ollama pull" in words(signed_in().get("/fleet"))


def test_a_running_job_is_shown_with_its_session_and_cell():
    forge = world.machine("forge")
    offer = world.running(forge, *world.MODELS[:2])
    world.report(forge, offer, contract.Event(seq=2, kind="cell", elapsed_s=1.0, cell="tg128", of=6))

    page = signed_in().get("/fleet")

    assert "Benchmarking" in words(page)
    assert "#1 tg128 , sample 1 of 6 , 1 waiting" in words(page)
    assert f"/sessions/{offer.session}" in links(page)


def test_the_latest_valid_decode_rate_stands_with_its_interval():
    world.result(world.machine("forge"), rate=100.0)

    page = words(signed_in().get("/fleet"))

    assert "100.2 tok/s 100.0–100.5" in page
    assert "median and 95 % interval" in page


def test_simulated_results_step_back_once_a_real_one_exists():
    world.result(world.machine("sim", simulated=True), rate=321.0, simulated=True)
    before = words(signed_in().get("/fleet"))

    world.result(world.machine("forge"), rate=100.0)
    after = words(signed_in(name="al").get("/fleet"))

    assert "321" in before
    assert "321" not in after
    assert "100.2" in after


def test_an_offline_machine_says_since_when_and_shows_no_old_reading():
    forge = world.machine("forge")
    world.session(forge)
    Machine.objects(id=forge.id).update_one(set__last_seen_at=now() - timedelta(hours=3))

    page = words(signed_in().get("/fleet"))

    assert "Offline" in page
    assert "forge: Its agent stopped reporting since" in page
    assert "2 jobs wait for it." in page
    assert "312" not in page


def test_a_machine_whose_ollama_is_away_says_the_sentence_of_its_agent():
    forge = world.machine("forge")
    away = contract.OllamaState("http://127.0.0.1:11434", False, problem="refused", message="Ollama refused it")
    verbs.take_in(forge, world.sync_request(ollama=away))

    page = words(signed_in().get("/fleet"))

    assert "Needs a look" in page
    assert "forge: Ollama refused it since" in page


def test_a_missing_reading_is_a_dash_with_its_reason_and_never_zero():
    forge = world.machine("forge")
    blind = contract.HostReading(missing={"cpu_percent": "psutil is missing"})
    verbs.take_in(forge, world.sync_request(reading=blind))

    page = signed_in().get("/fleet").content.decode()

    assert 'title="psutil is missing">—' in page


def test_show_narrows_to_those_that_are_there_or_offline():
    world.machine("forge")
    atlas = world.machine("atlas")
    Machine.objects(id=atlas.id).update_one(set__last_seen_at=now() - timedelta(hours=3))
    browser = signed_in()

    online, offline = words(browser.get("/fleet?show=online")), words(browser.get("/fleet?show=offline"))

    assert "RTX 4090" in online
    assert "Last seen" not in online
    assert "Last seen" in offline
    wrong = words(browser.get("/fleet?show=' OR 1"))
    assert "“show”: “' OR 1” is none of all, online" in wrong
    assert "RTX 4090" in wrong


def test_the_live_address_gives_the_same_parts_as_the_page():
    world.machine("forge")
    browser = signed_in()

    page, parts = browser.get("/fleet").content.decode(), browser.get("/fleet/live").json()["html"]

    assert set(parts) == {"fleet-head", "fleet-show", "fleet-body", "work"}
    assert parts["fleet-body"].strip() in page
    assert parts["fleet-head"].strip() in page


def test_a_stranger_sees_nothing():
    answer = signed_in(None).get("/fleet/live")

    assert answer.status_code == 403
