"""pytest fixtures that give tests a running real Ollama. A plugin: the root conftest.py names it in `pytest_plugins`.

Where Ollama is not built the tests are skipped with a sentence; in CI (`CI=true`), and with
`OBT_REQUIRE_REAL_OLLAMA=1`, they fail instead. Tests that use them carry two marks, as one: `REAL_OLLAMA_MARKS`, which
also puts them on one pytest-xdist worker, so that one Ollama serves them all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import pytest

from agent.real_ollama.models import TINY_MODELS, TinyModel
from agent.real_ollama.serve import OllamaNotBuilt, RealOllama
from agent.real_ollama.tools import DEFAULT_VERSION, ollama_binary

REAL_OLLAMA_MARKS = [pytest.mark.real_ollama, pytest.mark.xdist_group("real_ollama")]

StartRealOllama = Callable[..., RealOllama]


def must_be_there() -> bool:
    """Whether a missing Ollama fails the tests instead of skipping them."""
    return os.environ.get("CI") == "true" or os.environ.get("OBT_REQUIRE_REAL_OLLAMA") == "1"


def require_built_ollama(version: str = DEFAULT_VERSION) -> None:
    """Skip or fail the running test, with a sentence, unless this release is built."""
    if ollama_binary(version).is_file():
        return
    if must_be_there():
        pytest.fail(f"{OllamaNotBuilt(version)} It must be there in CI.", pytrace=False)
    pytest.skip(str(OllamaNotBuilt(version)))


@pytest.fixture(scope="session")
def real_ollama_server() -> Iterator[RealOllama]:
    """A real Ollama with the tiny models, shared by the worker's tests: leave its models as they are."""
    require_built_ollama()
    with RealOllama() as ollama:
        yield ollama


@pytest.fixture(scope="session")
def real_ollama(real_ollama_server: RealOllama) -> str:
    """The base URL of the shared real Ollama."""
    return real_ollama_server.url


@pytest.fixture(scope="session")
def real_ollama_models(real_ollama_server: RealOllama) -> list[str]:
    """The names of the shared real Ollama's models."""
    return real_ollama_server.model_names


@pytest.fixture
def start_real_ollama() -> Iterator[StartRealOllama]:
    """Start a real Ollama of the test's own (to break, to kill, to add models to); all end with the test."""
    require_built_ollama()
    with ExitStack() as running:

        def start(models: Sequence[TinyModel] = TINY_MODELS, environment: dict[str, str] | None = None) -> RealOllama:
            return running.enter_context(RealOllama(models, environment=environment))

        yield start
