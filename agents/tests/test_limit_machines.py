"""So many machines may be enrolled."""

import pytest

from agent.obt_agent import contract
from agents import enrolment, removal
from agents.documents import Client
from benchmarks.tests import world
from obt_site.errors import Conflict


@pytest.fixture
def forge(settings, database):
    settings.MACHINES_MAXIMUM = 1
    return world.machine("forge")


def test_one_too_many_is_refused_with_the_number_and_how_to_raise_it(forge):
    with pytest.raises(Conflict) as refusal:
        world.register("anvil")

    assert refusal.value.detail == (
        "There are at most 1 machines; with this one it would be 2. "
        "Remove one, or raise OBT_MACHINES and start the server again."
    )
    assert Client.objects.count() == 1


def test_its_token_stays_good_until_there_is_room(forge):
    token, _ = enrolment.create_token()
    request = contract.RegisterRequest(token, "anvil", "0.1.0", contract.PROTOCOL)
    with pytest.raises(Conflict):
        enrolment.register(request)

    removal.remove(forge, "jo")

    assert enrolment.register(request).name == "anvil"
