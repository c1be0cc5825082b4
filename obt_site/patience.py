"""How long and how much a connection may take: one HTTP connection of daphne, with deadlines.

The head of a request has HEAD_WITHIN_S in all, however often a byte of it comes. A body may be silent for
BODY_SILENCE_S, and has that time and a second more for every BODY_SLOWEST_BYTES that came. Between two requests a
connection may rest for KEEP_ALIVE_S. Whoever does not read what is sent to them, by HTTP or by WebSocket, is cut off
UNREAD_S after the last byte that they took. What cannot be read is answered in the one error shape.
"""

import time
from typing import Any
from weakref import WeakSet

from django.conf import settings
from twisted.web.http import HTTPChannel

from obt_site.plain_answers import plain_response

HEAD, BODY, ANSWER, REST = "head", "body", "answer", "rest"  # what a connection is waiting for
LINGER_S = 1.0  # after a refusal, for its sender to read it
CHECKS_PER_UNREAD = 6
TOO_SLOW = "The request did not arrive in time. Send it again, whole."
HEADERS_TOO_LARGE = "The headers of this request are larger than this server takes, or too many."
ADDRESS_TOO_LONG = "The address of this request is longer than this server takes."
UNREADABLE = "This is no request of HTTP: its first line, a header or the length of its body cannot be read."


_Channel: Any = HTTPChannel  # Twisted's own types say too little


class PatientChannel(_Channel):  # type: ignore[misc]
    """Twisted's connection; every way in and out of a phase sets the deadline of the next."""

    maxHeaders = settings.HEADERS_MAXIMUM
    totalHeadersSize = MAX_LENGTH = settings.HEADERS_BYTES

    def __init__(self) -> None:
        super().__init__()
        self.phase = HEAD
        self.refused = False
        self._deadline: Any = None
        self._body_began = self._body_last = 0.0
        self._body_bytes = 0
        self._said = False

    def connectionMade(self) -> None:
        self.timeOut = None  # ours are by phase
        super().connectionMade()
        _unread.watch(self.transport)
        self._enter(HEAD)

    def _enter(self, phase: str) -> None:
        """Wait for something else; the deadline is that of the new phase."""
        self.phase = phase
        if phase == BODY:
            self._body_began = self._body_last = time.monotonic()
            self._body_bytes = 0
        self._set({HEAD: settings.HEAD_WITHIN_S, BODY: settings.BODY_SILENCE_S, REST: settings.KEEP_ALIVE_S}.get(phase))

    def _set(self, seconds: float | None) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.callLater(seconds, self._late)

    def _late(self) -> None:
        self._deadline = None
        if self.phase == BODY and (left := self._body_left_s()) > 0:
            self._set(left)
            return
        if self.phase == REST or (self.phase == HEAD and not self._has_begun()):
            self.timeoutConnection()
            return
        self.refused = True
        self.say(408, TOO_SLOW)
        self.loseConnection()

    def _has_begun(self) -> bool:
        return bool(self._buffer) or bool(self.requests)

    def _body_left_s(self) -> float:
        """Seconds until this body is too slow, if nothing more comes."""
        moment, grace = time.monotonic(), settings.BODY_SILENCE_S
        silence = self._body_last + grace - moment
        whole = self._body_began + grace + self._body_bytes / settings.BODY_SLOWEST_BYTES - moment
        return float(min(silence, whole))

    # -- Twisted's steps -------------------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        if self.refused:
            return
        if self.phase == REST:
            self._enter(HEAD)
        elif self.phase == BODY:
            self._body_last = time.monotonic()
            self._body_bytes += len(data)
        super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        if not self.refused:
            super().lineReceived(line)

    def allHeadersReceived(self) -> None:
        self._enter(BODY)
        super().allHeadersReceived()

    def allContentReceived(self) -> None:
        self._enter(ANSWER)
        super().allContentReceived()

    def requestDone(self, request: Any) -> None:
        self._enter(REST)
        super().requestDone(request)

    def connectionLost(self, reason: Any) -> None:
        self._set(None)
        super().connectionLost(reason)

    # -- what is refused -------------------------------------------------------------------------------------------

    def say(self, status: int, detail: str) -> None:
        """Write an answer of our own, the first time only; whoever calls this ends the connection."""
        if self._said:
            return
        self._said = True
        self.transport.write(plain_response(status, detail))

    def lineLengthExceeded(self, line: bytes) -> None:
        if self.requests:
            self._end(431, HEADERS_TOO_LARGE)
        else:
            self._end(414, ADDRESS_TOO_LONG)

    def _respondToBadRequestAndDisconnect(self) -> None:
        too_large = self._receivedHeaderSize > self.totalHeadersSize or self._receivedHeaderCount > self.maxHeaders
        self._end(431, HEADERS_TOO_LARGE) if too_large else self._end(400, UNREADABLE)

    def _end(self, status: int, detail: str) -> None:
        """Refuse, read no more of it, and close once the sender had time to see why."""
        if self.refused:
            return
        self.refused = True
        self._enter(ANSWER)
        self.say(status, detail)
        self.callLater(LINGER_S, self.loseConnection)


class _Unread:
    """All connections, and since when each holds bytes that nobody takes."""

    def __init__(self) -> None:
        self._watched: WeakSet[Any] = WeakSet()
        self._is_running = False

    def watch(self, transport: Any) -> None:
        lowest = transport
        while hasattr(lowest, "wrappedProtocol") and hasattr(lowest, "transport"):  # TLS
            lowest = lowest.transport
        if not hasattr(lowest, "writeSomeData"):
            return
        lowest.obt_last_taken = time.monotonic()
        write = lowest.writeSomeData

        def counted(data: bytes) -> Any:
            taken = write(data)
            if isinstance(taken, int) and taken > 0:
                lowest.obt_last_taken = time.monotonic()
            return taken

        lowest.writeSomeData = counted
        self._watched.add(lowest)
        if not self._is_running:
            self._is_running = True
            self._again(lowest.reactor)

    def _again(self, reactor: Any) -> None:
        reactor.callLater(settings.UNREAD_S / CHECKS_PER_UNREAD, self._check, reactor)

    def _check(self, reactor: Any) -> None:
        """Cut off whoever took nothing for too long. One that has nothing to take has taken all just now."""
        moment = time.monotonic()
        longest = settings.UNREAD_S * (1 - 1 / CHECKS_PER_UNREAD)
        for transport in list(self._watched):
            held = len(transport.dataBuffer) - transport.offset + transport._tempDataLen
            if not transport.connected:
                self._watched.discard(transport)
            elif not held:
                transport.obt_last_taken = moment
            elif moment - transport.obt_last_taken >= longest:
                transport.abortConnection()
        self._again(reactor)


_unread = _Unread()
