"""Whole jobs on an Ollama that hangs, lies, or sends what is no answer: named, kept, flagged, and the next job runs."""

from __future__ import annotations

import dataclasses
import multiprocessing
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agent.obt_agent.contract import ResultBody, Sample
from agent.obt_agent.validity import is_valid

from .measuring import PP64, TG16, World, flags_beside_gaps, samples_of, the_one_that_failed
from .nasty import NastyOllama, Peer, Play, serving

MIB = 1024 * 1024
MOST_RESIDENT_BYTES = 150 * MIB
AFTER = dataclasses.replace(PP64, num_ctx=4096)  # another setting: its cells come after those of the first


@pytest.fixture
def ollama() -> NastyOllama:
    return NastyOllama()


@pytest.fixture
def url(ollama: NastyOllama) -> Iterator[str]:
    with serving(ollama.play) as address:
        yield address


def job_of(url: str, folder: Path, **offer: Any) -> World:
    """TG16, then a cell of another setting."""
    settings = {"stall_timeout_s": 0.5, "digest": NastyOllama.DIGEST, **offer}
    return World(url, NastyOllama.MODEL, [TG16, AFTER], folder, **settings)


def after_the_first_sample(job: World, ollama: NastyOllama, play: Play, times: int) -> ResultBody:
    """The job, with an Ollama that misbehaves from its second sample on."""

    def order(event: dict[str, Any]) -> None:
        if event["cell"] == "tg16" and event["index"] == 0 and not event["warmup"]:
            ollama.misbehave(play, times)

    job.when["sample"] = order
    return job.run()


# -- what is no answer -------------------------------------------------------------------------------------------


def raw_line(line: bytes) -> Play:
    def play(peer: Peer) -> None:
        peer.head()
        peer.line(response="t")
        peer.chunk(line + b"\n")
        peer.end()

    return play


def megabytes_on_one_line(peer: Peer) -> None:
    peer.head()
    peer.line(response="t")
    for _ in range(512):
        peer.chunk(b"x" * 65536)
    peer.chunk(b"\n")
    peer.end()


def tokens_without_end(peer: Peer) -> None:
    peer.head()
    while True:
        peer.line(response="t")


def emptiness_without_end(peer: Peer) -> None:
    peer.head()
    while True:
        peer.line(response="", padding="x" * 500_000)


NO_ANSWERS = [
    pytest.param(raw_line(b"{{{ no JSON"), "not JSON", id="garbage"),
    pytest.param(raw_line(b'{"response": "t", "eval_count": NaN}'), "not JSON", id="nan"),
    pytest.param(raw_line(b'{"done": true, "eval_duration": Infinity}'), "not JSON", id="infinity"),
    pytest.param(raw_line(b'{"response": "t", "response": 7}'), "not JSON", id="twice"),
    pytest.param(raw_line(b"\xff\xfe\x00"), "not JSON", id="not-utf-8"),
    pytest.param(megabytes_on_one_line, "far more data", id="one-line"),
    pytest.param(tokens_without_end, "more pieces of text than tokens", id="endless-tokens"),
    pytest.param(emptiness_without_end, "far more data", id="endless-nothing"),
]


@pytest.mark.parametrize(("play", "words"), NO_ANSWERS)
def test_what_is_no_answer_is_kept_and_taken_again(
    ollama: NastyOllama, url: str, tmp_path: Path, play: Play, words: str
) -> None:
    result = after_the_first_sample(job_of(url, tmp_path), ollama, play, times=1)
    assert (result.outcome, result.error) == ("succeeded", None)
    failed = the_one_that_failed(samples_of(result, "tg16"))
    assert failed.error is not None
    assert failed.error.kind == "garbage"
    assert words in failed.error.message
    assert len(failed.error.message) < 500
    assert failed.flags == ["error", "not_done"]


@pytest.mark.parametrize(("play", "words"), NO_ANSWERS)
def test_an_ollama_that_has_only_such_answers_fails_the_job_and_the_next_one_runs(
    ollama: NastyOllama, url: str, tmp_path: Path, play: Play, words: str
) -> None:
    result = after_the_first_sample(job_of(url, tmp_path / "bad"), ollama, play, times=3)
    assert result.outcome == "failed"
    assert result.error is not None
    assert result.error.kind == "bad_response"
    assert words in result.error.message
    assert [is_valid(sample) for sample in samples_of(result, "tg16")] == [True, False, False, False]
    assert result.cells[0].stopped == result.error.message
    assert result.cells[1].skipped == "The job ended before this cell."
    assert job_of(url, tmp_path / "good").run().outcome == "succeeded"


# -- lies --------------------------------------------------------------------------------------------------------


def lying(ollama: NastyOllama, **lies: Any) -> Play:
    """A whole answer of 16 tokens whose final message says something else in these fields."""

    def play(peer: Peer) -> None:
        begun = time.perf_counter_ns()
        peer.head()
        for _ in range(16):
            peer.line(response="t")
        peer.line(**{**ollama.final(32, 16, begun), **lies})
        peer.end()

    return play


