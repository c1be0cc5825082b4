from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from agent.obt_agent.watch import OllamaWatch
from agent.simulator.models import ModelSpec
from agent.simulator.server import SimulatedOllama


@pytest.fixture
def changes() -> list[float]:
    return []


@pytest.fixture
def ollama() -> Iterator[SimulatedOllama]:
    simulated = SimulatedOllama([ModelSpec(f"model-{n}") for n in range(3)]).start()
    yield simulated
    simulated.stop()


def watch_of(url: str, changes: list[float], busy: bool = False) -> OllamaWatch:
    return OllamaWatch(url, lambda: changes.append(time.monotonic()), lambda: busy, local=lambda url: True)


def until(what: object, timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not what():  # type: ignore[operator]
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.01)


def test_it_reads_the_version_and_knows_a_simulator(ollama: SimulatedOllama, changes: list[float]) -> None:
    watch = watch_of(ollama.url, changes)
    watch.refresh_state()
    assert watch.state.reachable
    assert watch.state.simulated
    assert watch.state.local is True
    assert watch.state.problem is None
    assert len(changes) == 1
    watch.refresh_state()
    assert len(changes) == 1


def test_a_refused_connection_is_said_with_its_address(ollama: SimulatedOllama, changes: list[float]) -> None:
    ollama.stop()
    watch = watch_of(ollama.url, changes)
    watch.refresh_state()
    assert watch.state.problem == "refused"
    assert watch.state.message == f"Ollama refused the connection at {ollama.url}."


def test_an_ollama_that_starts_later_is_noticed_and_its_models_read(
    ollama: SimulatedOllama, changes: list[float]
) -> None:
    ollama.stop()
    watch = watch_of(ollama.url, changes)
    watch.start()
    assert watch.models is None
    ollama.start()
    until(lambda: watch.models)
    watch.stop()
    assert {model.name for model in watch.models or []} == {"model-0:latest", "model-1:latest", "model-2:latest"}
    assert all(model.context_length for model in watch.models or [])


def test_the_models_hash_changes_only_with_the_models(ollama: SimulatedOllama, changes: list[float]) -> None:
    watch = watch_of(ollama.url, changes)
    watch.refresh_models()
    first = watch.models_hash
    watch.refresh_models()
    assert watch.models_hash == first
    assert len(changes) == 1
    ollama.world.models.add(ModelSpec("another"))
    watch.refresh_models()
    assert watch.models_hash != first
    assert len(changes) == 2


def test_each_digest_is_shown_once(ollama: SimulatedOllama, changes: list[float]) -> None:
    watch = watch_of(ollama.url, changes)
    watch.refresh_models()
    ollama.world.log.clear()
    watch.refresh_models()
    assert [entry for entry in ollama.world.log.all() if entry["endpoint"] == "/api/show"] == []


def test_three_hundred_models_are_read_beside_the_heartbeat(changes: list[float]) -> None:
    many = SimulatedOllama([ModelSpec(f"model-{n}") for n in range(300)]).start()
    watch = watch_of(many.url, changes)
    begun = time.monotonic()
    watch.start()
    assert time.monotonic() - begun < 1.0  # the first heartbeat does not wait for them
    until(lambda: watch.models)
    assert len(watch.models or []) == 300
    assert time.monotonic() - begun < 15.0
    watch.stop()
    many.stop()


def test_while_measuring_only_what_is_loaded_is_asked(ollama: SimulatedOllama, changes: list[float]) -> None:
    measuring = threading.Event()
    watch = OllamaWatch(ollama.url, lambda: changes.append(0.0), measuring.is_set, local=lambda url: True)
    watch.refresh_state()
    before = watch.state
    ollama.world.version = "9.9.9"
    measuring.set()
    watch.refresh_state()
    assert watch.state == before  # the version was not asked for
    measuring.clear()
    watch.refresh_state()
    assert watch.state.version == "9.9.9"


def test_an_ollama_that_dies_while_measuring_is_noticed(ollama: SimulatedOllama, changes: list[float]) -> None:
    watch = OllamaWatch(ollama.url, lambda: changes.append(0.0), lambda: True, local=lambda url: True)
    watch.refresh_state()
    ollama.stop()
    watch.refresh_state()
    assert watch.state.problem == "refused"
