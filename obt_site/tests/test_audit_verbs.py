"""Every verb that changes something writes down who did it, to what, and what differs."""

import pytest
from django.core.management import call_command

from agents import removal, verbs
from benchmarks import pausing, saved_views, sessions
from benchmarks.tests import world
from obt_site import actor
from obt_site.access import Role
from obt_site.accounts import setup
from obt_site.audit import AuditEntry, record
from obt_site.tests.people import PASSWORD, signed_in
from obt_site.tokens import create_token

pytestmark = pytest.mark.django_db
ADA = actor.Actor(actor.PERSON, "ada", "7", "192.0.2.1")


@pytest.fixture
def ada(database):
    with actor.acting(ADA):
        yield ADA


@pytest.fixture
def forge(ada):
    return world.machine("forge")


def written(action):
    return list(AuditEntry.objects(action=action))


def only(action):
    (entry,) = written(action)
    return entry


def test_an_entry_says_who_from_where_and_what_differs(forge):
    verbs.rename(forge, "anvil")

    entry = only("machine.rename")
    assert (entry.actor_kind, entry.actor_name, entry.actor_id, entry.address) == ("person", "ada", "7", "192.0.2.1")
    assert (entry.before, entry.after) == ({"name": "forge"}, {"name": "anvil"})
    assert (entry.about_kind, entry.about_id, entry.about_name) == ("machine", str(forge.id), "anvil")
    assert entry.words == "forge is called anvil now"


def test_adding_a_machine_is_written_down_by_whom_and_by_its_agent(forge):
    made, added = only("enrolment.create"), only("machine.enrol")

    assert made.actor_name == "ada"
    assert (added.actor_kind, added.actor_name, added.about_id) == ("agent", "forge", str(forge.id))


def test_labels_and_pausing_are_written_down_once_each(forge):
    verbs.set_labels(forge, ["lab", "old"])
    paused = verbs.set_paused(verbs.find(str(forge.id)), True)
    verbs.set_paused(paused, True)
    verbs.set_paused(paused, False)

    assert only("machine.label").after == {"labels": ["lab", "old"]}
    assert only("machine.pause").after == {"paused": True}
    assert only("machine.resume").after == {"paused": False}


def test_removing_a_machine_is_one_entry_with_what_it_ended(forge):
    world.session(forge)
    removal.remove(forge, "ada")

    assert only("machine.remove").before["waiting"] == 2
    assert written("job.cancel") == []


def test_what_people_do_with_sessions_and_jobs_is_written_down(forge):
    session = world.session(forge)
    pausing.pause(session, "ada")
    pausing.resume(sessions.find(str(session.id)))
    sessions.cancel_job(sessions.jobs_of(session)[0])
    sessions.cancel(sessions.find(str(session.id)))
    sessions.retry_job(sessions.jobs_of(session)[0])
    sessions.cancel(sessions.find(str(session.id)))
    sessions.retry(sessions.find(str(session.id)))

    assert only("session.start").after["jobs"] == 2
    assert only("session.pause").about_id == only("session.resume").about_id == str(session.id)
    assert only("job.cancel").after == {"state": "cancelled"}
    assert only("job.retry").after == {"state": "queued"}
    assert len(written("session.cancel")) == 2
    assert only("session.retry").after["queued"] == 2


def test_what_is_refused_is_not_written_down(forge):
    atlas = world.machine("atlas")
    before = AuditEntry.objects.count()

    with pytest.raises(Exception, match="already called"):
        verbs.rename(atlas, "forge")

    assert AuditEntry.objects.count() == before


def test_saved_views_are_written_down(ada):
    view = saved_views.save("7", "Fast ones", "sort=ttft")
    saved_views.save("7", "Fast ones", "sort=e2e_latency", replace=True)
    saved_views.rename("7", str(view.id), "Slow ones")
    saved_views.remove("7", str(view.id))

    assert only("view.save").after == {"name": "Fast ones", "query": "sort=ttft"}
    assert only("view.replace").before == {"query": "sort=ttft"}
    assert only("view.rename").after == {"name": "Slow ones"}
    assert only("view.remove").before["name"] == "Slow ones"


def test_a_token_is_written_down_without_its_secret(ada):
    text = create_token("dashboard", Role.VIEWER)

    entry = only("token.create")
    assert entry.after["role"] == "viewer"
    assert text.split("_", 2)[2] not in str(entry.to_mongo())


def test_the_first_administrator_and_another_password_are_written_down(database):
    setup.create_administrator("ada", "a-long-passphrase-7")
    browser = signed_in(Role.VIEWER, "jo")
    browser.post(
        "/settings",
        {"old_password": PASSWORD, "new_password1": "another horse 10", "new_password2": "another horse 10"},
    )

    assert only("person.create").about_name == "ada"
    entry = only("person.password")
    assert (entry.actor_name, entry.about_name) == ("jo", "jo")
    assert "another horse" not in str(entry.to_mongo())


def test_who_sets_it_up_is_the_one_who_is_made(database):
    from django.test import Client

    link = setup.link("http://testserver")
    token = link.partition("token=")[2]
    Client().post("/setup", {"token": token, "username": "ada", "password": "a-long-passphrase-7"})

    entry = only("person.create")
    assert (entry.actor_kind, entry.actor_name, entry.address) == ("person", "ada", "127.0.0.1")


def test_commands_are_written_down_as_commands(database, capsys):
    call_command("api_token", "create", "ci", "--role", "viewer")
    call_command("enrol_token", "create")
    call_command("demo", "--machines", "1", "--models", "3", "--results", "2")
    call_command("demo", "--remove")

    actors = {action: only(action).actor_name for action in ("token.create", "demo.add", "demo.remove")}
    assert actors["token.create"].endswith(": manage.py api_token")
    assert actors["demo.add"].endswith(": manage.py demo")
    assert {entry.actor_kind for entry in written("enrolment.create")} == {"command"}
    assert only("demo.add").after["machines"] == 1


def test_a_person_in_the_browser_a_token_and_a_machine_are_told_apart(database):
    forge = world.machine("forge")
    signed_in(Role.ADMIN, "jo").post(f"/machines/{forge.id}/pause", {"paused": "1"})
    from benchmarks.tests.api_calls import Api

    Api(Role.ADMIN, "script").patch(f"clients/{forge.id}", {"paused": False})

    assert (only("machine.pause").actor_kind, only("machine.pause").actor_name) == ("person", "jo")
    assert only("machine.pause").request_id
    assert (only("machine.resume").actor_kind, only("machine.resume").actor_name) == ("token", "script")


def test_names_of_fields_and_values_that_the_database_would_refuse_are_kept(ada):
    record("data.try", "a try", before={"a.b": ("x", forge_id := "y")}, after={"$c": {forge_id}})

    entry = only("data.try")
    assert (entry.before, entry.after) == ({"a_b": ["x", "y"]}, {"_c": ["y"]})