@pytest.mark.parametrize(
    ("lies", "flags"),
    [
        ({"eval_count": 15}, {"wrong_length"}),
        ({"eval_count": 1_000_000}, {"wrong_length"}),
        ({"eval_count": 3}, {"wrong_length", "nonsense_counters"}),
        ({"eval_count": -16}, {"error", "wrong_length", "no_counters", "nonsense_counters"}),
        ({"eval_count": "16"}, {"error", "wrong_length", "no_counters", "nonsense_counters"}),
        ({"eval_duration": 10**15}, {"nonsense_counters"}),
        ({"eval_duration": 0}, {"nonsense_counters"}),
        ({"eval_duration": 10**30}, {"error", "no_counters", "nonsense_counters"}),
        ({"eval_duration": 0.5}, {"error", "no_counters", "nonsense_counters"}),
        ({"eval_duration": None}, {"no_counters"}),
        ({"total_duration": 10**15}, {"nonsense_counters"}),
        ({"prompt_eval_cached_count": 30}, {"cache_hit"}),
        ({"done_reason": "stop"}, {"wrong_length"}),
        ({"load_duration": 5 * 10**9}, {"reloaded", "nonsense_counters"}),
    ],
)
def test_a_lie_is_kept_with_its_flags_and_never_counted(
    ollama: NastyOllama, url: str, tmp_path: Path, lies: dict[str, Any], flags: set[str]
) -> None:
    result = after_the_first_sample(job_of(url, tmp_path), ollama, lying(ollama, **lies), times=1)
    assert result.outcome == "succeeded"
    assert set(the_one_that_failed(samples_of(result, "tg16")).flags) == flags


def test_a_lie_about_the_prompts_length_spoils_no_more_than_the_next_prompt(
    ollama: NastyOllama, url: str, tmp_path: Path
) -> None:
    lie = lying(ollama, prompt_eval_count=512)
    result = after_the_first_sample(job_of(url, tmp_path), ollama, lie, times=1)
    assert result.outcome == "succeeded"
    flags = flags_beside_gaps(samples_of(result, "tg16"))
    assert [flag for flag in flags if flag] == [["prompt_off_target"]] * 2


# -- silence -----------------------------------------------------------------------------------------------------


def hang(peer: Peer) -> None:
    peer.head()
    peer.line(response="t")
    peer.hold()


def drip(peer: Peer) -> None:
    """A byte now and then: never long enough silent to be stalled, and never done."""
    peer.head()
    while not peer.stopping.wait(0.05):
        peer.chunk(b" ")


def test_an_ollama_that_hangs_has_stalled_and_the_next_job_runs(ollama: NastyOllama, url: str, tmp_path: Path) -> None:
    result = after_the_first_sample(job_of(url, tmp_path / "bad"), ollama, hang, times=1)
    assert result.error is not None
    assert result.error.kind == "ollama_stalled"
    assert "no data for 0.5 s" in result.error.message  # in the middle of an answer: never more patience
    assert samples_of(result, "tg16")[1].flags == ["error", "not_done"]
    assert job_of(url, tmp_path / "good").run().outcome == "succeeded"


def test_an_answer_that_drips_for_ever_ends_with_the_budget(ollama: NastyOllama, url: str, tmp_path: Path) -> None:
    result = after_the_first_sample(job_of(url, tmp_path, budget_s=2.0), ollama, drip, times=1)
    assert result.outcome == "timed_out"
    assert result.duration_s < 2.0 * 1.5 + 1.0
    last: Sample = samples_of(result, "tg16")[-1]
    assert last.error is not None
    assert last.error.kind == "deadline"


# -- another server ----------------------------------------------------------------------------------------------


def test_an_ollama_that_became_another_between_samples_is_flagged(
    ollama: NastyOllama, url: str, tmp_path: Path
) -> None:
    job = job_of(url, tmp_path)

    def upgrade(event: dict[str, Any]) -> None:
        if event["cell"] == "tg16" and event["index"] == 1 and not event["warmup"]:
            ollama.version = "0.25.0"

    job.when["sample"] = upgrade
    result = job.run()
    flags = flags_beside_gaps(samples_of(result, "tg16"))
    assert flags[:2] == [[], []]
    assert flags[-3:] == [["server_restarted"]] * 3
    assert "started anew" in (result.cells[0].stopped or "")
    assert flags_beside_gaps(samples_of(result, "pp64")) == [[]] * len(samples_of(result, "pp64"))


# -- memory ------------------------------------------------------------------------------------------------------


def most_resident_bytes(url: str, folder: Path) -> int:
    """Runs a job in this process, which is a new one; the most memory it ever had."""
    result = job_of(url, folder).run()
    assert result.outcome == "succeeded"
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="the most memory a process had is read from /proc")
@pytest.mark.parametrize("play", [megabytes_on_one_line, tokens_without_end, emptiness_without_end])
def test_memory_stays_bounded_whatever_is_sent(ollama: NastyOllama, url: str, tmp_path: Path, play: Play) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as apart:
        ran = apart.submit(most_resident_bytes, url, tmp_path)
        while ollama.asked < 4 and not ran.done():  # two to calibrate, a warm-up, a sample
            time.sleep(0.01)
        ollama.misbehave(play)
        assert ran.result(timeout=60) < MOST_RESIDENT_BYTES
    assert ollama.asked > 9
