"""What must survive a crash: jobs taken, samples measured, events not yet told, results not yet delivered.

One SQLite file in the state folder, WAL with synchronous=FULL: when a call returns, the disk has it. On a full disk
progress events go first; a result is never given up: it gets the room of a file kept in reserve, and stays in memory
while even that is not enough.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from pathlib import Path
from typing import NamedTuple, Optional

from . import wire
from .contract import Event, Holding, JobOffer, Sample
from .spool_file import RESERVE_BYTES, SpoolFile

SEQ_BLOCK = 1000  # event numbers are reserved in blocks, so that a reading each second needs no write to disk
EVENTS_AT_ONCE = 200

ACCEPTED, RUNNING, FINISHED, REJECTED = "accepted", "running", "finished", "rejected"

log = logging.getLogger(__name__)


class Held(NamedTuple):
    """A job in the spool."""

    offer: JobOffer
    state: str
    elapsed_s: float  # how long it had been running when this was last written


class Due(NamedTuple):
    """A result to deliver."""

    job: str
    attempt: int
    body: bytes


class Spool:
    """Thread-safe. Raises AgentError only when it is opened; after that a full disk never ends a job."""

    def __init__(self, state_dir: Path, reserve_bytes: int = RESERVE_BYTES) -> None:
        self._file = SpoolFile(state_dir, reserve_bytes)
        self.path = self._file.path
        self._unsaved: dict[tuple[str, int], bytes] = {}  # results a full disk would not take

    def close(self) -> None:
        self._file.close()

    # -- jobs ----------------------------------------------------------------------------------------------------

    def take(self, offer: JobOffer) -> bool:
        """Store an offer. False when it is there already, or could not be stored (then it is not taken)."""
        if self.state_of(offer.job, offer.attempt):
            return False
        row = (offer.job, offer.attempt, offer.lease, wire.dumps(offer), ACCEPTED, time.time())
        sql = "INSERT INTO jobs (job, attempt, lease, offer, state, taken_at) VALUES (?, ?, ?, ?, ?, ?)"
        return self._file.write(lambda db: db.execute(sql, row)) is not None

    def jobs(self, *states: str) -> list[Held]:
        """Jobs in any of these states, oldest first; one that an older agent wrote in another form is forgotten."""
        marks = ",".join("?" * len(states))
        sql = f"SELECT job, attempt, offer, state, elapsed_s FROM jobs WHERE state IN ({marks}) ORDER BY taken_at"  # noqa: S608  # nosec B608
        held = []
        for job, attempt, offer, state, elapsed_s in self._file.rows(sql, states):
            try:
                held.append(Held(wire.decode(JobOffer, wire.loads(offer), lenient=True), state, elapsed_s))
            except wire.WireError as error:
                log.error("Job %s in the spool cannot be read (%s); it is forgotten.", job, error)
                self.forget(job, attempt)
        return held

    def state_of(self, job: str, attempt: int) -> Optional[str]:
        """The job's state here; None when it is not here."""
        rows = self._file.rows("SELECT state FROM jobs WHERE job=? AND attempt=?", (job, attempt))
        return str(rows[0][0]) if rows else None

    def holding(self) -> list[Holding]:
        """Every job the server must be told of: taken, and its result not yet acknowledged."""
        sql = "SELECT job, attempt, lease FROM jobs WHERE state IN (?, ?, ?) ORDER BY taken_at"
        return [Holding(*row) for row in self._file.rows(sql, (ACCEPTED, RUNNING, FINISHED))]

    def set_running(self, job: str, attempt: int) -> None:
        self._file.write(
            lambda db: db.execute("UPDATE jobs SET state=? WHERE job=? AND attempt=?", (RUNNING, job, attempt))
        )

    def forget(self, job: str, attempt: int) -> None:
        """Delete a job and all of it."""

        def delete(db: sqlite3.Connection) -> None:
            for table in ("samples", "events", "jobs"):
                db.execute(f"DELETE FROM {table} WHERE job=? AND attempt=?", (job, attempt))  # noqa: S608  # nosec B608

        self._file.write(delete, use_reserve=True)  # what is deleted frees more than it takes
        with self._file.lock:
            self._unsaved.pop((job, attempt), None)

    def store(self, offer: JobOffer) -> JobStore:
        return JobStore(self._file, offer.job, offer.attempt)

    # -- results -------------------------------------------------------------------------------------------------

    def finish(self, job: str, attempt: int, body: bytes) -> bool:
        """Keep a result until it is delivered. False when only memory has it, because the disk is full."""

        def save(db: sqlite3.Connection) -> bool:
            for table in ("samples", "events"):
                db.execute(f"DELETE FROM {table} WHERE job=? AND attempt=?", (job, attempt))  # noqa: S608  # nosec B608
            db.execute("UPDATE jobs SET state=?, result=? WHERE job=? AND attempt=?", (FINISHED, body, job, attempt))
            return True

        with self._file.lock:
            saved = bool(self._file.write(save, use_reserve=True))
            if saved:
                self._unsaved.pop((job, attempt), None)
            else:
                self._unsaved[(job, attempt)] = body
        return saved

    def save_again(self) -> None:
        """Try to bring results that only memory has onto the disk."""
        for (job, attempt), body in list(self._unsaved.items()):
            self.finish(job, attempt, body)
        self._file.make_reserve()

    def due(self) -> list[Due]:
        """Results to deliver, oldest first."""
        rows = self._file.rows("SELECT job, attempt, result FROM jobs WHERE state=? ORDER BY taken_at", (FINISHED,))
        with self._file.lock:
            unsaved = [Due(job, attempt, body) for (job, attempt), body in self._unsaved.items()]
        return [Due(*row) for row in rows] + unsaved

    def is_unsaved(self, job: str, attempt: int) -> bool:
        with self._file.lock:
            return (job, attempt) in self._unsaved

    def reject(self, job: str, attempt: int, why: str) -> None:
        """The server will never take this result: keep it here to be looked at, and stop sending it."""
        sql = "UPDATE jobs SET state=?, refusal=? WHERE job=? AND attempt=?"
        self._file.write(lambda db: db.execute(sql, (REJECTED, why, job, attempt)))
        with self._file.lock:
            self._unsaved.pop((job, attempt), None)

    # -- events --------------------------------------------------------------------------------------------------

    def reserve_seqs(self, job: str, attempt: int) -> int:
        """The first of SEQ_BLOCK event numbers that nobody else will use."""
        ((first,),) = self._file.rows("SELECT next_seq FROM jobs WHERE job=? AND attempt=?", (job, attempt)) or [(1,)]
        sql = "UPDATE jobs SET next_seq=? WHERE job=? AND attempt=?"
        self._file.write(lambda db: db.execute(sql, (first + SEQ_BLOCK, job, attempt)))
        return int(first)

    def add_event(self, job: str, attempt: int, event: Event) -> None:
        def add(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?)", (job, attempt, event.seq, wire.dumps(event))
            )
            db.execute("UPDATE jobs SET elapsed_s=? WHERE job=? AND attempt=?", (event.elapsed_s, job, attempt))

        self._file.write(add)

    def events(self, job: str, attempt: int) -> list[Event]:
        sql = "SELECT body FROM events WHERE job=? AND attempt=? ORDER BY seq LIMIT ?"
        return [
            wire.decode(Event, wire.loads(body)) for (body,) in self._file.rows(sql, (job, attempt, EVENTS_AT_ONCE))
        ]

    def drop_events(self, job: str, attempt: int, up_to_seq: int) -> None:
        sql = "DELETE FROM events WHERE job=? AND attempt=? AND seq<=?"
        self._file.write(lambda db: db.execute(sql, (job, attempt, up_to_seq)))


