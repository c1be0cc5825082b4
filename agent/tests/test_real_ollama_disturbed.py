"""Jobs that are disturbed on the real Ollama: a restart between two samples, and a second client beside the agent."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from agent.obt_agent.validity import is_valid
from agent.real_ollama.fixtures import REAL_OLLAMA_MARKS, StartRealOllama
from agent.real_ollama.models import NEVER_STOPS

from .conftest import REQUEST_TIMEOUT_S
from .measuring import TG16, World, samples_of

pytestmark = REAL_OLLAMA_MARKS

TG16X5 = dataclasses.replace(TG16, repetitions=5)
DISTURBED_AFTER = 1
OTHERS_TOKENS = 1500


def test_the_first_sample_after_a_real_restart_is_flagged_and_no_other(
    start_real_ollama: StartRealOllama, tmp_path: Path
) -> None:
    ollama = start_real_ollama(models=[NEVER_STOPS])
    job = World(ollama.url, NEVER_STOPS.name, [TG16X5], tmp_path)

    def restart(event: dict[str, Any]) -> None:
        if event["index"] == DISTURBED_AFTER and not event["warmup"]:
            ollama.process.kill()
            ollama.process.start()

    job.when["sample"] = restart
    result = job.run()
    samples = samples_of(result, TG16X5.name)
    first = samples[DISTURBED_AFTER + 1]
    assert result.outcome == "succeeded"
    assert "server_restarted" in first.flags
    assert [one.index for one in samples if "server_restarted" in one.flags] == [first.index]
    assert len([one for one in samples if is_valid(one)]) == TG16X5.repetitions
    processes = [one.surroundings.server_process for one in samples if one.surroundings]
    assert len(set(processes)) == 2


@pytest.mark.parametrize("num_parallel", ["1", "4"])
def test_a_second_client_of_the_real_ollama_is_noticed_whether_ours_waits_for_it_or_runs_beside_it(
    start_real_ollama: StartRealOllama, tmp_path: Path, num_parallel: str
) -> None:
    ollama = start_real_ollama(models=[NEVER_STOPS], environment={"OLLAMA_NUM_PARALLEL": num_parallel})
    job = World(ollama.url, NEVER_STOPS.name, [TG16X5], tmp_path)
    others: list[threading.Thread] = []

    def meddle() -> None:
        options = {"num_predict": OTHERS_TOKENS, "num_ctx": TG16X5.num_ctx}
        body = {"model": NEVER_STOPS.name, "prompt": "me too", "raw": True, "keep_alive": "5m", "options": options}
        with requests.post(f"{ollama.url}/api/generate", json=body, stream=True, timeout=REQUEST_TIMEOUT_S) as answer:
            lines = answer.iter_lines()
            next(lines)
            under_way.set()
            list(lines)

    under_way = threading.Event()

    def begin(event: dict[str, Any]) -> None:
        if event["index"] == DISTURBED_AFTER and not event["warmup"] and not others:
            others.append(threading.Thread(target=meddle))
            others[0].start()
            assert under_way.wait(REQUEST_TIMEOUT_S)

    job.when["sample"] = begin
    result = job.run()
    others[0].join(REQUEST_TIMEOUT_S)
    samples = samples_of(result, TG16X5.name)
    flagged = [one.index for one in samples if "other_client" in one.flags]
    assert DISTURBED_AFTER + 1 in flagged
    assert not any("other_client" in one.flags for one in samples[: DISTURBED_AFTER + 1])
    assert all(not is_valid(one) for one in samples if one.index in flagged)
