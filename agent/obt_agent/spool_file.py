"""The SQLite file under the spool: WAL with synchronous=FULL, private, and able to find room on a full disk."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional, TypeVar

from .contract import MINIMUM_FREE_DISK_BYTES
from .errors import AgentError

SPOOL_FILE = "spool.db"
RESERVE_FILE = "spool.reserve"
RESERVE_BYTES = 40 * 1024**2  # the largest result twice (journal and table), and some
SPOOL_VERSION = 1
BUSY_TIMEOUT_S = 10.0
_CHUNK_BYTES = 64 * 1024

_SCHEMA = """
CREATE TABLE jobs (job TEXT, attempt INTEGER, lease TEXT NOT NULL, offer BLOB NOT NULL, state TEXT NOT NULL,
    taken_at REAL NOT NULL, next_seq INTEGER NOT NULL DEFAULT 1, elapsed_s REAL NOT NULL DEFAULT 0,
    result BLOB, refusal TEXT, PRIMARY KEY (job, attempt));
CREATE TABLE samples (job TEXT, attempt INTEGER, number INTEGER, body BLOB, PRIMARY KEY (job, attempt, number));
CREATE TABLE events (job TEXT, attempt INTEGER, seq INTEGER, body BLOB, PRIMARY KEY (job, attempt, seq));
"""

T = TypeVar("T")
log = logging.getLogger(__name__)


class SpoolFile:
    """Thread-safe: one connection behind one lock. Raises AgentError when it cannot be opened."""

    def __init__(self, state_dir: Path, reserve_bytes: int = RESERVE_BYTES) -> None:
        self.path = state_dir / SPOOL_FILE
        self.reserve = state_dir / RESERVE_FILE
        self._reserve_bytes = reserve_bytes
        self.lock = threading.RLock()
        self._db = self._open()
        self.make_reserve()

    # -- opening -------------------------------------------------------------------------------------------------

    def _open(self) -> sqlite3.Connection:
        for make_room in (self._give_reserve, None):
            try:
                return self._connect()
            except sqlite3.OperationalError as error:
                if make_room is None or not self.reserve.exists():
                    raise AgentError(f"The spool {self.path} cannot be opened: {error}.") from None
                make_room()
            except sqlite3.DatabaseError as error:
                self._put_aside(error)
        return self._connect()

    def _put_aside(self, error: sqlite3.DatabaseError) -> None:
        aside = self.path.with_name(f"{SPOOL_FILE}.broken-{int(time.time())}")
        os.replace(self.path, aside)
        for rest in ("-wal", "-shm"):
            with contextlib.suppress(OSError):
                os.unlink(f"{self.path}{rest}")
        log.error("The spool was damaged (%s); it was put aside as %s and a new one begun.", error, aside)

    def _connect(self) -> sqlite3.Connection:
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite's own files take this one's mode
        db = sqlite3.connect(str(self.path), timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version > SPOOL_VERSION:
                raise AgentError(f"The spool {self.path} is of a newer agent (version {version}); run that one.")
            if version < SPOOL_VERSION:
                db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={SPOOL_VERSION}; COMMIT;")
        except BaseException:
            db.close()
            raise
        return db

    def close(self) -> None:
        with self.lock:
            self._db.close()

    # -- reading and writing -------------------------------------------------------------------------------------

    def rows(self, sql: str, values: Any = ()) -> list[tuple[Any, ...]]:
        with self.lock:
            return self._db.execute(sql, values).fetchall()

    def write(self, change: Callable[[sqlite3.Connection], T], use_reserve: bool = False) -> Optional[T]:
        """Make a change in one transaction. On a full disk all events go, then the reserve if `use_reserve` says so.

        Returns what `change` returned; None when there is no room, and the log says so.
        """
        rooms = [self._drop_events, *([self._give_reserve] if use_reserve else []), None]
        with self.lock:
            for make_room in rooms:
                try:
                    with self._transaction():
                        return change(self._db)
                except sqlite3.OperationalError as error:
                    if not _is_full(error):
                        raise
                    log.warning("The disk of the state folder is full (%s).", error)
                if make_room is not None:
                    make_room()
            return None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # a full disk has rolled back by itself
                self._db.execute("ROLLBACK")
            raise

    # -- room on a full disk -------------------------------------------------------------------------------------

    def make_reserve(self) -> None:
        """Keep room on the disk that can be given back to the spool when everything else is full."""
        if self.reserve.exists() or shutil.disk_usage(self.path.parent).free < MINIMUM_FREE_DISK_BYTES:
            return
        fresh = self.reserve.with_name(f"{RESERVE_FILE}.new")
        try:
            with open(fresh, "wb") as file:
                for _ in range(self._reserve_bytes // _CHUNK_BYTES):
                    file.write(os.urandom(_CHUNK_BYTES))  # some file systems store zeros as nothing
            os.replace(fresh, self.reserve)
        except OSError:
            with contextlib.suppress(OSError):
                fresh.unlink()

    def _drop_events(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("DELETE FROM events")

    def _give_reserve(self) -> None:
        with contextlib.suppress(OSError):
            self.reserve.unlink()


def _is_full(error: sqlite3.Error) -> bool:
    text = str(error).lower()
    return "full" in text or "disk i/o error" in text
