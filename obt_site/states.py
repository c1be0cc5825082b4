"""How each state looks: a shape, a tone and a word. One table for machines, sessions, jobs and samples."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StateLook:
    """``shape`` is a glyph of :mod:`obt_site.charts.figures`, ``tone`` a colour class, ``word`` what people read."""

    shape: str
    tone: str
    word: str


STATES: dict[str, StateLook] = {
    # machines
    "online": StateLook("ring", "good", "Idle"),
    "idle": StateLook("ring", "good", "Idle"),
    "benchmarking": StateLook("live", "acc", "Benchmarking"),
    "degraded": StateLook("triangle", "warn", "Needs a look"),
    "late": StateLook("triangle", "warn", "Late"),
    "offline": StateLook("cross", "dim", "Offline"),
    "paused": StateLook("pause", "dim", "Paused"),
    # sessions and jobs
    "queued": StateLook("dashed", "dim", "Queued"),
    "offered": StateLook("dashed", "acc", "Starting"),
    "running": StateLook("live", "acc", "Running"),
    "lost": StateLook("triangle", "warn", "Connection lost"),
    "cancelling": StateLook("live", "dim", "Cancelling"),
    "cancelled": StateLook("cross", "dim", "Cancelled"),
    "succeeded": StateLook("check", "good", "Done"),
    "finished": StateLook("check", "good", "Finished"),
    "done": StateLook("check", "good", "Done"),
    "failed": StateLook("square", "bad", "Failed"),
    "timed_out": StateLook("square", "bad", "Timed out"),
    # results, samples and checks
    "valid": StateLook("check", "good", "Valid"),
    "invalid": StateLook("triangle", "warn", "Not valid"),
    "left_out": StateLook("triangle", "warn", "Left out"),
    "not_run": StateLook("dashed", "dim", "not run"),
    "skipped": StateLook("dashed", "dim", "skipped"),
}


def look_of(state: object) -> StateLook:
    """The look of a state; one that is not in the table keeps its own name beside the shape for "not yet"."""
    name = str(getattr(state, "value", state))
    return STATES.get(name, StateLook("dashed", "dim", name.replace("_", " ") or "unknown"))
