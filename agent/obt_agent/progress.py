"""Telling the server how a job goes: events numbered, kept on disk, sent in order; readings once a second.

The measuring thread only hands over. A thread of its own sends, so that a slow server slows nothing that is measured.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from typing import Any, Callable, Optional

from . import cancel as reasons
from .backoff import Backoff
from .cancel import Cancel
from .contract import Event, HostReading, JobOffer, ProgressRequest
from .link import Link, LinkError, Unreachable, retryable
from .spool import SEQ_BLOCK, Spool

LIVE_INTERVAL_S = 1.0
POST_TIMEOUT_S = 10.0
RELEASE_TIMEOUT_S = 2.0
GONE_STATUSES = frozenset({404, 409, 410})  # the job is no longer this agent's
HIGHEST_BACKOFF_S = 10.0

log = logging.getLogger(__name__)


class Reporter:
    """One attempt's events. `report` is what the engine calls."""

    def __init__(
        self,
        offer: JobOffer,
        spool: Spool,
        link: Link,
        cancel: Cancel,
        t0: float,
        reading: Callable[[], HostReading],
    ) -> None:
        self.offer, self.cancel = offer, cancel
        self._spool, self._link, self._t0, self._reading = spool, link, t0, reading
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._wake, self._ended = threading.Event(), threading.Event()
        self._next_seq, self._seqs_end = 0, 0
        self._live: dict[str, Any] = {}
        self._backoff = Backoff(highest_s=HIGHEST_BACKOFF_S)

    # -- the engine's side ---------------------------------------------------------------------------------------

    def report(self, kind: str, **fields: Any) -> None:
        """Hand over an event. A live one replaces the one before and costs nothing; others are on disk on return."""
        if kind == "live":
            self._live = fields
            return
        with self._lock:
            event = self._event(kind, fields)
            self._spool.add_event(self.offer.job, self.offer.attempt, event)
        self._wake.set()

    def _event(self, kind: str, fields: dict[str, Any]) -> Event:
        event = Event(seq=self._seq(), kind=kind, elapsed_s=self.elapsed_s())  # type: ignore[arg-type]
        return dataclasses.replace(event, **fields)

    def _seq(self) -> int:
        if self._next_seq >= self._seqs_end:
            self._next_seq = self._spool.reserve_seqs(self.offer.job, self.offer.attempt)
            self._seqs_end = self._next_seq + SEQ_BLOCK
        self._next_seq += 1
        return self._next_seq - 1

    def elapsed_s(self) -> float:
        return max(0.0, time.perf_counter() - self._t0)

    # -- the sending side ----------------------------------------------------------------------------------------

    def start(self) -> None:
        threading.Thread(target=self._run, name="progress", daemon=True).start()

    def close(self) -> None:
        """Send nothing more."""
        self._ended.set()
        self._wake.set()

    def _run(self) -> None:
        wait_s, live_at = LIVE_INTERVAL_S, time.monotonic() + LIVE_INTERVAL_S
        while True:
            self._wake.wait(wait_s)
            self._wake.clear()
            if self._ended.is_set():
                return
            live = time.monotonic() >= live_at
            try:
                self._post(last="live" if live else None)
                if live:
                    live_at = time.monotonic() + LIVE_INTERVAL_S
                wait_s = max(0.0, live_at - time.monotonic())
            except LinkError as error:
                wait_s = max(LIVE_INTERVAL_S, self._failed(error))
                if error.retry_after_s:  # no news is a reason to ask sooner
                    self._ended.wait(wait_s)
                    wait_s = 0.0

    def acknowledge(self) -> bool:
        """Tell the server that the job has started, until it knows. False when the job is to be dropped."""
        self.report("started")
        while not self.cancel.is_set() and not self.cancel.finishing:
            try:
                self._post()
                return not self.cancel.is_set()
            except LinkError as error:
                self.cancel.wait(self._failed(error))
        return False

    def release(self) -> bool:
        """Give the job back to the queue, within 2 s. True when the server knows."""
        self.close()
        try:
            self._post(last="released", timeout_s=RELEASE_TIMEOUT_S)
        except LinkError as error:
            log.warning("Job %s could not be given back; it goes on at the next start: %s", self.offer.job, error)
            return error.status in GONE_STATUSES
        return True

    def _post(self, last: Optional[str] = None, timeout_s: float = POST_TIMEOUT_S) -> None:
        """Send what the spool has, and one `last` event that is worth nothing later: live, or released."""
        if not self._sending.acquire(timeout=timeout_s):  # one at a time: events arrive in order
            raise Unreachable("The server has not yet answered the progress before.")
        try:
            with self._lock:
                events = self._spool.events(self.offer.job, self.offer.attempt)
                if last is not None:
                    events.append(self._event(last, self._reading_of_now() if last == "live" else {}))
            request = ProgressRequest(attempt=self.offer.attempt, lease=self.offer.lease, events=events)
            answer = self._link.progress(self.offer.job, request, timeout_s)
            self._backoff.reset()
            if events:
                self._spool.drop_events(self.offer.job, self.offer.attempt, min(answer.acknowledged, events[-1].seq))
            with self._lock:
                self._next_seq = max(self._next_seq, answer.acknowledged + 1)
        finally:
            self._sending.release()
        if answer.cancel:
            self.cancel.set(reasons.CANCELLED)

    def _reading_of_now(self) -> dict[str, Any]:
        fields = dict(self._live)
        if fields.get("reading") is None:
            fields["reading"] = self._reading()
        return fields

    def _failed(self, error: LinkError) -> float:
        """Judge a failed post; returns the seconds to wait before the next."""
        if error.status in GONE_STATUSES:
            log.warning("The server no longer wants job %s from this agent: %s", self.offer.job, error)
            self.cancel.set(reasons.STALE)
        elif not retryable(error) and error.status in (400, 413, 422):
            log.error("The server does not take this job's events: %s They are left out.", error)
            self._spool.drop_events(self.offer.job, self.offer.attempt, self._next_seq)
        else:
            log.info("Progress could not be sent: %s", error)
        return self._backoff.next_s(error.retry_after_s)
