"""/queue: what runs and waits, machine by machine, in order."""

import pytest

from agents import verbs
from benchmarks import pausing, sessions
from benchmarks.documents import Job
from benchmarks.presenters import queue as presenter
from benchmarks.tests import world
from obt_site.access import Role
from obt_site.tests.people import links, signed_in, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def forge(database):
    return world.machine("forge")


def lines():
    return {
        machine.name: [(line.model, line.state) for line in machine.lines] for machine in presenter.queue().machines
    }


def test_without_jobs_it_says_what_would_stand_here(database):
    page = signed_in().get("/queue")

    assert "No job runs or waits" in words(page)
    assert "/models" in links(page)


def test_what_runs_comes_first_then_what_waits_oldest_session_first(forge):
    world.running(forge, "qwen3:8b", "gemma3:4b")
    world.session(world.machine("atlas"), "gemma3:4b")
    world.session(forge, "llama3.2:3b")

    assert lines() == {
        "atlas": [("gemma3:4b", "queued")],
        "forge": [("qwen3:8b", "running"), ("gemma3:4b", "queued"), ("llama3.2:3b", "queued")],
    }
    assert presenter.queue().facts == "1 job runs and 3 wait on 2 machines."


def test_each_starts_when_the_one_before_ends_and_an_unforeseen_one_has_a_limit(forge):
    world.session(forge, "qwen3:8b", "gemma3:4b")
    Job.objects(model="qwen3:8b").update_one(set__expected_s=60.0)

    ((first, second),) = [machine.lines for machine in presenter.queue().machines]

    assert (first.ends_at - first.starts_at).total_seconds() == 60
    assert second.starts_at == first.ends_at
    assert (first.at_most, second.at_most) == (False, True)


def test_a_paused_session_is_held_and_takes_no_time(forge):
    pausing.pause(world.session(forge, "qwen3:8b"), "jo")
    world.session(forge, "gemma3:4b")

    ((held, next_one),) = [machine.lines for machine in presenter.queue().machines]

    assert (held.state, held.starts_at) == ("paused", None)
    assert next_one.starts_at is not None
    assert "Session paused" in words(signed_in().get("/queue"))


def test_a_machine_that_stands_still_says_why_and_has_no_times(forge):
    world.session(forge, "qwen3:8b")
    verbs.set_paused(forge, True)

    (machine,) = presenter.queue().machines

    assert (machine.lines[0].starts_at, machine.free_at) == (None, None)
    assert "The machine is paused" in words(signed_in().get("/queue"))


def test_a_long_queue_is_cut_and_the_whole_is_a_link_away(forge, monkeypatch):
    monkeypatch.setattr(presenter, "SHOWN_PER_MACHINE", 1)
    world.session(forge, *world.MODELS)
    browser = signed_in()

    page = browser.get("/queue")
    whole = browser.get(f"/queue?machine={forge.id}")

    assert "2 more wait here" in words(page)
    assert "more wait here" not in words(whole)
    assert world.MODELS[2] in words(whole)


def test_a_job_is_cancelled_from_here_and_one_is_here_again(forge):
    session = world.session(forge, "qwen3:8b", "gemma3:4b")
    job = sessions.jobs_of(session)[0]

    answer = signed_in().post(f"/jobs/{job.id}/cancel", {"back": "queue"})

    assert answer.url == "/queue"
    assert [job.state for job in sessions.jobs_of(session)] == ["cancelled", "queued"]


def test_a_viewer_reads_and_cancels_nothing(forge):
    world.session(forge)

    assert "Cancel" not in words(signed_in(Role.VIEWER).get("/queue"))


@pytest.mark.parametrize("address", ["?machine=zz", "?foo=1", "?machine=6b02d6a12eea9e1e74c2adf2"])
def test_any_address_gives_a_page(forge, address):
    world.session(forge)

    assert signed_in().get(f"/queue{address}").status_code == 200
