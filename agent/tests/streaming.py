"""One request to a server that plays a script: what the stream tests share."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from agent.obt_agent.cancel import Cancel
from agent.obt_agent.stream import Generation, Stream, StreamLimits
from agent.obt_agent.wire import dumps

from .nasty import Peer, Play, serving

DONE = {
    "done": True,
    "done_reason": "length",
    "response": "",
    "total_duration": 50_000_000,
    "load_duration": 1_000_000,
    "prompt_eval_count": 9,
    "prompt_eval_duration": 2_000_000,
    "eval_count": 3,
    "eval_duration": 4_000_000,
    "created_at": "2026-01-01T00:00:00Z",
}
LIMITS = StreamLimits(first_byte_s=5.0, stall_s=5.0)
QUICK = StreamLimits(first_byte_s=0.3, stall_s=0.2)


def read(play: Play, limits: StreamLimits = LIMITS, cancel: Cancel | None = None) -> Generation:
    """One request to a server that plays `play`."""
    with serving(play) as url:
        return Stream(urlsplit(url), dumps({"model": "m"}), limits, "m").run(cancel)


def error_kind(generation: Generation) -> str | None:
    return generation.error.kind if generation.error else None


def lines(*messages: dict[str, Any]) -> Play:
    """Play a whole stream of these messages."""

    def play(peer: Peer) -> None:
        peer.head()
        for message in messages:
            peer.line(**message)
        peer.end()

    return play
