"""Helpers for tests that talk to a real Ollama. Its fixtures come from `agent.real_ollama.fixtures`."""

from __future__ import annotations

import uuid
from typing import Any, Protocol

import pytest
import requests

REQUEST_TIMEOUT_S = 60
# Everything that changes speed or content, as OBT pins it.
PINNED_OPTIONS = {"num_ctx": 4096, "temperature": 0, "seed": 1, "repeat_penalty": 1, "stop": []}


class Ask(Protocol):
    """Send one raw, unstreamed generate request and return the answer, whatever its status."""

    def __call__(self, model: str, prompt: str, num_predict: int, **options: Any) -> requests.Response: ...


@pytest.fixture
def ask(real_ollama: str) -> Ask:
    """`ask(model, prompt, num_predict, **options)` of the shared real Ollama."""

    def send(model: str, prompt: str, num_predict: int, **options: Any) -> requests.Response:
        body = {
            "model": model,
            "prompt": prompt,
            "raw": True,
            "stream": False,
            "truncate": False,
            "options": {**PINNED_OPTIONS, "num_predict": num_predict, **options},
        }
        return requests.post(f"{real_ollama}/api/generate", json=body, timeout=REQUEST_TIMEOUT_S)

    return send


@pytest.fixture
def fresh_prompt() -> str:
    """About 1,200 tokens that no request has had before, different from the first character on."""
    return f"{uuid.uuid4().hex} " + "Measure what is, and say how. " * 50
