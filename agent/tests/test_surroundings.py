"""What is seen around a sample: on the simulator with a second client, on the real Ollama with a restart."""

from __future__ import annotations

import dataclasses
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import pytest

from agent.obt_agent.contract import RawCounters, Sample, Timing
from agent.obt_agent.ollama import OllamaClient, StreamLimits
from agent.obt_agent.surroundings import Watch, clock_distance_s, moment
from agent.obt_agent.telemetry import Recorder, Stretch
from agent.simulator.server import SimulatedOllama

from .measuring import FAST, digest_of, load

KEEP_ALIVE_S = 600.0


class Quiet:
    """A recording that says what a test wants."""

    def __init__(self, stretch: Stretch | None = None) -> None:
        self.said = stretch
        self.asked: list[tuple[float, float]] = []

    def stretch(self, start_s: float, end_s: float) -> Stretch | None:
        self.asked.append((start_s, end_s))
        return self.said


@pytest.fixture
def ollama() -> Any:
    with SimulatedOllama(models=[FAST]) as simulator:
        yield simulator


def ask(ollama: SimulatedOllama) -> Sample:
    """One request of ours, as a sample."""
    body = {"model": FAST.name, "prompt": "x", "raw": True, "keep_alive": "10m", "options": {"num_predict": 4}}
    generation = OllamaClient(ollama.url).generate(body, StreamLimits(10.0, 10.0))
    assert generation.error is None
    return Sample("tg4", 0, False, generation.raw, Timing(2.0, e2e_ns=generation.e2e_ns))


def watch(ollama: SimulatedOllama, recording: Quiet | None = None, process: psutil.Process | None = None) -> Watch:
    client = OllamaClient(ollama.url)
    return Watch(client, recording or Quiet(), digest_of(ollama.url, FAST.name), KEEP_ALIVE_S, lambda: process)


def seen(watching: Watch, sample: Sample) -> Any:
    (one,) = watching.end([sample])
    assert one.surroundings is not None
    return one.surroundings


def test_a_request_alone_leaves_the_model_to_be_unloaded_when_it_asked_for(ollama: SimulatedOllama) -> None:
    around = seen(watch(ollama), ask(ollama))
    assert abs(around.expiry_off_s) < 2
    assert around.server_version == OllamaClient(ollama.url).version()


def test_another_clients_wish_takes_the_place_of_ours(ollama: SimulatedOllama) -> None:
    sample = ask(ollama)
    body = {"model": FAST.name, "prompt": "x", "keep_alive": "5m", "options": {"num_predict": 1}}
    OllamaClient(ollama.url).generate(body, StreamLimits(10.0, 10.0))
    assert seen(watch(ollama), sample).expiry_off_s == pytest.approx(-300, abs=2)


def test_another_clients_request_that_still_runs_keeps_the_time_from_moving(ollama: SimulatedOllama) -> None:
    before = ask(ollama)
    ollama.add_fault("hang", after_tokens=1, seconds=4.0)
    other = threading.Thread(target=load, args=(ollama, FAST.name))
    other.start()
    ours = dataclasses.replace(before, raw=dataclasses.replace(before.raw, created_at=later(before, 3.0)))
    assert seen(watch(ollama), ours).expiry_off_s == pytest.approx(-3.0, abs=0.5)
    other.join()


def later(sample: Sample, seconds: float) -> str:
    end = moment(sample.raw.created_at)
    assert end is not None
    return (end + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_a_model_that_is_gone_or_an_answer_that_failed_says_nothing_about_others(ollama: SimulatedOllama) -> None:
    sample = ask(ollama)
    failed = dataclasses.replace(sample, raw=RawCounters())
    assert seen(watch(ollama), failed).expiry_off_s is None
    OllamaClient(ollama.url).unload(FAST.name)
    deadline = time.monotonic() + 5
    while OllamaClient(ollama.url).ps():
        assert time.monotonic() < deadline
    assert seen(watch(ollama), sample).expiry_off_s is None


def test_the_process_is_known_by_its_id_and_its_beginning(ollama: SimulatedOllama) -> None:
    own = psutil.Process()
    around = seen(watch(ollama, process=own), ask(ollama))
    assert around.server_process == f"{own.pid}@{own.create_time():.2f}"
    assert seen(watch(ollama), ask(ollama)).server_process is None


def test_the_recording_is_asked_about_the_samples_own_stretch(ollama: SimulatedOllama) -> None:
    recording = Quiet(Stretch(["gpu_0.hw_slowdown"], 1.5, 0.2))
    sample = dataclasses.replace(ask(ollama), timing=Timing(start_s=2.0, e2e_ns=3_000_000_000))
    around = seen(watch(ollama, recording), sample)
    assert recording.asked == [(2.0, 5.0)]
    assert (around.throttle, around.telemetry_gap_s) == (["gpu_0.hw_slowdown"], 1.5)


def test_a_clock_that_nobody_set_did_not_step(ollama: SimulatedOllama) -> None:
    watching = watch(ollama)
    watching.begin()
    assert abs(seen(watching, ask(ollama)).clock_step_s) < 0.05


def test_a_clock_that_was_set_shows_by_how_much(ollama: SimulatedOllama, monkeypatch: pytest.MonkeyPatch) -> None:
    watching = watch(ollama)
    watching.begin()
    set_forward = clock_distance_s() + 60
    monkeypatch.setattr("agent.obt_agent.surroundings.clock_distance_s", lambda: set_forward)
    assert seen(watching, ask(ollama)).clock_step_s == pytest.approx(60, abs=0.05)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-04T05:06:07Z", datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)),
        ("2026-03-04T05:06:07.5Z", datetime(2026, 3, 4, 5, 6, 7, 500_000, tzinfo=UTC)),
        ("2026-03-04T07:06:07.123456789+02:00", datetime(2026, 3, 4, 5, 6, 7, 123_456, tzinfo=UTC)),
        (None, None),
        ("", None),
        ("soon", None),
        ("2026-13-04T05:06:07Z", None),
        ("0001-01-01T00:00:00+02:00", None),
    ],
)
def test_times_are_read_as_go_writes_them(text: str | None, expected: datetime | None) -> None:
    assert moment(text) == expected


def test_a_time_for_ever_is_still_a_time() -> None:
    forever = moment("2318-01-01T00:00:00.000000001+01:00")
    assert forever is not None
    assert forever - datetime.now(UTC) > timedelta(days=365)


def test_nothing_recorded_is_unknown_and_not_a_gap() -> None:
    assert Recorder([]).stretch(0.0, 5.0) is None
