"""/sessions/new: what was chosen, per machine, with warnings; and starting it."""

from datetime import timedelta

import pytest

from agents import verbs
from agents.documents import Client as Machine
from benchmarks import sessions
from benchmarks.documents import Job, Session
from benchmarks.presenters.planning import MODELS_LISTED
from benchmarks.tests import world
from benchmarks.tests.new_session import ADDRESS, pick
from obt_site.access import Role
from obt_site.clock import now
from obt_site.tests.people import by_id, links, signed_in, tags, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def forge(database):
    return world.machine("forge")


def ticked(page, name="pick"):
    return [tag["value"] for tag in tags(page, "input") if tag.get("name") == name and "checked" in tag]


def test_a_selection_in_the_address_is_ticked_and_planned(forge):
    page = signed_in().get(ADDRESS, {"pick": [pick(forge), pick(forge, "qwen3:8b")], "budget": "standard"})

    assert set(ticked(page)) == {pick(forge), pick(forge, "qwen3:8b")}
    assert "2 jobs: 2 models on 1 machine" in words(page)
    assert "at most 30 min" in words(page)


def test_without_a_selection_models_can_be_ticked_here(forge):
    page = signed_in().get(ADDRESS)

    assert ticked(page) == []
    assert pick(forge) in [tag["value"] for tag in tags(page, "input") if tag.get("name") == "pick"]
    assert "Tick at least one model." in words(page)


def test_start_queues_the_jobs_and_leads_to_the_session(forge):
    chosen = {"pick": [pick(forge)], "budget": "quick", "cells": ["load", "tg128"]}

    answer = signed_in().post(ADDRESS, {"do": "start", "name": "Mine", "note": "why", **chosen})

    session = Session.objects.get()
    assert answer.url == f"/sessions/{session.id}"
    assert (session.name, session.note, session.created_by, session.budget) == ("Mine", "why", "jo", "quick")
    assert [cell["name"] for cell in session.cells] == ["load", "tg128"]
    assert [job.model for job in sessions.jobs_of(session)] == [world.MODELS[0]]


def test_a_selection_of_the_models_page_comes_into_the_address(forge):
    answer = signed_in().post(ADDRESS, {"do": "plan", "pick": [pick(forge)], "budget": "full"})

    assert answer.status_code == 302
    assert f"pick={forge.id}%3Allama3.2%3A3b" in answer.url
    assert "budget=full" in answer.url


def test_a_selection_too_long_for_an_address_stays_in_the_form(forge):
    picks = [pick(forge, f"model-{i}-{'x' * 60}") for i in range(100)]

    page = signed_in().post(ADDRESS, {"do": "plan", "pick": picks})

    assert page.status_code == 200
    assert len(ticked(page)) == 100


def test_a_model_that_is_gone_is_said_beside_it_and_everything_typed_stays(forge):
    picks = [pick(forge), pick(forge, "gone:1b")]

    page = signed_in().post(ADDRESS, {"do": "start", "pick": picks, "budget": "full", "name": "Mine", "note": "why"})

    assert page.status_code == 422
    assert "has no model “gone:1b”" in words(page)
    assert set(ticked(page)) == set(picks)
    assert ticked(page, "budget") == ["full"]
    assert by_id(page, "name")["value"] == "Mine"
    assert "why" in words(page)
    assert Session.objects.count() == 0


def test_nothing_ticked_is_said_and_starts_nothing(forge):
    page = signed_in().post(ADDRESS, {"do": "start"})

    assert page.status_code == 422
    assert "Choose at least one model" in words(page)
    assert Job.objects.count() == 0


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("budget", "endless", "A budget is one of"),
        ("cells", "warp9", "There is no cell"),
        ("cells", "tg99999999", "99999999 output tokens; it can be 2 to 16384."),
        ("name", "x" * 121, "at most 120 characters"),
        ("note", "x" * 2001, "a note 2000"),
        ("suite", "mine", "There is no suite"),
    ],
)
def test_a_wrong_field_is_said_beside_it(forge, field, value, sentence):
    page = signed_in().post(ADDRESS, {"do": "start", "pick": [pick(forge)], field: value})

    assert page.status_code == 422
    assert sentence in words(page)
    assert Session.objects.count() == 0


def test_it_warns_of_an_offline_machine(forge):
    Machine.objects(id=forge.id).update_one(set__last_seen_at=now() - timedelta(hours=1))

    assert "It is offline." in words(signed_in().get(ADDRESS, {"pick": pick(forge)}))


def test_it_warns_of_the_simulator(database):
    sim = world.machine("sim", simulated=True)

    assert "marked simulated" in words(signed_in().get(ADDRESS, {"pick": pick(sim)}))


def test_it_warns_of_a_model_that_does_not_fit(forge):
    models = [world.model("huge:400b", size_bytes=200 * world.GIB), world.model("big:70b", size_bytes=40 * world.GIB)]
    verbs.take_in(forge, world.sync_request(models=models, models_hash="big"))

    page = words(signed_in().get(ADDRESS, {"pick": [pick(forge, "huge:400b"), pick(forge, "big:70b")]}))

    assert "Larger than the machine's memory" in page
    assert "part of it will run on the CPU" in page


def test_it_warns_of_jobs_that_come_first_and_of_a_pause(forge):
    world.session(forge)
    verbs.set_paused(forge, True)

    page = words(signed_in().get(ADDRESS, {"pick": pick(forge)}))

    assert "2 jobs of other sessions come first." in page
    assert "It is paused." in page


def test_a_machine_that_nothing_is_chosen_on_warns_of_nothing(forge):
    sim = world.machine("sim", simulated=True)

    page = words(signed_in().get(ADDRESS, {"pick": pick(forge)}))

    assert sim.name in page
    assert "marked simulated" not in page


def test_too_many_models_to_list_lead_to_the_models_page(forge):
    models = [world.model(f"m{i}:1b") for i in range(MODELS_LISTED + 1)]
    verbs.take_in(forge, world.sync_request(models=models, models_hash="many"))

    page = signed_in().get(ADDRESS, {"pick": pick(forge, "m7:1b")})

    assert ticked(page) == [pick(forge, "m7:1b")]
    assert "/models" in links(page)
    assert "m8:1b" not in words(page).replace(" ", "")


def test_a_viewer_cannot_plan_or_start(forge):
    browser = signed_in(Role.VIEWER)

    assert browser.get(ADDRESS).status_code == 403
    assert browser.post(ADDRESS, {"do": "start", "pick": pick(forge)}).status_code == 403
    assert Session.objects.count() == 0


@pytest.mark.parametrize("nonsense", ["", ":", "nothing", "x:y", "507f1f77bcf86cd799439011:llama3.2:3b", "\u202e:<b>"])
def test_a_nonsense_pick_is_shown_harmlessly(forge, nonsense):
    browser = signed_in()

    assert browser.get(ADDRESS, {"pick": nonsense}).status_code == 200
    assert browser.post(ADDRESS, {"do": "start", "pick": nonsense}).status_code == 422
    assert Session.objects.count() == 0
