"""The simulator's clock, and waiting on it without burning a core.

All schedules are absolute deadlines on one monotonic clock, so a late wake-up is never added to the next one.
"""

from __future__ import annotations

import select
import socket
import time
from datetime import datetime, timezone

from .errors import ClientGone

NS_PER_S = 1_000_000_000
FD_LIMIT_OF_SELECT = 1024
WATCH_SLICE_S = 0.5
"""Without a socket to watch (it carries unread data, or its number is too high for select), look up this often."""


def now_ns() -> int:
    """Nanoseconds on the clock all durations are measured with."""
    return time.perf_counter_ns()


def rfc3339(wall_ns: int | None = None) -> str:
    """UTC with nanoseconds as Go prints it; `wall_ns` is a `time.time_ns()`, now when left out."""
    seconds, fraction = divmod(time.time_ns() if wall_ns is None else wall_ns, NS_PER_S)
    stamp = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    digits = f"{fraction:09d}".rstrip("0")
    return f"{stamp}.{digits}Z" if digits else f"{stamp}Z"


class ClientWatch:
    """Waits for deadlines while watching one client's connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._has_unread_data = False

    def wait_until(self, deadline_ns: int) -> None:
        """Return at `deadline_ns`, typically under 0.2 ms late. Raise `ClientGone` as soon as the client hangs up."""
        while True:
            left_s = (deadline_ns - now_ns()) / NS_PER_S
            if left_s <= 0:
                return
            self._sleep(left_s)

    def wait_s(self, seconds: float) -> None:
        """Wait for a length of time in seconds."""
        self.wait_until(now_ns() + int(seconds * NS_PER_S))

    def wait_for_ever(self) -> None:
        """Return never; raise `ClientGone` when the client gives up."""
        while True:
            self._sleep(WATCH_SLICE_S)

    def check(self) -> None:
        """Raise `ClientGone` if the client has already hung up."""
        self._sleep(0)

    def _sleep(self, seconds: float) -> None:
        number = self._connection.fileno()
        if number < 0:
            raise ClientGone
        if self._has_unread_data or number >= FD_LIMIT_OF_SELECT:
            time.sleep(min(seconds, WATCH_SLICE_S))
            return
        readable, _, _ = select.select([number], [], [], seconds)
        if readable:
            self._look_at_connection()

    def _look_at_connection(self) -> None:
        try:
            if not self._connection.recv(1, socket.MSG_PEEK):
                raise ClientGone
        except OSError as gone:
            raise ClientGone from gone
        self._has_unread_data = True  # a pipelined request: it waits its turn, and select would not sleep any more
