"""How a job ends other than well: the exceptions of the engine, and which of Ollama's failures end a whole job."""

from __future__ import annotations

from typing import Literal, Optional

from .contract import JobError, SampleError
from .ollama_errors import OllamaError

FailedOutcome = Literal["failed", "timed_out"]

# A failure of the connection, the model or the machine: the next request would fail as well.
FATAL_KINDS: dict[str, str] = {
    "refused": "ollama_unreachable",
    "timeout": "ollama_unreachable",
    "not_ollama": "ollama_unreachable",
    "broken_stream": "ollama_died",
    "stalled": "ollama_stalled",
    "model_missing": "model_missing",
    "model_remote": "model_remote",
    "out_of_memory": "out_of_memory",
    "load_failed": "load_failed",
    "server_busy": "server_busy",
    "deadline": "budget_exceeded",
}
# A failure of one request, which ends the job only when it happens again and again.
REPEATED_KINDS: dict[str, str] = {"garbage": "bad_response", "http": "ollama_error"}

TIMED_OUT_KIND = "budget_exceeded"


class Stopped(Exception):
    """`cancel` was set: end now with what there is."""


class JobFailed(Exception):
    """The job cannot go on. `error` is what its result carries."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.error = JobError(kind, message)

    @property
    def outcome(self) -> FailedOutcome:
        return "timed_out" if self.error.kind == TIMED_OUT_KIND else "failed"


def raise_if_fatal(error: Optional[SampleError]) -> None:
    """Raise JobFailed for a sample's error after which measuring on is pointless."""
    if error is not None and error.kind in FATAL_KINDS:
        raise JobFailed(FATAL_KINDS[error.kind], error.message)


def raise_if_repeated(error: Optional[SampleError]) -> None:
    """Raise JobFailed for an error that came back with every retry."""
    if error is not None and error.kind in REPEATED_KINDS:
        raise JobFailed(REPEATED_KINDS[error.kind], error.message)


def failed_by(error: OllamaError) -> JobFailed:
    """The job's end for an error outside of any sample."""
    kind = FATAL_KINDS.get(error.kind) or REPEATED_KINDS.get(error.kind) or "bad_response"
    return JobFailed(kind, error.message)
