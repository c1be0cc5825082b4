"""The agent's memory stays bounded whatever Ollama sends: the most that a real process ever had resident."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agent.truth.process import TruthProcess

from .nasty import Peer, serving

ROOT = Path(__file__).parents[2]
MOST_KIB = 150_000_000 // 1024
CHILD = """
import sys
from agent.obt_agent.ollama import OllamaClient, StreamLimits

url, what = sys.argv[1:]
client, limits = OllamaClient(url), StreamLimits(60.0, 60.0, None, 200_000)
if what == "embed":
    answer = client.embed({"model": "m", "input": ["a"] * 256}, limits)
elif what == "tags":
    try:
        answer = client.tags()
    except Exception as error:
        answer = type("Answer", (), {"error": error, "chunk_ns": []})
else:
    answer = client.generate({"model": what, "prompt": "x", "options": {"num_predict": 100_000}}, limits)
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(answer.error.kind if answer.error else "none", len(answer.chunk_ns), peak)
"""

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="only Linux keeps the most a process had"
)


def child(url: str, what: str) -> tuple[str, int, int]:
    """(error, chunks, peak KiB) of a process that asked for it."""
    command = [sys.executable, "-c", CHILD, url, what]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    error, chunks, peak = done.stdout.split()
    return error, int(chunks), int(peak)


def test_a_stream_of_100_000_chunks_is_kept_whole_in_bounded_memory() -> None:
    with TruthProcess() as truth:
        error, chunks, peak = child(truth.url, "flood")
    assert (error, chunks) == ("none", 100_000)
    assert peak < MOST_KIB


def test_a_line_of_hundreds_of_megabytes_is_cut_off_in_bounded_memory() -> None:
    with TruthProcess() as truth:
        error, _, peak = child(truth.url, "long-line")
    assert error == "garbage"
    assert peak < MOST_KIB


@pytest.mark.parametrize(
    ("what", "body", "error"),
    [
        (
            "embed",
            b'{"embeddings":[' + b",".join([b"[" + b",".join([b"-0.012345"] * 4096) + b"]"] * 256) + b"]}",
            "none",
        ),
        ("embed", b'{"embeddings":[' + b"[]," * 4_000_000 + b"[]]}", "garbage"),
        ("embed", b'{"embeddings":[[' + b"1234," * 3_000_000 + b"1]]}", "garbage"),
        ("embed", b"[" * 15_000_000, "garbage"),
        ("tags", b'{"models":[' + b"{}," * 1_200_000 + b"{}]}", "garbage"),
        ("tags", b"x" * 50_000_000, "garbage"),
        ("long", b'{"response":"' + b"x" * 70_000_000, "garbage"),
    ],
    ids=["vectors", "empty vectors", "numbers", "nesting", "models", "text", "line"],
)
def test_an_answer_made_to_grow_when_it_is_parsed_stays_small(what: str, body: bytes, error: str) -> None:
    with serving(lambda peer: Peer.answer(peer, body)) as url:
        kind, _, peak = child(url, what)
    assert kind == error
    assert peak < MOST_KIB
