"""One credential used from two places at a time is seen by the ids of the agents' starts, and a restart is not it."""

import time
from datetime import timedelta

import pytest

from agents import doubles, verbs
from agents.documents import Client, Event
from agents.tests.agent_calls import Machine
from benchmarks.tests import world
from obt_site import actor
from obt_site.access import Role
from obt_site.clock import now
from obt_site.tests.people import signed_in, words

DEADLINE_S = 60.0
STEP = timedelta(seconds=5)  # between two syncs of two agents that each sync every ten


def spoken(*boots, step=STEP):
    """A machine to which agents of these starts spoke, one after the other; whether it was found to be doubled."""
    client = Client(name="forge")
    moment = now()
    with actor.acting(actor.THE_SERVER):
        return _spoken(client, moment, boots, step)


def _spoken(client, moment, boots, step):
    for boot in boots:
        moment += step
        for key, value in doubles.judge(client, boot, f"host-of-{boot}", moment).items():
            client[key] = value
        client.boot_id = boot
    return client


@pytest.mark.parametrize(
    "boots",
    [
        "aaaaaa",  # one agent
        "aaabbb",  # restarted, or the machine was
        "abcdefgh",  # restarted again and again
        "aaabab",  # the last message of the one before came late
        "aabbabbbb",
    ],
)
def test_one_agent_is_one_however_often_it_is_started(boots):
    assert spoken(*boots).doubled_at is None


@pytest.mark.parametrize("boots", ["ababab", "aabbaabbaab", "abcabc"])
def test_agents_that_take_turns_are_two(boots):
    assert spoken(*boots).doubled_at is not None


def test_a_burst_of_late_messages_is_not_two_agents():
    assert spoken(*"abababab", step=timedelta(milliseconds=200)).doubled_at is None


def test_turns_far_apart_are_not_two_at_a_time():
    assert spoken(*"ababab", step=timedelta(minutes=3)).doubled_at is None


def test_what_is_kept_of_starts_is_bounded():
    client = spoken(*(str(number % 40) for number in range(400)))

    assert len(client.boots) <= doubles.STARTS_KEPT
    assert len(client.boot_returns) <= 10 * doubles.RETURNS


def test_both_places_are_named():
    assert doubles.where(spoken(*"ababab").boots) == "host-of-a and host-of-b"


@pytest.mark.django_db
def test_two_agents_with_one_credential_are_shown_with_what_to_do_and_go_on(server):
    forge = Machine(server)
    deadline = time.monotonic() + DEADLINE_S
    while verbs.find(forge.client).doubled_at is None:
        assert time.monotonic() < deadline
        for boot in ("one", "two"):
            answer = forge.sync(world.sync_request(boot_id=boot, hostname=f"host-{boot}", hold_s=0.5))
            assert answer.status_code == 200
    browser = signed_in(Role.ADMIN)

    page, fleet = words(browser.get(f"/machines/{forge.client}")), words(browser.get("/fleet"))

    both = "host-one at 127.0.0.1 and host-two at 127.0.0.1"
    assert f"Two agents use it: {both}" in page
    assert "credential.json" in page
    assert f"Two agents use the credential of forge: {both}" in fleet
    assert [event.words for event in Event.objects(kind="credential_shared")] == [
        f"Two agents use the credential of forge: {both}"
    ]


@pytest.mark.django_db
def test_it_is_shown_no_more_when_it_has_ended(database):
    forge = world.machine("forge")
    Client.objects(id=forge.id).update_one(set__doubled_at=now() - doubles.SHOWN_FOR - timedelta(seconds=1))

    assert "Two agents" not in words(signed_in(Role.ADMIN).get(f"/machines/{forge.id}"))
