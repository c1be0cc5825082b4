"""/models/estimate: how many jobs a selection is and how long it takes, followed while boxes are ticked."""

import pytest

from agents import verbs
from benchmarks import sessions
from benchmarks.tests import world
from benchmarks.tests.new_session import pick
from obt_site.access import Role
from obt_site.tests.people import by_id, signed_in, tags, words

pytestmark = pytest.mark.django_db

ADDRESS = "/models/estimate"
LLAMA = world.MODELS[0]


@pytest.fixture
def forge(database):
    return world.machine("forge")


def test_before_any_result_it_says_the_most_that_the_budget_allows(forge):
    page = signed_in().post(ADDRESS, {"pick": [pick(forge), pick(forge, "qwen3:8b")], "budget": "standard"})

    assert by_id(page, "estimate") is not None
    assert "At most 30 min" in words(page)
    assert "time not known yet" in words(page)


def test_after_a_result_it_says_when_it_would_be_done(forge):
    offer = world.running(forge, LLAMA, cells=list(sessions.suites.SUITES["standard"]))
    world.deliver(forge, offer)

    page = words(signed_in().post(ADDRESS, {"pick": pick(forge), "budget": "standard"}))

    assert "Done about" in page
    assert "forge" in page


def test_everything_that_matches_is_told_machine_by_machine(forge):
    world.machine("atlas", models=["qwen3:8b"])

    page = words(signed_in().post(ADDRESS, {"match": "?q=qwen3", "budget": "quick"}))

    assert "forge" in page
    assert "atlas" in page
    assert "At most 3 min" in page


def test_of_many_machines_the_longest_are_named_and_the_others_counted(database):
    for i in range(6):
        world.machine(f"m{i}")

    page = words(signed_in().post(ADDRESS, {"match": "?", "budget": "quick"}))

    assert "and 2 machines that take no longer" in page


@pytest.mark.parametrize(
    "sent", [{}, {"pick": "nonsense"}, {"pick": ":"}, {"match": "?client=x&size=y"}, {"budget": "z"}]
)
def test_nonsense_is_no_error(forge, sent):
    assert signed_in().post(ADDRESS, sent).status_code == 200


def test_what_is_gone_is_counted(forge):
    assert "1 no longer installed" in words(signed_in().post(ADDRESS, {"pick": pick(forge, "gone:1b")}))


def test_a_viewer_and_a_get_are_refused(forge):
    assert signed_in(Role.VIEWER).post(ADDRESS, {}).status_code == 403
    assert signed_in(name="op").get(ADDRESS).status_code == 405


def test_everything_that_matches_can_be_planned_and_started(forge):
    models = [world.model(f"m{i:03}:1b") for i in range(120)]
    verbs.take_in(forge, world.sync_request(models=models, models_hash="many"))
    browser = signed_in()

    page = browser.post("/sessions/new", {"do": "plan", "match": "?q=m0", "budget": "quick"})
    started = browser.post("/sessions/new", {"do": "start", "match": "?q=m00", "budget": "quick", "cells": ["tg128"]})

    shown = browser.get(page.url) if page.status_code == 302 else page
    ticked = [tag for tag in tags(shown, "input") if tag.get("name") == "pick" and "checked" in tag]
    assert len(ticked) == 100
    assert len(sessions.jobs_of(sessions.find(started.url.rpartition("/")[2]))) == 10
