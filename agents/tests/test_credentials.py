"""An agent's credential on the server: checked, renewed with an overlap, revoked at once."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.test import override_settings

from agents import credentials, verbs
from agents.documents import Client, Event
from benchmarks.tests import world
from obt_site import actor
from obt_site.audit import AuditEntry
from obt_site.clock import now
from obt_site.errors import Conflict, Unauthenticated


@pytest.fixture
def forge(database):
    return world.register("forge")


def opens(text):
    """Which machine this credential opens; None when it is refused."""
    try:
        return credentials.authenticate(f"Bearer {text}").name
    except Unauthenticated:
        return None


def fresh(client):
    return verbs.find(str(client.id))


def renewed(client):
    return credentials.renew(fresh(client), "boot-1")


def actions():
    return [entry.action for entry in AuditEntry.objects.order_by("number")]


def test_it_opens_the_machine_it_was_made_for(forge):
    client, text = forge

    assert credentials.authenticate(f"Bearer {text}").id == client.id


@pytest.mark.parametrize("field", ["ollama", "hostname"])
def test_of_a_machine_only_what_is_asked_for_is_read(forge, field):
    client, text = forge

    part = credentials.authenticate(f"Bearer {text}", field)

    assert (part.id, part.name, part[field]) == (client.id, "forge", client[field])


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1],
        lambda text: text + "x",
        lambda text: text.replace("obta_", "obtu_"),
        lambda text: "obta_00000000_" + text.split("_", 2)[2],
        lambda text: "obta__",
        lambda text: "obta_" + "x" * 300,
        lambda text: text.upper(),
    ],
)
def test_what_is_almost_a_credential_is_refused(forge, change):
    assert opens(change(forge[1])) is None


def test_one_of_another_server_is_refused(forge):
    with override_settings(SECRET_KEY="another key"):
        assert opens(forge[1]) is None


# -- renewal ---------------------------------------------------------------------------------------------------------


def test_after_thirty_days_the_agent_is_asked_to_renew_it(forge):
    client, _ = forge
    assert timedelta(days=30) == settings.CREDENTIAL_RENEWED_AFTER
    assert not credentials.is_due(client)

    Client.objects(id=client.id).update_one(set__credential_at=now() - timedelta(days=30))

    assert credentials.is_due(fresh(client))


def test_one_from_before_its_age_was_kept_is_as_old_as_its_machine(forge):
    client, _ = forge
    Client.objects(id=client.id).update_one(unset__credential_at=1, set__created_at=now() - timedelta(days=31))

    assert credentials.is_due(fresh(client))


def test_both_work_until_the_new_one_is_used_and_only_that_one_after(forge):
    client, old = forge
    new = renewed(client)
    assert opens(old) == "forge"
    assert opens(old) == "forge"

    assert opens(new) == "forge"

    assert opens(old) is None
    assert opens(new) == "forge"
    assert not credentials.is_due(fresh(client))


def test_asked_for_again_only_the_newest_counts(forge):
    client, old = forge
    first, second = renewed(client), renewed(client)

    assert opens(first) is None
    assert opens(old) == "forge"
    assert opens(second) == "forge"


def test_a_new_one_with_another_secret_changes_nothing(forge):
    client, old = forge
    new = renewed(client)

    assert opens(new[:-1] + ("A" if new[-1] != "A" else "B")) is None
    assert opens(old) == "forge"


def test_one_that_is_not_used_within_a_day_lapses_and_the_old_one_goes_on(forge):
    client, old = forge
    new = renewed(client)
    Client.objects(id=client.id).update_one(set__next_credential_at=now() - timedelta(hours=25))

    assert opens(new) is None
    assert opens(old) == "forge"
    assert opens(renewed(client)) == "forge"


def test_neither_secret_is_stored_and_none_is_written_down(forge):
    client, old = forge
    new = renewed(client)
    opens(new)

    everything = fresh(client).to_json() + AuditEntry.objects.to_json() + Event.objects.to_json()

    assert old.split("_", 2)[2] not in everything
    assert new.split("_", 2)[2] not in everything


def test_renewal_is_an_event_once_and_in_the_audit(forge):
    client, _ = forge
    new = renewed(client)
    assert Event.objects(kind="credential_renewed").count() == 0

    for _ in range(3):
        opens(new)

    assert [event.words for event in Event.objects(kind="credential_renewed")] == [
        "The agent of forge renewed its credential"
    ]
    assert actions()[-2:] == ["credential.issue", "credential.renew"]
    entry = AuditEntry.objects(action="credential.renew").get()
    assert (entry.actor_kind, entry.actor_name, entry.about_id) == ("agent", "forge", str(client.id))


# -- revoking --------------------------------------------------------------------------------------------------------


def test_a_revoked_one_is_refused_with_what_to_do(forge):
    client, text = forge

    credentials.revoke(client)

    with pytest.raises(Unauthenticated, match="Enrol it again with a new token from its page"):
        credentials.authenticate(f"Bearer {text}")


def test_a_new_one_that_waits_dies_with_it(forge):
    client, old = forge
    new = renewed(client)

    credentials.revoke(fresh(client))

    assert (opens(old), opens(new)) == (None, None)


def test_none_is_given_to_a_machine_that_was_revoked_meanwhile(forge):
    client, _ = forge
    credentials.revoke(client)

    with pytest.raises(Unauthenticated):
        credentials.renew(client, "boot-1")


def test_it_is_revoked_once(forge):
    credentials.revoke(forge[0])

    with pytest.raises(Conflict):
        credentials.revoke(fresh(forge[0]))
    assert actions().count("credential.revoke") == 1


def test_the_machine_is_offline_at_once_with_the_reason_and_its_jobs_wait(database):
    client = world.machine("forge")
    session = world.session(client)

    with actor.acting(actor.Actor(actor.PERSON, "ada")):
        revoked = credentials.revoke(client)

    assert (revoked.state, revoked.reason) == ("offline", "Its credential was revoked")
    assert {job.state for job in world.sessions.jobs_of(session)} == {"queued"}
    assert [event.words for event in Event.objects(kind="credential_revoked")] == [
        "The credential of forge was revoked by ada"
    ]


def test_what_was_checked_before_it_was_revoked_or_replaced_is_checked_again(forge):
    client, text = forge
    checked = credentials.authenticate(f"Bearer {text}")
    credentials.still_good(fresh(client), checked)

    new = renewed(client)
    opens(new)

    with pytest.raises(Unauthenticated):
        credentials.still_good(fresh(client), checked)
