"""Merging two records of one machine."""

from datetime import timedelta

import pytest

from agents import merging, verbs
from agents.documents import Client, Event, ModelInstallation
from benchmarks import sessions, shelf
from benchmarks.documents import Job, Result
from benchmarks.tests import world
from obt_site import data_checks
from obt_site.audit import AuditEntry
from obt_site.clock import now
from obt_site.errors import Conflict


@pytest.fixture
def old(database):
    """The record of before: it measured something, and its agent is gone."""
    client = world.machine("forge", models=world.MODELS[:2])
    world.result(client)
    Client.objects(id=client.id).update(
        set__last_seen_at=now() - timedelta(days=2), set__created_at=now() - timedelta(days=9), set__labels=["lab"]
    )
    return verbs.find(str(client.id))


@pytest.fixture
def new(old):
    client = world.machine("forge-2", models=world.MODELS[1:])
    world.result(client, world.MODELS[1])
    Client.objects(id=client.id).update(set__boot_id="boot-2")
    return verbs.find(str(client.id))


def test_all_that_the_old_record_did_is_the_kept_ones(old, new):
    before = {kind: kind.objects.count() for kind in (Job, Result, Event)}

    kept = merging.merge(new, old)

    assert [one.name for one in Client.objects] == ["forge-2"]
    assert {one.client for one in Job.objects} == {one.client for one in Result.objects} == {kept.id}
    assert {one.client_name for one in Result.objects} == {"forge-2"}
    assert [kind.objects.count() for kind in (Job, Result)] == [before[Job], before[Result]]
    assert Event.objects(client=old.id).count() == 0
    assert {one.client for one in shelf.results()} == {str(kept.id)}
    assert data_checks.check() == []


def test_models_are_joined_and_the_agent_is_asked_for_its_list(old, new):
    kept = merging.merge(new, old)

    assert sorted(one.name for one in ModelInstallation.objects(client=kept.id)) == sorted(world.MODELS)
    assert (kept.models_hash, kept.models_count) == (None, 3)


def test_the_kept_record_keeps_name_and_credential_and_gets_the_past(old, new):
    kept = merging.merge(new, old)

    assert (kept.name, kept.credential_id) == ("forge-2", new.credential_id)
    assert kept.created_at == old.created_at
    assert list(kept.labels) == ["lab"]
    assert len(kept.hardware_history) == 2


def test_what_would_move_is_counted_first(old, new):
    assert merging.counts(old) == {
        "jobs": 1, "results": 1, "events": Event.objects(client=old.id).count(), "models": 2,
    }  # fmt: skip


def test_it_is_written_down(old, new):
    merging.merge(new, old)

    entry = AuditEntry.objects(action="machine.merge").first()
    assert (entry.about_id, entry.before["name"], entry.after["results"]) == (str(new.id), "forge", 1)


def test_a_record_that_is_online_with_another_boot_id_does_not_go(old, new):
    with pytest.raises(Conflict, match="another boot id"):
        merging.merge(old, new)

    assert Client.objects.count() == 2


def test_two_agents_of_one_boot_may_be_merged(old, new):
    Client.objects(id=old.id).update(set__boot_id="boot-2")

    merging.merge(verbs.find(str(old.id)), new)

    assert [one.name for one in Client.objects] == ["forge"]


def test_nothing_is_merged_while_one_has_a_running_job(old, new):
    world.running(new, world.MODELS[1])

    with pytest.raises(Conflict, match="running"):
        merging.merge(new, old)
    assert Job.objects(client=old.id).count() == 1


def test_a_record_is_not_merged_with_itself(new):
    with pytest.raises(Conflict, match="one and the same"):
        merging.merge(new, new)


def test_queued_jobs_go_along_and_run_on_the_kept_one(old, new):
    session = world.session(old, world.MODELS[1])

    kept = merging.merge(new, old)

    (offer,) = world.sync(kept).jobs
    assert offer.job == str(sessions.jobs_of(session)[0].id)
