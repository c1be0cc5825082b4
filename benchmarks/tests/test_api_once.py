"""`Idempotency-Key`: a POST that is sent again is carried out once, whatever happened in between."""

import threading
from datetime import timedelta

import pytest

from benchmarks import idempotency, sessions
from benchmarks.documents import Job, Session
from benchmarks.idempotency import IdempotentCall
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api, problem
from obt_site.access import Role
from obt_site.clock import now

pytestmark = pytest.mark.django_db
MODEL = world.MODELS[0]


@pytest.fixture
def forge(database):
    return world.machine("forge")


@pytest.fixture
def api(database):
    return keyed(Api(Role.OPERATOR), "a-key")


def keyed(api: Api, key: str) -> Api:
    api.headers = {**api.headers, "Idempotency-Key": key}
    return api


def asked(forge, **more):
    return {"targets": [{"client": str(forge.id), "model": MODEL}], "cells": ["tg128"], "budget": "quick", **more}


def test_the_first_answer_comes_again_and_says_so(api, forge):
    first = api.post("sessions", asked(forge))
    second = api.post("sessions", asked(forge))

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second["Location"] == first["Location"]
    assert second["Idempotency-Replayed"] == "true"
    assert not first.has_header("Idempotency-Replayed")
    assert second["X-Request-ID"] != first["X-Request-ID"]
    assert (Session.objects.count(), Job.objects.count()) == (1, 1)


def test_without_a_key_each_call_is_carried_out(database, forge):
    api = Api(Role.OPERATOR)
    for _ in range(2):
        api.post("sessions", asked(forge))

    assert Session.objects.count() == 2


def test_another_body_under_the_same_key_is_refused(api, forge):
    api.post("sessions", asked(forge))

    problem(api.post("sessions", asked(forge, note="another")), 422, "Idempotency-Key")
    assert Session.objects.count() == 1


def test_another_call_under_the_same_key_is_refused(api, forge):
    session = api.post("sessions", asked(forge)).json()["id"]

    problem(api.post(f"sessions/{session}/cancel"), 422, "Idempotency-Key")
    assert sessions.find(session).state == "queued"


def test_a_key_is_its_callers_own(api, forge):
    api.post("sessions", asked(forge))
    other = keyed(Api(Role.OPERATOR, "another script"), "a-key")

    assert other.post("sessions", asked(forge)).status_code == 201
    assert Session.objects.count() == 2


@pytest.mark.parametrize("key", ["", "two words", "x" * 201, "ü"])
def test_a_key_that_is_none_is_refused(database, forge, key):
    api = Api(Role.OPERATOR)
    api.headers = {**api.headers, "Idempotency-Key": key}

    problem(api.post("sessions", asked(forge)), 422, "Idempotency-Key")
    assert Session.objects.count() == 0


def test_a_refused_call_leaves_its_key_free(api, forge):
    problem(api.post("sessions", asked(forge, cells=["nonsense"])), 422)

    assert api.post("sessions", asked(forge)).status_code == 201


@pytest.mark.parametrize("verb", ["pause", "resume", "cancel"])
def test_what_is_done_to_a_session_is_done_once(database, forge, verb):
    session = str(world.session(forge, MODEL).id)
    first = keyed(Api(Role.OPERATOR), verb)

    answers = [first.post(f"sessions/{session}/{verb}") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert answers[1]["Idempotency-Replayed"] == "true"


def test_a_retry_that_is_sent_again_queues_nothing_twice(database, forge):
    session = sessions.cancel(world.session(forge, MODEL))
    api = keyed(Api(Role.OPERATOR), "retry")

    assert api.post(f"sessions/{session.id}/retry").status_code == 200
    assert api.post(f"sessions/{session.id}/retry")["Idempotency-Replayed"] == "true"
    assert [job.state for job in sessions.jobs_of(session)] == ["queued"]


def test_of_two_at_once_one_works_and_the_other_waits(api, forge, monkeypatch):
    started, go_on = threading.Event(), threading.Event()
    real = sessions.start

    def slowly(*args, **kwargs):
        started.set()
        assert go_on.wait(30)
        return real(*args, **kwargs)

    monkeypatch.setattr(sessions, "start", slowly)
    answers = []
    first = threading.Thread(target=lambda: answers.append(api.post("sessions", asked(forge))))
    first.start()
    assert started.wait(30)

    refused = api.post("sessions", asked(forge))
    go_on.set()
    first.join()

    problem(refused, 409)
    assert refused["Retry-After"] == "1"
    assert answers[0].status_code == 201
    assert api.post("sessions", asked(forge)).json() == answers[0].json()
    assert Session.objects.count() == 1


def died(monkeypatch, api, forge, when):
    """The first call, which the server does not survive: at `when`, a function of benchmarks.sessions."""

    class Died(BaseException):
        pass

    def dies(*args, **kwargs):
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(*when, dies)
        with pytest.raises(Died):
            api.post("sessions", asked(forge))


def waited(monkeypatch):
    """A minute later."""
    later = now() + idempotency.WORKS_AT_MOST + timedelta(seconds=1)
    monkeypatch.setattr(idempotency, "now", lambda: later)


@pytest.mark.parametrize(
    "when", [(sessions.target_checks, "foreseen"), (sessions, "_job"), (sessions, "recompute")], ids=str
)
def test_a_server_that_dies_in_between_starts_one_session_and_not_two(api, forge, monkeypatch, when):
    died(monkeypatch, api, forge, when)
    problem(api.post("sessions", asked(forge)), 409)
    waited(monkeypatch)

    again = api.post("sessions", asked(forge))

    assert again.status_code == 201
    assert (Session.objects.count(), Job.objects.count()) == (1, 1)
    assert again.json()["id"] == str(Session.objects.first().id)
    assert api.post("sessions", asked(forge))["Idempotency-Replayed"] == "true"


def test_a_call_that_broke_may_be_sent_again_at_once(api, forge, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sessions, "recompute", lambda *args, **kwargs: 1 / 0)
        problem(api.post("sessions", asked(forge)), 500)

    assert api.post("sessions", asked(forge)).status_code == 201
    assert Session.objects.count() == 1


def test_a_secret_in_an_answer_is_kept_nowhere(database):
    claim = idempotency.claim("k", "POST", "/x", b"")
    idempotency.keep(claim, idempotency.Answer(201, {}, b'{"token": "obtu_01234567_' + b"s" * 43 + b'"}'))

    again = idempotency.claim("k", "POST", "/x", b"")

    assert isinstance(again, idempotency.Answer)
    assert again.body is None
    assert b"obtu_" not in str(IdempotentCall._get_collection().find_one()).encode()


def test_keys_are_forgotten_after_a_day(api, forge, monkeypatch):
    api.post("sessions", asked(forge))
    tomorrow = now() + idempotency.KEPT_FOR + timedelta(seconds=1)
    assert idempotency.trim() == 0
    monkeypatch.setattr(idempotency, "now", lambda: tomorrow)

    assert api.post("sessions", asked(forge)).status_code == 201  # before the sweeper came by
    assert Session.objects.count() == 2
    IdempotentCall._get_collection().update_many({}, {"$set": {"at": now()}})
    assert idempotency.trim() == 1
    assert IdempotentCall.objects.count() == 0
