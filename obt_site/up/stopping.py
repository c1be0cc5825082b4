"""Ctrl-C and SIGTERM: noted, not thrown, so that a part is never left half started."""

from __future__ import annotations

import signal
import time
from types import FrameType

from obt_site.up.errors import StopRequested

LOOK_EVERY_S = 0.05
SECOND_COUNTS_AFTER_S = 1.0  # make and timeout pass one and the same request on twice


class StopSignal:
    """Whether somebody asked to stop. A second request, a second later or more, means: at once.

    Plain attributes only: a handler runs between any two steps of the main thread, and a lock that this thread holds
    at that moment (an Event has one) would never be given back.
    """

    def __init__(self) -> None:
        self._asked = False
        self._asked_at_s = 0.0
        self.asked_by = ""  # the signal's name
        self.is_stopping = False
        self.is_hurried = False

    def listen(self) -> None:
        """Takes over the signals; they stay taken, because a stop must not be interrupted by its own signal."""
        signal.signal(signal.SIGINT, self._note)
        signal.signal(signal.SIGTERM, self._note)
        for name in ("SIGHUP", "SIGBREAK"):  # a closed terminal; Windows' other Ctrl-C
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
                signal.signal(number, self._note)

    def is_asked(self) -> bool:
        """Whether to stop."""
        return self._asked

    def check(self) -> None:
        """Raises StopRequested when somebody asked."""
        if self._asked:
            raise StopRequested

    def wait(self, timeout_s: float) -> bool:
        """Waits, at most `timeout_s` seconds, for somebody to ask; says whether they did."""
        deadline = time.monotonic() + timeout_s
        while not self._asked and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, LOOK_EVERY_S))
        return self._asked

    def _note(self, number: int, frame: FrameType | None) -> None:
        if not self._asked:
            self._asked_at_s = time.monotonic()
            self.asked_by = signal.Signals(number).name
            self._asked = True
        elif time.monotonic() - self._asked_at_s > SECOND_COUNTS_AFTER_S:
            self.is_hurried = True
            if not self.is_stopping:  # a long step of the start does not look at the first request
                raise StopRequested
