"""Delivering results: again and again until the server has them, whatever happens in between."""

from __future__ import annotations

import logging
import threading
from typing import Callable, Optional

from .backoff import Backoff
from .link import Link, LinkError, Refused, Unauthorized
from .spool import Due, Spool

IDLE_CHECK_S = 30.0  # nothing due: look again, in case a full disk has room by now
REJECTING_STATUSES = frozenset({400, 404, 410, 413, 415, 422})

log = logging.getLogger(__name__)


class Deliverer:
    """Sends what the spool has due. `delivered` is called after each result that is off this agent's hands."""

    def __init__(
        self, spool: Spool, link: Link, delivered: Callable[[], None], backoff: Optional[Backoff] = None
    ) -> None:
        self._spool, self._link, self._delivered = spool, link, delivered
        self._wake, self._ended = threading.Event(), threading.Event()
        self._backoff = backoff or Backoff()
        self._told_to_wait = False

    def start(self) -> None:
        threading.Thread(target=self._run, name="delivery", daemon=True).start()

    def wake(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        self._ended.set()
        self._wake.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            wait_s = self.deliver_all()
            if (self._ended if self._told_to_wait else self._wake).wait(wait_s):
                self._wake.clear()

    def deliver_all(self) -> float:
        """Send everything that is due once; returns the seconds to wait before the next round."""
        self._spool.save_again()
        failures: list[LinkError] = []
        for due in self._spool.due():
            error = self._try(due)
            if error is not None:
                failures.append(error)
                if error.retry_after_s:  # the server said when: not for the next one either
                    break
        self._told_to_wait = any(error.retry_after_s for error in failures)
        if not failures:
            self._backoff.reset()
            return IDLE_CHECK_S
        return self._backoff.next_s(max((error.retry_after_s or 0.0) for error in failures))

    def _try(self, due: Due) -> Optional[LinkError]:
        try:
            self._deliver(due)
        except LinkError as error:
            log.warning("The result of job %s could not be delivered yet: %s", due.job, error)
            return error
        return None

    def _deliver(self, due: Due) -> None:
        try:
            self._link.result(due.job, due.body)
        except Unauthorized:
            raise  # the sync loop sees it too, and says so
        except Refused as error:
            if not self._settled(due, error):
                raise
        else:
            log.info("The result of job %s (attempt %d) was delivered.", due.job, due.attempt)
            self._spool.forget(due.job, due.attempt)
        self._delivered()

    def _settled(self, due: Due, error: Refused) -> bool:
        """Whether a refusal ends the delivery."""
        if error.status == 409:
            log.warning("The result of job %s came too late: %s", due.job, error)
            self._spool.forget(due.job, due.attempt)
            return True
        if error.status in REJECTING_STATUSES:
            log.error(
                "The server does not take the result of job %s: %s It stays in %s.", due.job, error, self._spool.path
            )
            self._spool.reject(due.job, due.attempt, str(error))
            return True
        return False
