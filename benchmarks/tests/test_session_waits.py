"""A session that does not go on by itself says whom or what it waits for, and promises no end."""

from datetime import timedelta

import pytest

from agent.obt_agent import contract
from agents import verbs
from agents.documents import Client
from benchmarks import pausing, sessions
from benchmarks.tests import world
from obt_site.clock import now
from obt_site.tests.people import signed_in, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def forge(database):
    return world.machine("forge")


def page_of(session):
    return words(signed_in().get(f"/sessions/{session.id}"))


def on_both(*machines):
    targets = [sessions.Target(str(machine.id), world.MODELS[0]) for machine in machines]
    return sessions.start(targets, "standard", "quick", "jo", cells=world.CELLS)


def test_one_that_goes_on_says_when_it_ends(forge):
    page = page_of(world.session(forge))

    assert "Ends about" in page
    assert "Waits for" not in page


def test_one_that_is_paused_waits_for_somebody(forge):
    page = page_of(pausing.pause(world.session(forge), "jo"))

    assert "Waits for somebody to resume it" in page
    assert "Ends about" not in page


def test_one_whose_machine_is_paused_waits_for_it(forge):
    verbs.set_paused(forge, True)

    page = page_of(world.session(forge))

    assert "Waits for forge, which is paused" in page
    assert "The machine is paused: it takes no new job." in page
    assert "Ends about" not in page
    assert "to go" not in page


def test_the_last_job_of_a_paused_machine_ends_as_expected(forge):
    offer = world.running(forge, world.MODELS[0])
    verbs.set_paused(forge, True)

    assert "Ends about" in page_of(sessions.find(offer.session))


def test_one_machine_that_is_away_is_enough(forge):
    atlas = world.machine("atlas")
    session = on_both(forge, atlas)
    Client.objects(id=atlas.id).update_one(set__last_seen_at=now() - timedelta(hours=2))

    assert "Waits for atlas, which is offline" in page_of(session)


def test_an_ollama_that_is_away_is_waited_for(forge):
    away = contract.OllamaState("http://127.0.0.1:11434", False, problem="refused", message="Ollama refused it")
    verbs.take_in(forge, world.sync_request(ollama=away))

    assert "Waits for forge, whose Ollama does not answer" in page_of(world.session(forge))


def test_a_machine_that_takes_no_job_says_why(forge):
    verbs.take_in(forge, world.sync_request(slots=0, refusal="The disk is full."))

    page = page_of(world.session(forge))

    assert "Waits for forge, which takes no job" in page
    assert "The disk is full." in page


def test_several_machines_are_counted_and_named(forge):
    atlas = world.machine("atlas")
    for machine in (forge, atlas):
        verbs.set_paused(machine, True)

    assert "Waits for 2 machines: forge, atlas" in page_of(on_both(forge, atlas))


def test_what_is_over_waits_for_nobody(forge):
    result = world.result(forge)
    verbs.set_paused(forge, True)

    page = page_of(sessions.find(str(result.session)))

    assert "Ended" in page
    assert "Waits for" not in page
