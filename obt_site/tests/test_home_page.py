"""/: what runs, what finished lately, what needs attention, and which machine is how fast."""

import re

import pytest

from agents import removal, verbs
from benchmarks import sessions
from benchmarks.tests import world
from obt_site.access import Role
from obt_site.tests.people import links, signed_in, tags, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def forge(database):
    return world.machine("forge")


def rows(page):
    """The names on the board, in order."""
    return [tag["href"] for tag in tags(page, "a") if tag.get("class") == "name" and "/results/" in tag["href"]]


def test_without_a_machine_it_teaches_the_first_step(database):
    page = signed_in(Role.ADMIN).get("/")

    assert "Measure your first machine" in words(page)
    assert "/machines/add" in links(page)


def test_with_a_machine_and_nothing_measured_it_teaches_the_next_step(forge):
    page = signed_in().get("/")

    assert "Measure your first model" in words(page)
    assert "1 machine, idle." in words(page)


def test_a_running_session_stands_there_with_its_machine(forge):
    offer = world.running(forge, *world.MODELS[:2])

    page = signed_in().get("/")

    assert f"/sessions/{offer.session}" in links(page)
    assert f"/machines/{forge.id}" in links(page)
    assert "0 of 2 jobs done" in words(page)


def test_machines_are_ranked_by_their_rate_with_interval_and_n(forge):
    atlas = world.machine("atlas")
    slow, fast = world.result(forge, rate=50.0), world.result(atlas, rate=100.0)

    page = signed_in().get("/")

    board = [href for href in rows(page) if href in (f"/results/{slow.id}", f"/results/{fast.id}")]
    assert board[:2] == [f"/results/{fast.id}", f"/results/{slow.id}"]
    assert "Higher is better." in words(page)
    assert "100.0–100.5" in words(page)


def test_a_machine_has_the_same_colour_as_among_the_results(forge):
    world.result(forge)
    world.result(world.machine("atlas"))
    browser = signed_in()
    bars = lambda page: re.findall(r'<svg class="ch (c\d)"', page.content.decode())  # noqa: E731

    home, results = bars(browser.get("/")), bars(browser.get("/results"))

    assert set(home) == set(results) == {"c1", "c2"}


def test_a_machine_without_a_result_is_named_and_gets_no_zero(forge):
    world.machine("atlas")
    world.result(forge)

    assert "No valid result: atlas ." in words(signed_in().get("/"))


def test_another_model_or_a_size_can_be_chosen(forge):
    world.result(forge, world.MODELS[0], rate=100.0)
    world.result(forge, world.MODELS[1], rate=40.0)
    browser = signed_in()

    by_model, by_size = words(browser.get("/", {"model": world.MODELS[1]})), words(browser.get("/", {"size": "5b"}))

    assert "Rate of qwen3:8b on each machine" in by_model
    assert "fastest model of 2B to 5B" in by_size
    assert "llama3.2:3b" in by_size


@pytest.mark.parametrize("query", ["?model=nothing", "?size=huge", "?size=' OR 1", "?stranger=1"])
def test_what_makes_no_sense_is_said_and_left_out(forge, query):
    world.result(forge)

    page = signed_in().get(f"/{query}")

    assert page.status_code == 200
    assert "Left out of this view." in words(page)


def test_real_results_stand_before_simulated_ones(forge):
    world.result(world.machine("sim", simulated=True), rate=321.0, simulated=True)
    before = words(signed_in(name="al").get("/"))
    world.result(forge, rate=100.0)

    after = words(signed_in().get("/"))

    assert "Measured on a simulator." in before
    assert "Measured on a simulator." not in after
    assert "321" not in after


def test_a_failed_session_needs_a_look_and_says_where(forge):
    offer = world.running(forge, world.MODELS[0])
    world.deliver(forge, offer, world.body(offer, outcome="failed", cells=[]))
    session = sessions.find_job(offer.job).session

    page = signed_in().get("/")

    assert "1 of 1 job failed" in words(page)
    assert f"/sessions/{session}" in links(page)


def test_one_name_with_two_digests_is_said(forge):
    atlas, _ = world.register("atlas")
    models = [world.model(world.MODELS[0], "another")]
    verbs.take_in(atlas, world.sync_request(models=models, models_hash="m", hostname="atlas"))
    atlas = verbs.find(str(atlas.id))
    world.result(forge)
    world.result(atlas)

    page = words(signed_in().get("/"))

    assert "llama3.2:3b was measured with different digests" in page


def test_a_removed_machine_is_on_no_board(forge):
    world.result(forge)
    world.result(world.machine("atlas"))
    removal.remove(forge, "ada")

    page = words(signed_in().get("/"))

    assert "1 machine, idle." in page


def test_the_part_that_asks_again_is_the_part_of_the_page(forge):
    world.result(forge)
    browser = signed_in()

    part = browser.get("/home/live").content.decode().strip()

    assert 'id="home-now"' in part
    assert "<html" not in part


def test_a_stranger_is_sent_to_sign_in(database):
    assert signed_in(None).get("/home/live").status_code == 403
