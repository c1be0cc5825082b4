"""What an agent in a test speaks to: `from agent.tests.loop_fixtures import ollama as ollama, server as server`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent.simulator.server import SimulatedOllama
from agent.tests.fake_server import FakeServer


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A scripted server, which has nothing to object to when the test is over."""
    fake = FakeServer().start()
    yield fake
    fake.stop()
    assert fake.problems == []


@pytest.fixture(scope="module")
def ollama() -> Iterator[str]:
    """The address of a simulated Ollama."""
    simulated = SimulatedOllama(speed=20).start()
    yield simulated.url
    simulated.stop()
