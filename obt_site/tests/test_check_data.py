"""`manage.py check_data`: finds what is wrong, says what to do, mends what loses nothing, and ends with 1."""

import io
from unittest.mock import patch

import pytest
from bson import ObjectId
from django.core.management import call_command

from agents.documents import Client
from benchmarks import sessions
from benchmarks.documents import Job, JobLive, Result, SampleBlock, Session, TelemetrySeries
from benchmarks.tests import world
from obt_site import data_checks, indexes, mongo
from obt_site.audit import AuditEntry


@pytest.fixture
def result(database):
    return world.result(world.machine("forge"))


def run(*options, answer="n"):
    """What it prints, and how it ends."""
    out = io.StringIO()
    with patch("builtins.input", lambda *words: answer):
        try:
            call_command("check_data", *options, stdout=out)
        except SystemExit as end:
            return out.getvalue(), end.code
    return out.getvalue(), 0


def found():
    return {finding.name for finding in data_checks.check()}


def test_a_sound_database_has_nothing_wrong(result):
    world.running(Client.objects.first(), world.MODELS[1])

    said, code = run()

    assert code == 0
    assert "Nothing is wrong" in said


def job_without_session(result):
    Session.objects.delete()
    return "jobs_without_session"


def result_without_job(result):
    Job.objects.delete()
    return "results_without_job"


def open_job_without_machine(result):
    world.session(Client.objects.first())
    Client.objects.delete()
    return "open_jobs_without_machine"


def job_without_its_result(result):
    Result.objects.delete()
    return "jobs_without_their_result"


def model_without_machine(result):
    Client.objects.delete()
    return "models_without_machine"


def samples_without_result(result):
    SampleBlock(id="x:0", result="x", position=0, cell="tg128").save()
    return "orphan_sample_blocks"


def telemetry_without_result(result):
    TelemetrySeries(id="x").save()
    return "orphan_telemetry"


def live_tail_without_job(result):
    JobLive(id=ObjectId()).save()
    return "orphan_job_live"


def unknown_state(result):
    Job.objects.update(set__state="flying")
    return "jobs_in_unknown_state"


def running_without_lease(result):
    Job.objects.update(set__state="running", set__lease=None)
    return "jobs_without_lease"


def ended_without_time(result):
    Job.objects.update(set__finished_at=None)
    return "ended_jobs_without_time"


def counts_that_do_not_fit(result):
    Session.objects.update(set__counts={"queued": 5})
    return "session_counts"


def session_without_time(result):
    Session.objects.update(set__finished_at=None)
    return "ended_sessions_without_time"


def counter_behind(result):
    mongo.database()["counters"].update_one({"_id": "results"}, {"$set": {"value": 0}})
    return "results_counter"


def strange_index(result):
    mongo.database()["jobs"].create_index("model", name="model_by_hand")
    return "strange_indexes"


def missing_index(result):
    mongo.database()["jobs"].drop_index("state_asc")
    return "missing_indexes"


def repeated_number(result):
    mongo.database()["results"].drop_index("number_asc")
    plain = {**result.to_mongo(), "_id": "twice-1"}
    mongo.database()["results"].insert_one(plain)
    return "results_numbers"


SAFE = (model_without_machine, samples_without_result, telemetry_without_result, live_tail_without_job,
        counts_that_do_not_fit, session_without_time, counter_behind, missing_index)  # fmt: skip
BY_HAND = (job_without_session, result_without_job, open_job_without_machine, job_without_its_result, unknown_state,
           running_without_lease, ended_without_time, strange_index, repeated_number)  # fmt: skip


@pytest.fixture(autouse=True)
def _indexes_as_declared(database):
    """What a test did to the indexes is undone."""
    yield
    if "model_by_hand" in mongo.database()["jobs"].index_information():
        mongo.database()["jobs"].drop_index("model_by_hand")
    mongo.database()["results"].delete_many({})
    indexes.ensure()


@pytest.mark.parametrize("breaks", [*SAFE, *BY_HAND], ids=lambda breaks: breaks.__name__)
def test_each_thing_that_can_be_wrong_is_found_with_what_to_do(result, breaks):
    name = breaks(result)

    said, code = run()

    (finding,) = [each for each in data_checks.check() if each.name == name]
    assert code == 1
    assert finding.what in said
    assert finding.advice in said


@pytest.mark.parametrize("breaks", SAFE, ids=lambda breaks: breaks.__name__)
def test_what_is_safe_is_mended_and_written_down(result, breaks):
    name = breaks(result)

    said, _ = run("--fix", "--yes")

    assert "mended" in said
    assert name not in found()
    entry = AuditEntry.objects(action="data.fix").first()
    assert (entry.actor_kind, entry.about_id) == ("command", name)


@pytest.mark.parametrize("breaks", BY_HAND, ids=lambda breaks: breaks.__name__)
def test_what_would_lose_something_is_left_for_a_person(result, breaks):
    name = breaks(result)

    _, code = run("--fix", "--yes")

    assert code == 1
    assert name in found()


def test_it_asks_first_and_a_no_changes_nothing(result):
    samples_without_result(result)

    refused, code = run("--fix", answer="n")
    still = found()
    agreed, ended = run("--fix", answer="y")

    assert ("Nothing was changed." in refused, code) == (True, 1)
    assert still == {"orphan_sample_blocks"}
    assert ("mended" in agreed, ended, found()) == (True, 0, set())


def test_looking_changes_nothing(result):
    counts_that_do_not_fit(result)
    before = AuditEntry.objects.count()

    run()

    assert AuditEntry.objects.count() == before
    assert Session.objects.first().counts == {"queued": 5}


def test_mended_counts_are_those_of_the_jobs(result):
    counts_that_do_not_fit(result)

    run("--fix", "--yes")

    assert sessions.find(str(result.session)).counts["succeeded"] == 1
