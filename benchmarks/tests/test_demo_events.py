"""What goes on in the demo: a session that somebody holds back, and events of half a year."""

import pytest

from agents import events
from agents.documents import Event
from benchmarks import sweeper
from benchmarks.demo.add import Asked, add
from benchmarks.documents import Job, Session
from benchmarks.presenters import event_log
from benchmarks.presenters.session import session_view
from obt_site.clock import now
from obt_site.tests.people import signed_in, words

pytestmark = pytest.mark.django_db

SMALL = Asked(machines=12, models=20, results=40, whole=0)


def test_one_session_is_held_back_half_way_by_somebody_and_stays_so(database):
    add(SMALL)
    session = Session.objects.get(paused=True)

    sweeper.mend()
    sweeper.sweep()

    jobs = list(Job.objects(session=session.id))
    assert {job.state for job in jobs} == {"succeeded", "queued"}
    kept = Session.objects.get(id=session.id)
    assert (kept.state, kept.paused, kept.finished_at, dict(kept.counts)) == ("running", True, None, session.counts)
    assert "Paused" in words(signed_in().get(f"/sessions/{session.id}"))


def test_what_happened_is_told_in_order_and_marked(database):
    add(SMALL)

    told = list(Event.objects.order_by("number"))
    page = words(signed_in().get("/events"))

    assert [one.at for one in told] == sorted(one.at for one in told)
    assert {one.kind for one in told} <= set(events.KINDS)
    assert {"machine_registered", "machine_offline", "ollama_version", "session_started", "session_finished"} <= {
        one.kind for one in told
    }
    assert all(one.data == {"simulated": True} and one.at < now() for one in told)
    assert page.count("simulated") >= event_log.PAGE


def test_the_clock_of_a_session_that_is_held_back_stands(database):
    add(SMALL)
    session = Session.objects.get(paused=True)

    view = session_view(session)

    assert view.axis.now_s == session.paused_at.timestamp()
    assert view.progress.elapsed_s == (session.paused_at - session.started_at).total_seconds()