class JobStore:
    """The samples of one attempt of one job, kept across restarts of the agent."""

    def __init__(self, file: SpoolFile, job: str, attempt: int) -> None:
        self._file, self._job, self._attempt = file, job, attempt
        self._lock = threading.Lock()
        self._samples = self._load()

    def _load(self) -> list[Sample]:
        sql = "SELECT body FROM samples WHERE job=? AND attempt=? ORDER BY number"
        samples = []
        for (body,) in self._file.rows(sql, (self._job, self._attempt)):
            with contextlib.suppress(wire.WireError):  # of an older agent: it is measured again
                samples.append(wire.decode(Sample, wire.loads(body)))
        return samples

    def samples(self) -> list[Sample]:
        """Every sample kept so far, in the order they were kept, those from before a restart first."""
        with self._lock:
            return list(self._samples)

    def keep(self, sample: Sample) -> None:
        """Keep a sample; the disk has it when this returns (on a full disk: memory has it, and the log says so)."""
        with self._lock:
            row = (self._job, self._attempt, len(self._samples), wire.dumps(sample))
            saved = self._file.write(lambda db: db.execute("INSERT OR REPLACE INTO samples VALUES (?, ?, ?, ?)", row))
            self._samples.append(sample)
        if saved is None:
            log.error("A sample of job %s is in memory only, because the disk is full.", self._job)
