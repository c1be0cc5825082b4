"""Revoking a machine's credential: every call of its agent is refused at once, and the agent ends with a sentence."""

import threading
import time

import pytest
import requests

from agent.obt_agent import contract
from agent.simulator.server import SimulatedOllama
from agents import credentials, enrolment, verbs
from agents.documents import Client
from agents.tests.agent_calls import Machine
from benchmarks import sessions
from benchmarks.documents import LateResult, Result
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api, problem
from obt_site.access import Role
from obt_site.audit import AuditEntry
from obt_site.tests.agent import RunningAgent
from obt_site.tests.people import by_id, links, signed_in, words

pytestmark = pytest.mark.django_db
HELD_S = 25.0
END_S = 30.0


# -- over HTTP -------------------------------------------------------------------------------------------------------


def test_every_call_of_its_agent_is_refused_and_a_running_job_stays_as_it_is(server):
    forge = Machine(server)
    forge.sync(world.sync_request(models=[world.model("a:1")], models_hash="m1"))
    offer = world.running(verbs.find(forge.client), "a:1")
    before = sessions.find_job(offer.job).to_json()

    credentials.revoke(verbs.find(forge.client))

    progress = contract.ProgressRequest(offer.attempt, offer.lease, [contract.Event(2, "live", 1.0)])
    answers = [
        forge.sync(world.sync_request(holding=[world.hold(offer)])),
        forge.call("POST", "credential", contract.CredentialRequest("boot-1")),
        forge.call("POST", f"jobs/{offer.job}/progress", progress),
        forge.call("PUT", f"jobs/{offer.job}/result", world.body(offer)),
    ]
    assert [answer.status_code for answer in answers] == [401] * 4
    assert {answer.json()["detail"] for answer in answers} == {
        "This machine's credential was revoked. Enrol it again with a new token from its page."
    }
    assert sessions.find_job(offer.job).to_json() == before
    assert (Result.objects.count(), LateResult.objects.count()) == (0, 0)


def test_a_poll_that_waits_ends_with_the_refusal(server):
    forge = Machine(server)
    forge.sync(world.sync_request())
    script = server.manage("api_token", "create", "admin", "--role", "admin")
    answers = []
    held = world.sync_request(hold_s=HELD_S, boot_id="held")
    poll = threading.Thread(target=lambda: answers.append(forge.sync(held)))
    poll.start()
    while verbs.find(forge.client).boot_id != "held":
        time.sleep(0.02)
    url = f"{server.url}/api/v1/clients/{forge.client}/revoke"
    revoked = requests.post(url, headers={"Authorization": f"Bearer {script}"}, timeout=30)
    poll.join(HELD_S)

    assert (revoked.status_code, revoked.json()["state"]) == (200, "offline")
    assert answers[0].status_code == 401


def test_the_agent_ends_with_a_sentence_and_enrolled_again_goes_on_as_the_same_machine(server, tmp_path):
    ollama = SimulatedOllama(speed=20).start()
    with RunningAgent(server, ollama.url, tmp_path / "agent") as agent:
        forge = agent.client
        credentials.revoke(forge)
        assert agent.process.wait(END_S) == 1
        assert "no longer accepts this machine's credential; enrol it again with --token" in agent.log()
        assert "was revoked" in agent.log()

        Client.objects(id=forge.id).update_one(set__models_count=0)
        agent.token, _ = enrolment.create_token(client=forge)
        agent.start()

        assert agent.client.id == forge.id
        assert Client.objects.count() == 1
    ollama.stop()


# -- by people -------------------------------------------------------------------------------------------------------


@pytest.fixture
def forge(database):
    return world.machine("forge")


def test_the_page_asks_first_and_then_the_machine_says_how_to_go_on(forge):
    world.session(forge)
    browser = signed_in(Role.ADMIN)

    asked = browser.get(f"/machines/{forge.id}/revoke")
    untouched = verbs.find(str(forge.id)).credential_revoked_at
    done = browser.post(f"/machines/{forge.id}/revoke", follow=True)

    assert "and 2 waiting jobs" in words(asked)
    assert untouched is None
    assert "The credential of forge works no more." in words(done)
    assert "Its agent is refused." in words(done)
    assert f"/machines/add?client={forge.id}" in links(done)
    assert f"/machines/{forge.id}/revoke" not in links(done)
    assert "its credential was revoked" in words(browser.get("/fleet"))


def test_enrolling_again_makes_a_line_for_this_machine_alone(forge):
    browser = signed_in(Role.ADMIN)
    page = browser.get(f"/machines/add?client={forge.id}")

    made = browser.post("/machines/add", {"client": str(forge.id)})

    assert "Enrol forge again" in words(page)
    assert by_id(page, "name") is None
    assert "OBT_ENROL_TOKEN=obte_" in words(made)
    newest, _ = enrolment.tokens()
    assert (newest.for_client, newest.created_by) == (forge.id, "jo")


def test_the_checklist_of_a_machine_enrolled_again_waits_for_its_new_agent(forge):
    browser = signed_in(Role.ADMIN)
    page = browser.post("/machines/add", {"client": str(forge.id)})
    polled = by_id(page, "enrolment")["hx-get"]
    assert "Waiting for the agent to register" in words(browser.get(polled))

    token, _ = enrolment.tokens()
    text = words(page).split("OBT_ENROL_TOKEN=")[1].split()[0]
    assert enrolment.token_id(text) == token.id
    enrolment.register(contract.RegisterRequest(text, "forge", "0.1.0", contract.PROTOCOL))
    registered = words(browser.get(polled))
    verbs.take_in(verbs.find(str(forge.id)), world.sync_request())

    assert "Choose its models" not in registered
    assert "Choose its models" in words(browser.get(polled))


def test_a_machine_that_is_not_there_cannot_be_enrolled_again(database):
    assert signed_in(Role.ADMIN).get("/machines/add?client=6b02d6a12eea9e1e74c2adf2").status_code == 404


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_only_administrators_revoke(forge, role):
    assert signed_in(role).post(f"/machines/{forge.id}/revoke").status_code == 403
    problem(Api(role).post(f"clients/{forge.id}/revoke"), 403)
    assert verbs.find(str(forge.id)).credential_revoked_at is None


def test_by_the_api_it_is_revoked_once_and_written_down(forge):
    api = Api(Role.ADMIN, "ops")

    answer = api.post(f"clients/{forge.id}/revoke")

    assert (answer.status_code, answer.json()["reason"]) == (200, "Its credential was revoked")
    problem(api.post(f"clients/{forge.id}/revoke"), 409)
    problem(api.post("clients/6b02d6a12eea9e1e74c2adf2/revoke"), 404)
    entry = AuditEntry.objects(action="credential.revoke").get()
    assert (entry.actor_kind, entry.actor_name, entry.about_name) == ("token", "ops", "forge")
