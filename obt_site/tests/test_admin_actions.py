"""The actions of the admin: each asks first, with counts, then does it by its verb and says so."""

from datetime import timedelta

import pytest

from agents.documents import Client
from benchmarks import results, sessions
from benchmarks.documents import Job, Result, Session
from benchmarks.tests import world
from obt_site.audit import AuditEntry
from obt_site.clock import now
from obt_site.tests.people import links, words
from obt_site.tests.test_admin_documents import browser_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(database):
    return browser_of()


@pytest.fixture
def forge(database):
    return world.machine("forge")


@pytest.fixture
def result(forge):
    return world.result(forge)


def at(section, document, action=""):
    return f"/admin/documents/{section}/{document.pk}/{f'{action}/' if action else ''}"


def test_a_result_is_excluded_with_a_reason_and_included_again(result, ada):
    asked = ada.get(at("results", result, "exclude"))
    without = ada.post(at("results", result, "exclude"), {"reason": " "})
    done = ada.post(at("results", result, "exclude"), {"reason": "thermal paste"}, follow=True)
    excluded = results.find(result.id).excluded

    assert "leave it out" in words(asked)
    assert (without.status_code, "Say why" in words(without)) == (422, True)
    assert (excluded["reason"], excluded["by"]) == ("thermal paste", "ada")
    assert at("results", result, "include") in links(done)
    assert at("results", result, "exclude") not in links(done)

    ada.post(at("results", result, "include"))
    assert results.find(result.id).excluded is None


def test_a_result_is_marked_as_not_valid_and_the_mark_taken_back(result, ada):
    ada.post(at("results", result, "invalidate"), {"reason": "wrong machine"})
    marked = results.find(result.id)
    ada.post(at("results", result, "unmark"))

    assert (marked.valid, marked.marked_invalid["reason"]) == (False, "wrong machine")
    assert results.find(result.id).valid


def test_a_result_is_derived_anew_after_saying_what_would_change(result, ada):
    Result.objects(id=result.id).update(set__valid=False)

    asked = ada.get(at("results", result, "rederive"))
    done = ada.post(at("results", result, "rederive"), follow=True)

    assert "cells whose numbers would change 0" in words(asked)
    assert "Derived anew" in words(done)
    assert results.find(result.id).valid


def test_a_failed_job_is_queued_again_and_one_that_succeeded_is_not(forge, result, ada):
    offer = world.running(forge, world.MODELS[1])
    world.deliver(forge, offer, world.body(offer, outcome="failed", cells=[]))
    failed = sessions.find_job(offer.job)

    ada.post(at("jobs", failed, "requeue"))

    assert sessions.find_job(offer.job).state == "queued"
    assert AuditEntry.objects(action="job.retry").first().actor_name == "ada"
    assert ada.get(at("jobs", sessions.find_job(str(result.job)), "requeue")).status_code == 404


def test_deleting_a_result_counts_first_and_changes_nothing_until_it_is_confirmed(result, ada):
    asked = ada.get(at("results", result, "delete"))
    there = Result.objects.count()
    done = ada.post(at("results", result, "delete"), follow=True)

    assert "cells of raw samples 4" in words(asked)
    assert "cannot be undone" in words(asked)
    assert there == 1
    assert Result.objects.count() == 0
    assert "Deleted: 4 cells of raw samples" in words(done)
    assert done.redirect_chain[-1][0] == "/admin/documents/results/"


@pytest.mark.parametrize(
    ("section", "kind"), [("machines", Client), ("sessions", Session), ("jobs", Job), ("results", Result)]
)
def test_each_kind_is_deleted_with_what_hangs_on_it(section, kind, result, ada):
    document = kind.objects.first()

    ada.post(at(section, document, "delete"))

    assert kind.objects.count() == 0
    assert Result.objects.count() == 0
    assert AuditEntry.objects(action=f"{section.rstrip('s')}.delete").first().actor_name == "ada"


def test_what_a_machine_works_on_is_not_deleted_and_the_page_says_why(forge, ada):
    offer = world.running(forge, world.MODELS[0])
    job = sessions.find_job(offer.job)

    asked, done = ada.get(at("jobs", job, "delete")), ada.post(at("jobs", job, "delete"))

    assert (asked.status_code, done.status_code) == (409, 409)
    assert "Cancel first" in words(asked)
    assert Job.objects(id=job.id).count() == 1


def test_two_records_of_one_machine_are_merged_after_counting(result, forge, ada):
    Client.objects(id=forge.id).update(set__last_seen_at=now() - timedelta(days=1))
    kept = world.machine("forge-2")

    asked = ada.get(at("machines", forge, "merge"))
    nobody = ada.post(at("machines", forge, "merge"), {"into": ""})
    stranger = ada.post(at("machines", forge, "merge"), {"into": "f" * 24})
    done = ada.post(at("machines", forge, "merge"), {"into": str(kept.id)}, follow=True)

    assert "results 1" in words(asked)
    assert "forge-2" in words(asked)
    assert (nobody.status_code, stranger.status_code) == (422, 422)
    assert "forge was merged into forge-2" in words(done)
    assert [one.client for one in Result.objects] == [kept.id]


def test_merging_the_wrong_way_round_is_refused_with_a_sentence(forge, ada):
    Client.objects(id=forge.id).update(set__last_seen_at=now() - timedelta(days=1))
    kept = world.machine("forge-2")
    Client.objects(id=kept.id).update(set__boot_id="boot-2")

    answer = ada.post(at("machines", kept, "merge"), {"into": str(forge.id)})

    assert answer.status_code == 409
    assert "another boot id" in words(answer)
    assert Client.objects.count() == 2


def test_an_action_takes_nothing_that_it_does_not_ask_for(result, ada):
    answer = ada.post(at("results", result, "exclude"), {"reason": "x", "valid": "false"})

    assert answer.status_code == 422
    assert results.find(result.id).excluded is None


def test_an_action_that_there_is_not_is_said(result, ada):
    assert ada.get(at("results", result, "explode")).status_code == 404
