"""Syncs per second of one server process, credentials, limits, validation and the database included, against a bare
Django view on the same daphne in the same run."""

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from agent.bench.house import ROOT, free_port
from agent.bench.report import CannotRun, Row, Settings
from obt_site.bench import alone

MACHINES = 40
CONNECTIONS = 4
ROUND_S, ROUND_QUICK_S = 3.0, 1.0
ROUNDS, ROUNDS_QUICK = 4, 1
WARM_UP_S = 1.0
LEAST_RATIO = 0.7
READY_WITHIN_S = 60.0
ANSWER_WITHIN_S = 30.0
BARE, DOOR, SYNC = "/bare", "/api/v1/agent/bare", "/api/v1/agent/sync"


@dataclass
class Tally:
    """What one way of asking came to: answers, seconds, and the CPU seconds of server and database meanwhile."""

    answers: int = 0
    seconds: float = 0.0
    server_cpu_s: float = 0.0
    database_cpu_s: float = 0.0

    @property
    def per_second(self) -> float:
        return self.answers / self.seconds

    def told(self) -> dict[str, float]:
        each_ms = 1000 / max(self.answers, 1)
        return {
            "per_second": round(self.per_second, 1),
            "server_cpu_ms": round(self.server_cpu_s * each_ms, 3),
            "database_cpu_ms": round(self.database_cpu_s * each_ms, 3),
        }


@dataclass
class Asked:
    """One kind of request, ready to be sent: a variant per connection and machine."""

    requests: Sequence[bytes]
    tally: Tally = field(default_factory=Tally)


def rows(settings: Settings) -> Iterable[Row]:
    """One row: the ratio. Bare view, sync, sync, bare view, and so on, so that both see the same machine."""
    with alone.database() as address, _server(address) as (port, processes):
        ways = {BARE: Asked([_request(port, BARE, _body())]), DOOR: Asked([_request(port, DOOR, _body())])}
        ways[SYNC] = Asked([_request(port, SYNC, _body(), credential) for credential in _credentials()])
        for path in ways:
            ask(port, ways[path].requests, WARM_UP_S)
        round_s = ROUND_QUICK_S if settings.quick else ROUND_S
        for _ in range(ROUNDS_QUICK if settings.quick else ROUNDS):
            for path in (BARE, SYNC, DOOR, DOOR, SYNC, BARE):
                _measure(ways[path], port, processes, round_s)
    yield compared(ways[BARE].tally, ways[DOOR].tally, ways[SYNC].tally)


def compared(bare: Tally, door: Tally, sync: Tally) -> Row:
    """The row of what was measured."""
    ratio = sync.per_second / bare.per_second
    told = sync.told()
    reason = (
        f"a sync costs the server {told['server_cpu_ms']:.2f} ms of CPU and the database"
        f" {told['database_cpu_ms']:.2f} ms, a bare view {bare.told()['server_cpu_ms']:.2f} ms"
    )
    return Row(
        "syncs per second",
        f"one process, {MACHINES} machines, {CONNECTIONS} connections; a bare Django view on the same daphne",
        f"at least {LEAST_RATIO} of the bare view's",
        f"{sync.per_second:.0f} against {bare.per_second:.0f}: {ratio:.2f} of it",
        ratio >= LEAST_RATIO,
        {"ratio": ratio, "sync": told, "bare": bare.told(), "bare_by_the_agents_door": door.told()},
        reason,
    )


