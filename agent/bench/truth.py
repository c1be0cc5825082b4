"""TTFT and ITL as the agent's client measures them, held against what a server of known timing really did.

Added to TTFT is what lies between the request's last byte at the server and the first token's send there, and the
agent's own start and stamp: both ways through the system, waking up, and the client itself. ITL is of the same formula
on both sides, tokens by the server's own count: several tokens in a piece come at the same moment.

A bare socket in a loop is read in turn with the client: what it adds is the machine's own, and shown beside.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from agent.bench.report import CannotRun, Row, Settings
from agent.obt_agent.metrics import NS_PER_MS, icl, itl
from agent.obt_agent.ollama import Generation, OllamaClient, StreamLimits
from agent.obt_agent.probes.choose import choose
from agent.obt_agent.probes.ollama import OllamaProbe
from agent.obt_agent.processes import find_server
from agent.obt_agent.statistics import median, quantile
from agent.obt_agent.stream import ORDINARY_END
from agent.obt_agent.stream_http import READ_BYTES, post
from agent.obt_agent.telemetry import Recorder
from agent.obt_agent.wire import dumps
from agent.truth.process import TruthProcess
from agent.truth.profiles import PROFILES, TIMED
from agent.truth.records import Record
from agent.truth.server import STREAM_END

REQUESTS, QUICK_REQUESTS = 40, 10
TOKENS = {"fast": 256}
OTHER_TOKENS = 64
BARE_TOKENS = 4
LIMITS = StreamLimits(first_byte_s=10.0, stall_s=10.0)
# The system held the server up while it sent the first or the last token: nobody knows when that was.
UNCERTAIN_NS = 1_000_000
P50_MS, P95_MS, ITL_PERCENT = 1.0, 3.0, 0.5
P95 = 0.95
MUST = f"TTFT added ≤ {P50_MS:g} ms p50, ≤ {P95_MS:g} ms p95; ITL within {ITL_PERCENT:g} %"


@dataclass
class Against:
    """One profile's requests: what was measured beside what happened, in ms and percent."""

    profile: str
    added_ms: list[float] = field(default_factory=list)
    itl_off_percent: list[float] = field(default_factory=list)
    icl_off_percent: list[float] = field(default_factory=list)
    server_late_ms: list[float] = field(default_factory=list)
    bare_ms: list[float] = field(default_factory=list)
    set_aside: int = 0

    def add(self, seen: Generation, truth: Record) -> None:
        """Raises CannotRun when the two are not of one request."""
        if seen.error is not None or seen.ttft_ns is None or seen.raw.eval_count != truth.tokens:
            raise CannotRun(f"A request of the profile {self.profile} failed: {seen.error or 'counts differ'}.")
        if truth.uncertain_ns > UNCERTAIN_NS:
            self.set_aside += 1
            return
        sent = [piece.sent_ns for piece in truth.pieces]
        self.added_ms.append((seen.ttft_ns - (truth.first_ns - truth.received_ns)) / NS_PER_MS)
        measured = itl(seen.ttft_ns, seen.last_token_ns, seen.raw.eval_count).value
        self.itl_off_percent.append(off(measured, itl(truth.first_ns, truth.last_ns, truth.tokens).value))
        self.icl_off_percent.append(off(icl(seen.chunk_ns).value, icl(sent).value))
        self.server_late_ms.append(truth.latest_ns / NS_PER_MS)

    def add_bare(self, ttft_ns: int, truth: Record) -> None:
        """What a bare socket took for the first token."""
        if truth.uncertain_ns <= UNCERTAIN_NS:
            self.bare_ms.append((ttft_ns - (truth.first_ns - truth.received_ns)) / NS_PER_MS)

    def row(self) -> Row:
        """Median and 95th percentile against the limits. Raises CannotRun when most had no known truth."""
        if len(self.added_ms) <= self.set_aside:
            raise CannotRun(
                f"The machine is too busy: {self.set_aside} requests of {self.profile} have no known truth."
            )
        p50, p95 = median(self.added_ms), quantile(sorted(self.added_ms), P95)
        away = sorted(map(abs, self.itl_off_percent))
        itl_p95 = quantile(away, P95)
        tokens = TOKENS.get(self.profile, OTHER_TOKENS)
        return Row(
            what=f"TTFT and ITL against the truth: {self.profile}",
            how=f"{PROFILES[self.profile].what}; {len(self.added_ms)} requests of {tokens} tokens, telemetry on",
            must=MUST,
            measured=f"TTFT +{p50:.2f} ms p50, +{p95:.2f} ms p95{self._bare()}; ITL off by {itl_p95:.3f} % p95",
            ok=p50 <= P50_MS and p95 <= P95_MS and itl_p95 <= ITL_PERCENT,
            details={
                "ttft_added_ms": self.added_ms,
                "bare_socket_added_ms": self.bare_ms,
                "itl_off_percent": self.itl_off_percent,
                "icl_off_percent": self.icl_off_percent,
                "server_late_ms": self.server_late_ms,
                "set_aside": self.set_aside,
            },
        )

    def _bare(self) -> str:
        if not self.bare_ms:
            return ""
        p50, p95 = median(self.bare_ms), quantile(sorted(self.bare_ms), P95)
        return f" (bare socket +{p50:.2f}, +{p95:.2f})"


def rows(settings: Settings) -> Iterable[Row]:
    """A row per profile; their requests take turns, so that all have the same machine."""
    found = [Against(name) for name in TIMED]
    with TruthProcess() as truth:
        measure(truth, found, QUICK_REQUESTS if settings.quick else REQUESTS)
    return [one.row() for one in found]


def measure(truth: TruthProcess, profiles: Sequence[Against], requests: int) -> None:
    """Through the agent's client, its telemetry recording beside it."""
    machine = choose(Path.cwd())
    recorder = Recorder([*machine.probes, OllamaProbe(lambda: find_server(truth.url))])
    recorder.start(time.perf_counter())
    try:
        client = OllamaClient(truth.url)
        for _ in range(requests):
            for one in profiles:
                one.add(ask(client, one.profile), truth.records()[-1])
                one.add_bare(ask_bare(truth.url, one.profile), truth.records()[-1])
    finally:
        recorder.stop()


def ask(client: OllamaClient, profile: str) -> Generation:
    """One request as the engine makes it."""
    options = {"num_predict": TOKENS.get(profile, OTHER_TOKENS), "num_ctx": 4096, "temperature": 0.0, "seed": 42}
    body = {"model": profile, "prompt": "What is true?", "raw": True, "stream": True, "think": False}
    return client.generate({**body, "options": options, "keep_alive": "600s"}, LIMITS)


def ask_bare(url: str, profile: str) -> int:
    """ns from just before the request was sent to just after the first token's line was there, and nothing between."""
    address = urlsplit(url)
    body = dumps({"model": profile, "prompt": "What is true?", "options": {"num_predict": BARE_TOKENS}})
    request = post(address, "/api/generate", body, "application/x-ndjson")
    with socket.create_connection((address.hostname, address.port), timeout=LIMITS.stall_s) as connection:
        data, stamp, begun = b"", 0, time.perf_counter_ns()
        connection.sendall(request)
        while ORDINARY_END not in data:
            data += connection.recv(READ_BYTES)
            stamp = time.perf_counter_ns()
        while STREAM_END not in data:
            data += connection.recv(READ_BYTES)
    return stamp - begun


def off(measured: float | None, truth: float | None) -> float:
    """How far off in percent of the truth. Raises CannotRun when one of the two is not there."""
    if measured is None or not truth:
        raise CannotRun("A request had fewer than two tokens.")
    return 100 * (measured / truth - 1)
