"""Samples of whole jobs carry what went on around them."""

from __future__ import annotations

from pathlib import Path

import psutil

from agent.obt_agent.ollama import OllamaClient, StreamLimits
from agent.real_ollama.fixtures import REAL_OLLAMA_MARKS
from agent.simulator.server import SimulatedOllama

from .measuring import FAST, TG16, World, samples_of, world


def test_each_sample_of_a_quiet_job_has_quiet_surroundings(tmp_path: Path) -> None:
    with SimulatedOllama(models=[FAST]) as simulator:
        samples = samples_of(world(simulator, tmp_path, TG16).run(), "tg16")
    assert len(samples) >= TG16.repetitions
    for sample in samples:
        around = sample.surroundings
        assert around is not None
        assert around.server_version
        assert around.telemetry_interval_s == 0.2
        assert around.throttle == []
        assert around.expiry_off_s is not None
        assert "other_client" not in sample.flags


def test_another_clients_request_between_two_samples_disturbs_neither(tmp_path: Path) -> None:
    with SimulatedOllama(models=[FAST]) as simulator:
        job = world(simulator, tmp_path, TG16)
        meddling = OllamaClient(simulator.url)
        body = {"model": FAST.name, "prompt": "x", "keep_alive": "5m", "options": {"num_predict": 1, "num_ctx": 2048}}

        def meddle(event: object) -> None:
            meddling.generate(body, StreamLimits(10.0, 10.0))

        take = job.store.keep
        job.store.keep = lambda sample: (take(sample), meddle(sample))[0]  # type: ignore[method-assign]
        result = job.run()
    # Between two samples the other one's wish is overwritten by ours: nothing is flagged that was not disturbed.
    assert not any("other_client" in sample.flags for sample in samples_of(result, "tg16"))


class TestReal:
    pytestmark = REAL_OLLAMA_MARKS

    def test_the_real_ollamas_process_and_its_time_of_unloading_are_seen(
        self, real_ollama: str, tmp_path: Path
    ) -> None:
        for sample in samples_of(World(real_ollama, "obt-tiny:latest", [TG16], tmp_path).run(), "tg16"):
            around = sample.surroundings
            assert around is not None
            assert around.server_process
            assert "ollama" in psutil.Process(int(around.server_process.split("@")[0])).name()
            assert around.expiry_off_s is not None
            assert abs(around.expiry_off_s) < 1
            assert sample.flags == []
