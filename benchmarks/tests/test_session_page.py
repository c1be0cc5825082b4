"""/sessions/<id>: one session while it runs and after, and what can be done to it."""

import re
from dataclasses import replace

import pytest

from agent.obt_agent import contract
from agent.obt_agent.validity import SENTENCES
from benchmarks import lifecycle, sessions
from benchmarks.documents import Job
from benchmarks.lifecycle import Actor, State
from benchmarks.tests import world
from obt_site.access import Role
from obt_site.tests.people import all_tags, by_id, links, signed_in, words

pytestmark = pytest.mark.django_db

RATE = {"metric": "decode_rate", "unit": "tok/s"}


@pytest.fixture
def forge(database):
    return world.machine("forge")


def under_way(machine):
    """A job in the middle of tg128: a warm-up, a counted sample, one left out, and a live reading."""
    offer = world.running(machine, *world.MODELS[:2])
    sample = contract.Event(seq=3, kind="sample", elapsed_s=2.0, cell="tg128", index=0, of=6, value=57.0, **RATE)
    events = [
        contract.Event(seq=2, kind="cell", elapsed_s=1.0, cell="tg128", of=6, done=4, total=20),
        replace(sample, seq=3, warmup=True, valid=True, value=55.0),
        replace(sample, seq=4, valid=True),
        replace(sample, seq=5, index=1, valid=False, flags=["wrong_length"]),
        contract.Event(seq=6, kind="live", elapsed_s=5.0, cell="tg128", index=2, of=6, value=58.4, estimated=True,
                       done=7, total=20, remaining_s=90.0, reading=world.READING, **RATE),
    ]  # fmt: skip
    world.report(machine, offer, *events)
    return offer


def without_ticking(markup):
    """The markup without the one figure in it that counts the seconds."""
    found, ticking = re.subn(r"<span>[^<]*</span><small>so far</small>", "so far", markup)
    assert ticking == 1
    return found


def test_a_queued_one_says_that_it_waits(forge):
    session = world.session(forge)

    page = words(signed_in().get(f"/sessions/{session.id}"))

    assert "Queued" in page
    assert "The first job has not started yet." in page
    assert "0 of 2 jobs" in page


def test_while_it_runs_it_shows_cell_sample_estimated_rate_and_readings(forge):
    offer = under_way(forge)

    page = words(signed_in().get(f"/sessions/{offer.session}"))

    facts = [
        "tg128",
        "sample 2 of 6",
        "Decode now, estimated ≈ 58.4 tok/s",
        "GPU 97 %",
        "Power 312 W",
        "1 min 30 s to go",
    ]
    assert [fact for fact in facts if fact not in page] == []


def test_its_samples_are_dots_and_the_left_out_one_has_its_sentence(forge):
    offer = under_way(forge)

    page = signed_in().get(f"/sessions/{offer.session}")

    dots = [tag.get("class") for _, tag in all_tags(page) if tag.get("class") in ("d", "x", "n beat")]
    assert dots == ["d", "x", "n beat"]
    assert SENTENCES["wrong_length"] in words(page)


def test_the_page_and_the_re_fetch_are_the_same_parts(forge):
    offer = under_way(forge)
    browser = signed_in()

    page = browser.get(f"/sessions/{offer.session}").content.decode()
    parts = browser.get(f"/sessions/{offer.session}/live").json()["html"]

    sections = {f"session-{name}" for name in ("head", "progress", "axis", "report", "events")}
    assert set(parts) == sections | {"work", f"lane-{forge.id}"}
    assert all(by_id(markup, name) is not None for name, markup in parts.items())
    assert parts["session-head"].strip() in page
    assert without_ticking(parts["session-report"]).strip() in without_ticking(page)
    assert parts["session-events"].strip() in page


def test_a_page_that_runs_follows_its_socket_and_one_that_ended_does_not(forge):
    offer = under_way(forge)
    browser = signed_in()

    running = browser.get(f"/sessions/{offer.session}").content.decode()
    sessions.cancel(sessions.find(offer.session))
    world.deliver(forge, offer, world.body(offer, outcome="cancelled"))
    over = browser.get(f"/sessions/{offer.session}").content.decode()

    assert f'data-live="/ws/sessions/{offer.session}"' in running
    assert "data-live=" not in over


def test_when_it_has_ended_it_is_a_report_with_links_to_the_results(forge):
    result = world.result(forge, rate=100.0)

    page = signed_in().get(f"/sessions/{result.session}")

    assert "Report" in words(page)
    assert "1 of 1 job delivered a result." in words(page)
    assert "100.2 tok/s 100.0–100.5" in words(page)
    assert {f"/results/{result.id}", f"/results?session={result.session}"} <= set(links(page))


