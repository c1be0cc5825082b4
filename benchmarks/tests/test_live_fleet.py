"""/ws/fleet: machines as they come, go and work."""

import pytest

from agent.obt_agent import contract
from agents import verbs
from benchmarks.tests import world
from benchmarks.tests.live_socket import Socket, cookie_of
from benchmarks.tests.test_live_session import _pace, stored  # noqa: F401
from obt_site.access import Role
from obt_site.tests.people import person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cookie(_pace):  # noqa: F811
    return cookie_of(person("jo", Role.ADMIN))


async def test_a_first_machine_turns_the_empty_page_into_the_fleet(cookie):
    async with Socket("/ws/fleet", cookie) as socket:
        await socket.message()
        assert "Measure your first machine" in socket.shown["fleet-body"]

        await stored(world.machine, "forge")

        await socket.until("fleet-body", "RTX 4090")
        assert "1 machine, idle." in socket.shown["fleet-head"]


async def test_an_ollama_that_goes_away_is_seen(cookie):
    forge = await stored(world.machine, "forge")
    async with Socket("/ws/fleet", cookie) as socket:
        await socket.message()

        away = contract.OllamaState("http://127.0.0.1:11434", False, problem="refused", message="Ollama refused it")
        await stored(verbs.take_in, forge, world.sync_request(ollama=away))

        await socket.until("fleet-body", "Ollama refused it")


async def test_a_job_that_starts_is_seen_in_its_row_and_in_the_bar_on_top(cookie):
    forge = await stored(world.machine, "forge")
    async with Socket("/ws/fleet", cookie) as socket:
        await socket.message()

        await stored(world.running, forge, world.MODELS[0])

        await socket.until("fleet-body", "Benchmarking")
        assert "1 running" in socket.shown["work"]


async def test_the_part_that_is_shown_stays_the_part_that_is_shown(cookie):
    await stored(world.machine, "forge")
    async with Socket("/ws/fleet?show=offline", cookie) as socket:
        await socket.message()

        assert "No machine is offline" in socket.shown["fleet-body"]


async def test_a_stranger_is_turned_away(cookie):
    async with Socket("/ws/fleet") as socket:
        assert await socket.closed() == 4401
