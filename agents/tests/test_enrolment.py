"""Enrolment tokens: made, listed, revoked; and a machine that is enrolled again stays what it is."""

from datetime import timedelta

import pytest

from agent.obt_agent import contract
from agents import credentials, enrolment, removal, verbs
from agents.documents import Client, EnrolmentToken, Event
from agents.enrolment import TokenState
from benchmarks import results, sessions
from benchmarks.tests import world
from obt_site.audit import AuditEntry
from obt_site.clock import now
from obt_site.errors import Conflict, Unauthenticated

pytestmark = pytest.mark.usefixtures("database")


def register(text, hostname="forge.lan"):
    return enrolment.register(contract.RegisterRequest(text, hostname, "0.1.0", contract.PROTOCOL))


def kept(text):
    return enrolment.find_token(enrolment.token_id(text))


def test_a_token_is_open_until_it_is_used_revoked_or_too_old():
    texts = [enrolment.create_token()[0] for _ in range(4)]
    register(texts[1])
    enrolment.revoke(kept(texts[2]))
    EnrolmentToken.objects(id=enrolment.token_id(texts[3])).update_one(set__expires_at=now() - timedelta(seconds=1))

    found = [enrolment.state_of(kept(text)) for text in texts]

    assert found == [TokenState.OPEN, TokenState.USED, TokenState.REVOKED, TokenState.EXPIRED]


def test_a_revoked_token_enrols_nothing_and_says_so():
    text, _ = enrolment.create_token()
    enrolment.revoke(kept(text))

    with pytest.raises(Unauthenticated, match="was revoked"):
        register(text)
    assert Client.objects.count() == 0


def test_revoking_again_changes_nothing_and_a_used_one_is_a_conflict():
    open_one, used = enrolment.create_token()[0], enrolment.create_token()[0]
    register(used)
    first = enrolment.revoke(kept(open_one)).revoked_at

    assert enrolment.revoke(kept(open_one)).revoked_at == first
    with pytest.raises(Conflict, match="Revoke the machine's credential"):
        enrolment.revoke(kept(used))
    assert AuditEntry.objects(action="enrolment.revoke").count() == 1


def test_they_are_listed_newest_first_and_those_long_over_are_forgotten():
    texts = [enrolment.create_token(name)[0] for name in ("a", "b", "c")]
    EnrolmentToken.objects(id=enrolment.token_id(texts[0])).update_one(set__expires_at=now() - timedelta(days=91))

    enrolment.create_token("d")

    assert [token.name for token in enrolment.tokens()] == ["d", "c", "b"]
    assert EnrolmentToken.objects.count() == 3


def test_name_and_labels_are_the_machines():
    text, _ = enrolment.create_token("Forge", labels=["lab", "fast"])

    client = verbs.find(register(text).client)

    assert (client.name, list(client.labels)) == ("Forge", ["lab", "fast"])


def test_making_and_using_one_is_in_the_audit_without_its_text():
    text, _ = enrolment.create_token("Forge", by="ada")
    register(text)

    entries = list(AuditEntry.objects.order_by("number"))

    assert [entry.action for entry in entries] == ["enrolment.create", "machine.enrol"]
    assert entries[1].words == "Forge was enrolled with a token made by ada"
    assert text not in AuditEntry.objects.to_json()


# -- again -----------------------------------------------------------------------------------------------------------


def test_a_machine_enrolled_again_is_the_same_one_with_all_it_had():
    forge = world.machine("forge")
    result = world.result(forge)
    session = world.session(verbs.find(str(forge.id)))
    verbs.set_labels(forge, ["lab"])
    credentials.revoke(verbs.find(str(forge.id)))
    text, _ = enrolment.create_token(by="ada", client=forge)

    answer = register(text, "another-host")

    client = verbs.find(str(forge.id))
    assert (answer.client, answer.name) == (str(forge.id), "forge")
    assert Client.objects.count() == 1
    assert credentials.authenticate(f"Bearer {answer.credential}").id == forge.id
    assert (client.hostname, list(client.labels)) == ("another-host", ["lab"])
    assert results.find(result.id).client == forge.id
    assert {job.state for job in sessions.jobs_of(session)} == {"queued"}
    assert Event.objects(kind="machine_enrolled_again").get().words == "forge was enrolled again by ada"


def test_its_credential_of_before_works_no_more_even_if_nobody_revoked_it():
    forge, before = world.register("forge")
    text, _ = enrolment.create_token(client=forge)

    register(text)

    with pytest.raises(Unauthenticated):
        credentials.authenticate(f"Bearer {before}")


def test_a_job_that_ran_goes_on_with_its_lease():
    forge = world.machine("forge")
    offer = world.running(forge, world.MODELS[0])
    credentials.revoke(verbs.find(str(forge.id)))
    text, _ = enrolment.create_token(client=forge)
    register(text)

    work = world.sync(verbs.find(str(forge.id)), [world.hold(offer)], slots=0)

    assert work.cancel == []
    assert world.deliver(verbs.find(str(forge.id)), offer).outcome == "succeeded"


def test_a_token_for_a_machine_that_was_removed_enrols_nothing():
    forge = world.machine("forge")
    text, _ = enrolment.create_token(client=forge)
    removal.remove(forge, "ada")

    with pytest.raises(Unauthenticated, match="was removed"):
        register(text)
    assert Client.objects.count() == 0