def test_a_failed_job_says_why_and_can_be_retried(forge):
    offer = world.running(forge, world.MODELS[0])
    error = contract.JobError("out_of_memory", "Ollama could not load it: 17 GB are needed.")
    world.deliver(forge, offer, world.body(offer, outcome="failed", cells=[], error=error))

    page = signed_in().get(f"/sessions/{offer.session}")

    assert "Ollama could not load it: 17 GB are needed." in words(page)
    assert "Retry what failed" in words(page)


def test_a_lost_machine_is_said(forge):
    offer = world.running(forge, world.MODELS[0])
    lifecycle.move(sessions.find_job(offer.job), State.LOST, Actor.SWEEPER)

    assert "has not been heard of" in words(signed_in().get(f"/sessions/{offer.session}"))


def test_a_job_between_automatic_retries_is_not_over(forge):
    offer = world.running(forge, world.MODELS[0])
    error = contract.JobError("server_busy", "Ollama's queue was full.")
    world.deliver(forge, offer, world.body(offer, outcome="failed", cells=[], error=error))

    page = words(signed_in().get(f"/sessions/{offer.session}"))

    assert "A job that failed is tried again at" in page
    assert "0 of 1 job " in page


def test_one_that_does_not_exist_leads_on(database):
    for address in ("/sessions/nonsense", "/sessions/507f1f77bcf86cd799439011", "/sessions/nonsense/live"):
        page = signed_in(name=f"jo{len(address)}").get(address)
        assert page.status_code == 404
        assert "There is no such session." in words(page)


# -- what can be done ------------------------------------------------------------------------------------------------


def test_cancel_ends_what_waits_and_asks_what_runs_to_stop(forge):
    offer = under_way(forge)

    page = signed_in().post(f"/sessions/{offer.session}/cancel", follow=True)

    assert [job.state for job in Job.objects.order_by("position")] == ["cancelling", "cancelled"]
    assert "is being cancelled" in words(page)


def test_one_job_is_cancelled_alone(forge):
    session = world.session(forge)
    first, second = sessions.jobs_of(session)

    answer = signed_in().post(f"/jobs/{second.id}/cancel")

    assert answer.url == f"/sessions/{session.id}"
    assert [sessions.find_job(str(job.id)).state for job in (first, second)] == ["queued", "cancelled"]


def test_retry_queues_what_was_cancelled_again(forge):
    session = sessions.cancel(world.session(forge))
    browser = signed_in()

    browser.post(f"/sessions/{session.id}/retry")
    states = [job.state for job in sessions.jobs_of(session)]
    again = browser.post(f"/sessions/{session.id}/retry", follow=True)

    assert states == ["queued", "queued"]
    assert "No job of this session has failed or was cancelled." in words(again)


def test_one_job_is_retried_alone(forge):
    session = sessions.cancel(world.session(forge))
    first, second = sessions.jobs_of(session)

    signed_in().post(f"/jobs/{first.id}/retry")

    assert [sessions.find_job(str(job.id)).state for job in (first, second)] == ["queued", "cancelled"]


def test_cancelling_what_has_ended_says_how_it_ended(forge):
    result = world.result(forge)

    page = signed_in().post(f"/jobs/{result.job}/cancel", follow=True)

    assert "has already ended: succeeded." in words(page)


@pytest.mark.parametrize("action", ["/sessions/{session}/cancel", "/sessions/{session}/retry", "/jobs/{job}/cancel",
                                    "/jobs/{job}/retry"])  # fmt: skip
def test_a_viewer_can_do_none_of_it_and_is_offered_none(forge, action):
    session = world.session(forge)
    job = sessions.jobs_of(session)[0]
    browser = signed_in(Role.VIEWER)

    answer = browser.post(action.format(session=session.id, job=job.id))

    assert answer.status_code == 403
    assert sessions.find_job(str(job.id)).state == "queued"
    assert "Cancel" not in words(browser.get(f"/sessions/{session.id}"))


def test_opening_an_action_changes_nothing(forge):
    session = world.session(forge)

    assert signed_in().get(f"/sessions/{session.id}/cancel").status_code == 405
    assert sessions.jobs_of(session)[0].state == "queued"


def test_a_job_that_never_began_has_no_time_and_no_zero(forge):
    session = sessions.cancel(world.session(forge))

    page = words(signed_in().get(f"/sessions/{session.id}"))

    assert "Never started" in page
    assert "took" not in page
