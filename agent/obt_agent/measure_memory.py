"""Which models are in Ollama's memory around a job: only the measured one while it runs, and what was there after it.

Other models are unloaded when the job begins (Ollama finishes their running answers first): they take memory and time
from the measured one, and no sample beside them counts. If one comes back, somebody works with it, and the samples say
so. At the end the measured model is unloaded as well, unless it was there before the job.
"""

from __future__ import annotations

import time
from contextlib import suppress

from .cancel import CANCELLED
from .cells_bench import Bench
from .cells_load import POLL_S
from .contract import LoadedModel
from .ollama import OllamaClient, OllamaError

OTHERS_GONE_TIMEOUT_S = 10.0
# A cancelled job must end within two seconds, and this is the last thing it does.
GOODBYE_TIMEOUT_S = 1.0


def make_room(bench: Bench) -> bool:
    """Unload the other models, and say so. Returns whether the measured model was loaded already."""
    loaded = bench.loaded() or []
    others = [model for model in loaded if not bench.is_ours(model)]
    if others:
        for model in others:
            with suppress(OllamaError):
                bench.ollama.unload(model.name)
        left = wait_for_others(bench)
        bench.progress.note(None, sentence(others, left))
    return len(others) < len(loaded)


def wait_for_others(bench: Bench) -> list[LoadedModel]:
    """Wait until no other model is listed; returns those that still are after 10 s."""
    deadline = time.monotonic() + OTHERS_GONE_TIMEOUT_S
    while True:
        left = [model for model in bench.loaded() or [] if not bench.is_ours(model)]
        if not left or time.monotonic() > deadline:
            return left
        bench.pause(POLL_S)


def sentence(others: list[LoadedModel], left: list[LoadedModel]) -> str:
    """What happened to the other models, in words."""
    if left:
        names = ", ".join(model.name for model in left)
        return f"Still in use beside the measured model: {names}. Samples measured beside other models do not count."
    return f"Unloaded, to have the memory for the measured model alone: {', '.join(model.name for model in others)}."


def say_goodbye(bench: Bench) -> None:
    """Unload the measured model and wait a moment until it is gone. Nothing is done when the agent must be quick."""
    if bench.cancel.reason not in (None, CANCELLED):
        return
    client = OllamaClient(bench.ollama.url, read_timeout_s=GOODBYE_TIMEOUT_S)
    with suppress(OllamaError):
        client.unload(bench.offer.model)
        deadline = time.monotonic() + GOODBYE_TIMEOUT_S
        while any(bench.is_ours(model) for model in client.ps()) and time.monotonic() < deadline:
            time.sleep(POLL_S)
