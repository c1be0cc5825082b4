"""What goes on around a sample: the same server? other clients? throttling? clocks? Facts only; `validity` judges.

Everything here is asked before a request is sent or after its answer ended, never while it is timed.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Callable, Optional, Protocol

import psutil

from .contract import Sample, Surroundings
from .metrics import NS_PER_S
from .ollama_errors import OllamaError
from .processes import find_server
from .telemetry import Stretch

# Ollama notes the end of a request within a millisecond of its last byte (seen with 0.24.0), later when it is starved.
# While somebody else's request still runs, it goes on listing the time that the request before ours had set.
EXPIRY_ASKED_TIMES = 25
EXPIRY_PAUSE_S = 0.05
EXPIRY_SETTLED_S = 0.5
# So near to the time listed before the request it is the same one: every request takes longer than this.
EXPIRY_SAME_S = 0.0005
# Looking for the process reads all processes of the machine: not after every sample when there is none.
FIND_SERVER_EVERY_S = 30.0

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)")


class Server(Protocol):
    """The part of `OllamaClient` that is asked."""

    def version(self) -> str: ...

    def expiries(self) -> dict[str, str]: ...


class Recording(Protocol):
    """The part of `telemetry.Recorder` that is asked."""

    def stretch(self, start_s: float, end_s: float) -> Optional[Stretch]: ...


class Watch:
    """Looks around each round of samples of one job. `digest`: the measured model's, as `/api/ps` gives it.

    `find` finds Ollama's server process; it is asked rarely.
    """

    def __init__(
        self,
        server: Server,
        recording: Recording,
        digest: str,
        keep_alive_s: float,
        find: Callable[[], Optional[psutil.Process]],
    ) -> None:
        self._server, self._recording = server, recording
        self._digest, self._keep_alive_s, self._find = digest, keep_alive_s, find
        self._process: Optional[psutil.Process] = None
        self._looked_at_s = float("-inf")
        self._clocks = clock_distance_s()
        self._expires_before: Optional[datetime] = None

    def begin(self) -> None:
        """A round begins."""
        self._expires_before = self._expires()
        self._clocks = clock_distance_s()

    def end(self, samples: Sequence[Sample]) -> list[Sample]:
        """The round's samples, with what went on around them."""
        step_s = clock_distance_s() - self._clocks
        expires, off_s = self._expiry(samples)
        common = Surroundings(
            server_version=self._version(),
            server_process=self._identity(),
            clock_step_s=round(step_s, 6),
            expiry_off_s=off_s,
            expiry_stood_still=self._stands_still(expires),
        )
        return [dataclasses.replace(sample, surroundings=self._seen(sample, common)) for sample in samples]

    def _seen(self, sample: Sample, common: Surroundings) -> Surroundings:
        timing = sample.timing
        if timing.e2e_ns is None:
            return common
        stretch = self._recording.stretch(timing.start_s, timing.start_s + timing.e2e_ns / NS_PER_S)
        if stretch is None:
            return common
        return dataclasses.replace(
            common,
            telemetry_gap_s=round(stretch.longest_gap_s, 3),
            telemetry_interval_s=stretch.interval_s,
            throttle=stretch.throttle,
        )

    def _version(self) -> Optional[str]:
        try:
            return self._server.version()[:60]
        except OllamaError:
            return None

    def _identity(self) -> Optional[str]:
        """Ollama's process as a word that no other process has; None where it cannot be seen."""
        now = time.monotonic()
        gone = self._process is not None and not self._process.is_running()
        if gone or (self._process is None and now - self._looked_at_s > FIND_SERVER_EVERY_S):
            self._process, self._looked_at_s = self._find(), now
        try:
            return f"{self._process.pid}@{self._process.create_time():.2f}" if self._process else None
        except psutil.Error:
            return None

    def _expiry(self, samples: Sequence[Sample]) -> tuple[Optional[datetime], Optional[float]]:
        """When the model will be unloaded, and how far that is from what the last answer wished for, in seconds.

        Asked until it moved to where it should be, a few times: somebody else's wish stays.
        """
        ends = [end for end in (moment(sample.raw.created_at) for sample in samples) if end is not None]
        if not ends or any(sample.error is not None for sample in samples):
            return None, None
        wished = max(ends) + timedelta(seconds=self._keep_alive_s)
        for again in range(EXPIRY_ASKED_TIMES):
            expires = self._expires()
            if expires is None:
                return None, None
            off_s = (expires - wished).total_seconds()
            if again == EXPIRY_ASKED_TIMES - 1 or (abs(off_s) < EXPIRY_SETTLED_S and not self._stands_still(expires)):
                break
            time.sleep(EXPIRY_PAUSE_S)
        return expires, round(off_s, 3)

    def _stands_still(self, expires: Optional[datetime]) -> Optional[bool]:
        """Whether the time of unloading is the one from before the round: then somebody else's request still runs."""
        if expires is None or self._expires_before is None:
            return None
        return abs((expires - self._expires_before).total_seconds()) < EXPIRY_SAME_S

    def _expires(self) -> Optional[datetime]:
        try:
            return moment(self._server.expiries().get(self._digest))
        except OllamaError:
            return None


def watch_of(server: Server, url: str, recording: Recording, digest: str, keep_alive_s: float) -> Watch:
    """The watch of a job at the Ollama of `url`."""
    return Watch(server, recording, digest, keep_alive_s, lambda: find_server(url))


def clock_distance_s() -> float:
    """The wall clock less the monotonic one: the same for ever, unless one of them is set or the machine sleeps."""
    return time.time() - time.monotonic()


def moment(text: Optional[str]) -> Optional[datetime]:
    """A time as Go writes it: RFC 3339, with up to nine digits of a second. None for anything else."""
    found = _TIME.fullmatch(text or "")
    if found is None:
        return None
    zone = "+00:00" if found[3] == "Z" else found[3]
    try:
        whole = datetime.fromisoformat(found[1] + zone).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
    return whole + timedelta(microseconds=int((found[2] or "0")[:6].ljust(6, "0")))
