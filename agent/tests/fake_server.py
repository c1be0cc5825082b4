"""A small OBT server for tests of the agent: real HTTP, the real wire contract, and any misbehaviour on demand.

It repeats offers until they are acknowledged, tells cancellations until the job ended, and answers 409 for a lease
that is not current: what the agent may rely on, and nothing more.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from agent.obt_agent import wire
from agent.obt_agent.contract import (
    Cancellation,
    CredentialRequest,
    CredentialResponse,
    Event,
    JobOffer,
    ProgressRequest,
    ProgressResponse,
    RegisterRequest,
    RegisterResponse,
    ResultAnswer,
    ResultBody,
    SyncRequest,
    SyncResponse,
)
from agent.tests.dropping_server import DroppingServer

TOKEN = "enrol-token-of-the-tests"
CREDENTIAL = "obta_12345678_a-secret-of-the-tests"
SERVER_TIME = "2026-01-01T00:00:00+00:00"
DEADLINE_S = 15.0


@dataclass
class Fault:
    """What the next `times` calls of a kind get instead of an answer."""

    status: int = 0  # 0: the connection is dropped without a word
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"title": "no", "detail": "Not today."}'
    hang_s: float = 0.0
    times: int = 1
    after_work: bool = False  # the call is done first, only its answer gets lost


class FakeServer:
    """Everything it received is in `registers`, `syncs`, `events`, `results`, in order of arrival."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.tokens = {TOKEN}
        self.credential = CREDENTIAL
        self.newer: str | None = None  # given out and not used yet
        self.asks_to_renew = False
        self.renewals: list[CredentialRequest] = []
        self.registers: list[RegisterRequest] = []
        self.syncs: list[SyncRequest] = []
        self.sync_times: list[float] = []
        self.events: list[tuple[str, Event]] = []
        self.results: dict[tuple[str, int], ResultBody] = {}
        self.result_posts = 0
        self.problems: list[str] = []  # bodies that did not fit the contract
        self.offers: dict[str, JobOffer] = {}
        self.acknowledged: set[str] = set()
        self.ended: set[str] = set()
        self.cancels: dict[str, Cancellation] = {}
        self.cancel_by_progress: set[str] = set()
        self.resend: list[str] = []
        self.faults: dict[str, list[Fault]] = {}
        self.answer_at_once = False
        self.changed = threading.Condition()
        self._wakes = 0
        self._http: Any = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # -- for tests -----------------------------------------------------------------------------------------------

    def start(self) -> FakeServer:
        server = self

        class Handler(_Handler):
            fake = server

        self._http = DroppingServer(("127.0.0.1", self.port), Handler)
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Go away: no port, no connection left."""
        http, self._http = self._http, None
        if http is not None:
            http.shutdown()
            http.server_close()
            http.drop_connections()
        self.wake()

    def wake(self) -> None:
        with self.changed:
            self._wakes += 1
            self.changed.notify_all()

    def offer(self, offer: JobOffer) -> JobOffer:
        self.offers[offer.job] = offer
        self.wake()
        return offer

    def cancel(self, offer: JobOffer, reason: str = "cancelled") -> None:
        self.cancels[offer.job] = Cancellation(offer.job, offer.attempt, offer.lease, reason)
        self.wake()

    def fail(self, call: str, fault: Fault) -> None:
        """`call`: register, credential, sync, progress or result."""
        self.faults.setdefault(call, []).append(fault)

    def wait_for(self, what: Callable[[], Any], timeout_s: float = DEADLINE_S) -> Any:
        """What the predicate returns as soon as it is true; fails the test after the deadline."""
        deadline = time.monotonic() + timeout_s
        with self.changed:
            while True:
                found = what()
                if found:
                    return found
                left = deadline - time.monotonic()
                assert left > 0, (
                    f"did not happen in {timeout_s} s; {len(self.syncs)} syncs, events {self.kinds()}, {self.problems}"
                )
                self.changed.wait(min(left, 0.05))

    def kinds(self, job: str | None = None) -> list[str]:
        return [event.kind for name, event in self.events if job in (None, name)]

    def result(self, offer: JobOffer) -> ResultBody | None:
        return self.results.get((offer.job, offer.attempt))

    # -- the calls -----------------------------------------------------------------------------------------------

    def register(self, body: RegisterRequest) -> tuple[int, Any]:
        self.registers.append(body)
        if body.token not in self.tokens:
            return 401, {"title": "Unauthorized", "detail": "This enrolment token is unknown or was used."}
        self.tokens.discard(body.token)
        return 201, RegisterResponse("client-1", body.name or body.hostname, self.credential, SERVER_TIME)

    def renew(self, body: CredentialRequest) -> tuple[int, Any]:
        self.renewals.append(body)
        self.newer = f"obta_{len(self.renewals):08d}_renewed"
        return 201, CredentialResponse(self.newer, SERVER_TIME)

    def knows(self, credential: str | None) -> bool:
        """Whether a credential is good; the first use of a newer one ends the one before."""
        if self.newer is not None and credential == self.newer:
            self.credential, self.newer, self.asks_to_renew = self.newer, None, False
        return credential == self.credential

    def sync(self, body: SyncRequest) -> tuple[int, Any]:
        self.syncs.append(body)
        self.sync_times.append(time.monotonic())
        mine = len(self.sync_times)
        deadline, seen = time.monotonic() + body.hold_s, self._wakes
        with self.changed:
            self.changed.notify_all()
            while not self._work(body) and self._http is not None and not self.answer_at_once:
                left = deadline - time.monotonic()
                if left <= 0 or seen != self._wakes or mine != len(self.sync_times):
                    break  # also when the agent has begun another poll: this one's answer reaches nobody
                self.changed.wait(left)
        if mine != len(self.sync_times):
            return 200, SyncResponse(SERVER_TIME, 0.0)
        resend, self.resend = self.resend, []
        jobs, cancels = self._work(body) or ([], [])
        return 200, SyncResponse(SERVER_TIME, 0.0, jobs, cancels, resend, renew=self.asks_to_renew)

    def _work(self, body: SyncRequest) -> tuple[list[JobOffer], list[Cancellation]] | None:
        held = {holding.job for holding in body.holding}
        waiting = [o for o in self.offers.values() if o.job not in self.acknowledged | self.ended]
        jobs = waiting if body.slots or any(o.job in held for o in waiting) else []
        cancels = [c for c in self.cancels.values() if c.job not in self.ended and c.job in held]
        return (jobs, cancels) if jobs or cancels or self.resend else None

    def progress(self, job: str, body: ProgressRequest) -> tuple[int, Any]:
        offer = self.offers.get(job)
        if offer is None or (offer.attempt, offer.lease) != (body.attempt, body.lease) or job in self.ended:
            return 409, {"title": "Conflict", "detail": "The lease is no longer current."}
        self.acknowledged.add(job)
        last = max((event.seq for name, event in self.events if name == job), default=0)
        fresh = [event for event in body.events if event.seq > last]
        self.events += [(job, event) for event in fresh]
        if any(event.kind == "released" for event in fresh):
            self.acknowledged.discard(job)
            self.ended.add(job)
        last = max([last, *(event.seq for event in fresh)])
        return 200, ProgressResponse(acknowledged=last, cancel=job in self.cancel_by_progress)

    def put_result(self, job: str, body: ResultBody) -> tuple[int, Any]:
        offer, key = self.offers.get(job), (job, body.attempt)
        if key in self.results:
            return (
                (200, ResultAnswer("result-1")) if self.results[key] == body else (409, {"detail": "Another result."})
            )
        if offer is None or (offer.attempt, offer.lease) != (body.attempt, body.lease) or job in self.ended:
            return 409, {"title": "Conflict", "detail": "The lease is no longer current."}
        self.results[key] = body
        self.ended.add(job)
        self.wake()
        return 201, ResultAnswer("result-1")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeServer

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:  # cut off by the agent, in the middle of its request
            self.close_connection = True
            return
        match = re.fullmatch(r"/api/v1/agent/(?:(register|sync|credential)|jobs/([^/]+)/(progress|result))", self.path)
        if not match:
            return self._send(404, {"detail": "No such path."})
        call, job = match[1] or match[3], match[2] or ""
        fault = self._fault(call)
        if fault is not None and not fault.after_work:
            return self._fail(fault)
        status, answer = self._work(call, job, body)
        with self.fake.changed:
            self.fake.changed.notify_all()
        return self._fail(fault) if fault is not None else self._send(status, answer)

    def _fault(self, call: str) -> Fault | None:
        waiting = self.fake.faults.get(call, [])
        if not waiting:
            return None
        waiting[0].times -= 1
        return waiting.pop(0) if waiting[0].times <= 0 else waiting[0]

    def _fail(self, fault: Fault) -> None:
        if fault.hang_s:
            time.sleep(fault.hang_s)
        if fault.status == 0:
            self.close_connection = True
            return
        self.send_response(fault.status)
        for name, value in {"Content-Length": str(len(fault.body)), **fault.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(fault.body)

    def _work(self, call: str, job: str, body: bytes) -> tuple[int, Any]:
        fake = self.fake
        given = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if call != "register" and not fake.knows(given):
            return 401, {"title": "Unauthorized", "detail": "This credential is not valid."}
        if self.headers.get("Content-Type") != "application/json":
            return 415, {"detail": "Only JSON."}
        try:
            value = wire.loads(body)
            if call == "register":
                return fake.register(wire.decode(RegisterRequest, value))
            if call == "credential":
                return fake.renew(wire.decode(CredentialRequest, value))
            if call == "sync":
                return fake.sync(wire.decode(SyncRequest, value))
            if call == "progress":
                return fake.progress(job, wire.decode(ProgressRequest, value))
            fake.result_posts += 1
            return fake.put_result(job, wire.decode(ResultBody, value))
        except wire.WireError as error:
            fake.problems.append(f"{call}: {error}")
            return 400, {"title": "Bad Request", "detail": str(error)[:300]}

    def _send(self, status: int, answer: Any) -> None:
        content = wire.dumps(answer) if not isinstance(answer, dict) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if status < 400 else "application/problem+json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass
