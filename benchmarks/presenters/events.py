"""What happened in a session, newest first: samples and notes of live tails, beginnings and ends of jobs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bson import ObjectId

from agent.obt_agent.validity import SENTENCES
from benchmarks.lifecycle import State
from benchmarks.presenters.stored import Stored

SHOWN = 30
ENDS = {
    State.SUCCEEDED: ("succeeded", "job done"),
    State.FAILED: ("failed", "job failed"),
    State.TIMED_OUT: ("timed_out", "timed out"),
    State.CANCELLED: ("cancelled", "job cancelled"),
}


@dataclass(frozen=True)
class Entry:
    """One line of the log. `look` is a state of obt_site.states; `value` the sample's number, if it counts."""

    at: datetime
    machine: str
    what: str
    look: str
    word: str
    value: float | None
    unit: str
    words: str
    result: str | None = None


def of(jobs: Sequence[Stored], tails: Mapping[ObjectId, Stored]) -> list[Entry]:
    """The last SHOWN events."""
    found: list[Entry] = []
    for job in jobs:
        found += _of_job(job)
        tail = tails.get(job["_id"])
        if tail is not None:
            found += _samples(job, tail["samples"]) + _notes(job, tail["notes"])
    # Of two at the same moment the later in the list is the newer one.
    ordered = sorted(enumerate(found), key=lambda numbered: (numbered[1].at, numbered[0]), reverse=True)
    return [entry for _, entry in ordered[:SHOWN]]


def _machine(job: Stored) -> str:
    return str(job.get("client_name") or "a machine")


def _of_job(job: Stored) -> list[Entry]:
    found = []
    model, machine = job["model"], _machine(job)
    if job.get("started_at"):
        attempt = f"attempt {job['attempt']}" if job["attempt"] > 1 else ""
        found.append(Entry(job["started_at"], machine, model, "running", "job started", None, "", attempt))
    state = State(job["state"])
    if job.get("finished_at") and state in ENDS:
        look, word = ENDS[state]
        message = (job.get("error") or {}).get("message") or ""
        found.append(Entry(job["finished_at"], machine, model, look, word, None, "", message, job.get("result")))
    return found


def _samples(job: Stored, samples: Iterable[Stored]) -> list[Entry]:
    return [_sample(job, sample) for sample in samples if sample.get("received_at")]


def _sample(job: Stored, sample: Stored) -> Entry:
    number = (sample.get("index") or 0) + 1
    word = f"warm-up {number}" if sample["warmup"] else f"sample {number}"
    is_out = sample.get("valid") is False and not sample["warmup"]
    words = in_words(sample.get("flags") or ()) if is_out else sample.get("text") or ""
    return Entry(
        at=sample["received_at"],
        machine=_machine(job),
        what=sample.get("cell") or "",
        look="left_out" if is_out else "valid",
        word=word,
        value=None if is_out else sample.get("value"),
        unit=sample.get("unit") or "",
        words=words,
    )


def in_words(flags: Iterable[str]) -> str:
    """The gates a sample failed, as sentences."""
    return " ".join(SENTENCES.get(flag, flag.replace("_", " ").capitalize() + ".") for flag in flags)


def _notes(job: Stored, notes: Iterable[Stored]) -> list[Entry]:
    begun = job.get("started_at")
    if begun is None:
        return []
    return [
        Entry(
            begun + timedelta(seconds=note["at"] or 0),
            _machine(job),
            job["model"],
            "note",
            "note",
            None,
            "",
            note["text"],
        )
        for note in notes
    ]
