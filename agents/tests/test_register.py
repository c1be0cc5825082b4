"""POST /api/v1/agent/register: one-use token in, credential out."""

from datetime import timedelta

import pytest
import requests

from agent.obt_agent import contract
from agents import enrolment
from agents.documents import Client, EnrolmentToken
from obt_site.clock import now


def register(server, token, **more):
    body = {"token": token, "hostname": "forge", "agent_version": "0.1.0", "protocol": contract.PROTOCOL, **more}
    return requests.post(f"{server.url}/api/v1/agent/register", json=body, timeout=30)


def test_a_token_makes_a_machine_a_client_with_its_host_name(server):
    token, _ = enrolment.create_token()

    answer = register(server, token)

    client = Client.objects.get()
    assert answer.status_code == 201
    assert answer.json()["client"] == str(client.id)
    assert client.name == answer.json()["name"] == "forge"
    assert answer.json()["credential"].startswith(f"obta_{client.credential_id}_")


def test_neither_token_nor_credential_is_stored(server):
    token, _ = enrolment.create_token()
    secret = register(server, token).json()["credential"].split("_", 2)[2]

    stored = EnrolmentToken.objects.get().to_json() + Client.objects.get().to_json()

    assert token not in stored
    assert secret not in stored


def test_a_token_works_once(server):
    token, _ = enrolment.create_token()
    register(server, token)

    again = register(server, token)

    assert again.status_code == 401
    assert "already used" in again.json()["detail"]
    assert Client.objects.count() == 1


@pytest.mark.parametrize("token", ["obte_never-made-by-anyone", "x" * 8])
def test_an_unknown_token_is_refused(server, token):
    answer = register(server, token)

    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_token_is_too_old_after_its_hour(server):
    token, expires_at = enrolment.create_token()
    assert timedelta(minutes=59) < expires_at - now() <= timedelta(hours=1)
    EnrolmentToken.objects.update(set__expires_at=now())

    answer = register(server, token)

    assert answer.status_code == 401
    assert "expired" in answer.json()["detail"]


def test_a_token_may_carry_the_machines_name(server):
    token, _ = enrolment.create_token(name="the big one")

    assert register(server, token).json()["name"] == "the big one"


def test_two_machines_of_one_name_are_told_apart(server):
    names = [register(server, enrolment.create_token()[0]).json()["name"] for _ in range(3)]

    assert names == ["forge", "forge-2", "forge-3"]


def test_an_agent_of_another_protocol_is_told_so_and_its_token_stays_good(server):
    token, _ = enrolment.create_token()

    refused = register(server, token, protocol=999)

    assert refused.status_code == 409
    assert "protocol" in refused.json()["detail"]
    assert register(server, token).status_code == 201


@pytest.mark.parametrize("hostname", ["", "x" * 256, 7, None, {"$ne": ""}, ["forge"], "a\0b"])
def test_a_host_name_that_is_none_is_refused_before_the_token_is_used(server, hostname):
    token, _ = enrolment.create_token()

    refused = register(server, token, hostname=hostname)

    assert refused.status_code == 400
    assert refused.json()["errors"][0]["field"] == "hostname"
    assert EnrolmentToken.objects.get().used_at is None