def ask(port: int, requests: Sequence[bytes], seconds: float) -> int:
    """Send these by a few connections for so long; how many were answered. Raises CannotRun for an answer but 200."""
    until = time.perf_counter() + seconds
    answered, failed = [0] * CONNECTIONS, []

    def run(mine: int) -> None:
        turn = list(requests[mine::CONNECTIONS]) or list(requests)
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_WITHIN_S) as line:
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while time.perf_counter() < until:
                    _exchange(line, turn[answered[mine] % len(turn)])
                    answered[mine] += 1
        except (OSError, CannotRun) as error:
            failed.append(str(error))

    threads = [threading.Thread(target=run, args=(i,)) for i in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise CannotRun(f"The server did not answer as it should: {failed[0]}")
    return sum(answered)


def _exchange(line: socket.socket, request: bytes) -> None:
    line.sendall(request)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += _received(line)
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise CannotRun(answer[:300].decode(errors="replace"))
    lower = head.lower()
    if b"content-length: " in lower:
        length = int(lower.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        while len(body) < length:
            body += _received(line)
    else:
        while not body.endswith(b"0\r\n\r\n"):
            body += _received(line)


def _received(line: socket.socket) -> bytes:
    piece = line.recv(65536)
    if not piece:
        raise CannotRun("it closed the connection")
    return piece


def _request(port: int, path: str, body: bytes, credential: str = "none") -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: obt-agent/bench\r\nAccept: */*\r\n"
        f"Content-Type: application/json\r\nAuthorization: Bearer {credential}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _body() -> bytes:
    """The sync of an idle machine with one GPU, answered at once."""
    from agent.obt_agent import contract, wire  # noqa: PLC0415

    gib = 1024**3
    gpu = contract.GpuReading(0, 3.0, 2 * gib, 24 * gib, 41.0, 28.0, 210.0)
    reading = contract.HostReading(7.5, 12 * gib, 64 * gib, disk_free_bytes=500 * gib, gpus=[gpu])
    ollama = contract.OllamaState("http://127.0.0.1:11434", reachable=True, version="0.24.0", local=True)
    return wire.dumps(
        contract.SyncRequest(contract.PROTOCOL, "0.1.0", "boot-1", ollama, 1, reading=reading, hostname="m", hold_s=0.0)
    )


def _credentials() -> list[str]:
    """Those of machines that are enrolled now."""
    from agent.obt_agent import contract  # noqa: PLC0415
    from agents import enrolment  # noqa: PLC0415

    def enrolled(name: str) -> str:
        token, _ = enrolment.create_token(by="bench")
        return enrolment.register(contract.RegisterRequest(token, name, "0.1.0", contract.PROTOCOL)).credential

    return [enrolled(f"machine-{i}") for i in range(MACHINES)]


@contextmanager
def _server(address: str) -> Iterator[tuple[int, tuple[psutil.Process, psutil.Process]]]:
    """One daphne with OBT and the bare view; its port, and the processes of server and database."""
    from django.conf import settings  # noqa: PLC0415

    port = free_port()
    with tempfile.TemporaryDirectory(prefix="obt-bench-") as folder:
        environment = {
            **os.environ,
            "OBT_DATA_DIR": folder,
            "OBT_MONGODB_URI": address,
            "OBT_PORT": str(port),
            "OBT_SECRET_KEY": settings.SECRET_KEY,
            "OBT_RATE_LIMITS": "",
            "OBT_REDIS_URL": "",
        }
        command = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "-v", "0", "--no-server-name"]
        command.append("obt_site.bench.bare:application")
        log = Path(folder) / "server.log"
        with log.open("wb") as file:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=file)
        try:
            _until_ready(port, process, log)
            yield port, (psutil.Process(process.pid), _listener(address))
        finally:
            process.terminate()
            process.wait(ANSWER_WITHIN_S)


def _until_ready(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            ask(port, [_request(port, BARE, b"{}")], 0.01)
            return
        except CannotRun:
            if process.poll() is not None or time.monotonic() > deadline:
                raise CannotRun(f"The server does not start: {log.read_text(errors='replace')[-300:]}") from None
            time.sleep(0.1)


def _listener(address: str) -> psutil.Process:
    """The process of the embedded database: the child of this one that listens at its port."""
    port = int(address.rpartition(":")[2].partition("/")[0])
    for child in psutil.Process().children(recursive=True):
        if any(each.laddr and each.laddr.port == port for each in child.net_connections() if each.status == "LISTEN"):
            return child
    raise CannotRun("The process of the embedded database was not found.")


def _measure(asked: Asked, port: int, processes: Sequence[psutil.Process], seconds: float) -> None:
    before, begun = [_cpu_s(each) for each in processes], time.perf_counter()
    asked.tally.answers += ask(port, asked.requests, seconds)
    asked.tally.seconds += time.perf_counter() - begun
    server, database = (_cpu_s(each) - was for each, was in zip(processes, before, strict=True))
    asked.tally.server_cpu_s += server
    asked.tally.database_cpu_s += database


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
