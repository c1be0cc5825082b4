"""POST /api/v1/agent/credential, and the sync answer that asks for it."""

from datetime import timedelta

from agent.obt_agent import contract, wire
from agents import verbs
from agents.documents import Client
from agents.tests.agent_calls import Machine
from benchmarks.tests import world
from obt_site.clock import now

ASK = contract.CredentialRequest("boot-1")


def grown_old(machine):
    Client.objects(id=machine.client).update_one(set__credential_at=now() - timedelta(days=31))


def test_a_sync_asks_for_it_when_it_is_old_and_not_before(server):
    forge = Machine(server)
    assert forge.sync(world.sync_request()).json()["renew"] is False

    grown_old(forge)

    assert forge.sync(world.sync_request()).json()["renew"] is True


def test_an_agent_that_cannot_renew_goes_on_for_ever(server):
    forge = Machine(server)
    Client.objects(id=forge.client).update_one(set__credential_at=now() - timedelta(days=3000))

    assert [forge.sync(world.sync_request()).status_code for _ in range(3)] == [200, 200, 200]


def test_the_new_one_takes_the_place_of_the_old_one_when_it_is_used(server):
    forge = Machine(server)
    grown_old(forge)
    old = forge.credential

    answer = forge.call("POST", "credential", ASK)
    assert answer.status_code == 201
    new = wire.decode(contract.CredentialResponse, answer.json()).credential
    assert forge.sync(world.sync_request()).status_code == 200
    forge.credential = new

    assert forge.sync(world.sync_request()).json()["renew"] is False
    forge.credential = old
    refused = forge.sync(world.sync_request())
    assert refused.status_code == 401
    assert new.startswith(f"obta_{verbs.find(forge.client).credential_id}_")


def test_a_body_that_is_none_gives_nothing(server):
    forge = Machine(server)

    for body in (b"{}", b"[]", b'{"boot_id": ""}', b'{"boot_id": "x", "client": "y"}', b'{"boot_id": {"$ne": 1}}'):
        assert forge.call("POST", "credential", data=body).status_code == 400
    assert verbs.find(forge.client).next_credential_id is None


def test_another_method_is_refused(server):
    assert Machine(server).call("GET", "credential", data=b" ").status_code == 405
