"""The embedded database: a MongoDB-protocol server as a child process on a free loopback port.

`mongod` on PATH, else `secantusd-rs` on PATH, else `secantusd-py` from the project's own environment. Its files lie in
the data folder; those of one kind do not fit another, so a data folder keeps to the kind that made it.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from obt_site.up import leftovers
from obt_site.up.errors import CannotStart, ChildEnded
from obt_site.up.process import POLL_S, Child

KINDS = ("mongod", "secantusd-rs", "secantusd-py")
HOST = "127.0.0.1"
DATABASE = "obt"
URI_FILE = "run/mongodb-uri"  # where commands beside `up` find the running database
URI_FILE_MODE = 0o600
CACHE_SIZE = "256M"
READY_WITHIN_S = 60.0
PING_TIMEOUT_MS = 2_000
STOP_WITHIN_S = 5.0
KNOCK_EVERY_S = 0.1
# secantusd misses one SIGTERM in ten (its C threads take it, its main thread sleeps on), and nobody is left to ask
# again. What it answered is on disk, see `uri`.
ORPHAN_SIGNAL = getattr(signal, "SIGKILL", signal.SIGTERM)
START_TRIES = 3
PORTS = range(20_000, 32_000)  # below what Linux, macOS and Windows hand out for outgoing connections


@dataclass(frozen=True)
class Program:
    """A database program of this machine: which kind it is and where it lies."""

    kind: str
    path: str


def find_program(data_dir: Path) -> Program:
    """The program that opens this data folder; for a new one the first there is. Raises CannotStart."""
    made_by = [kind for kind in KINDS if _folder(data_dir, kind).is_dir()]
    if len(made_by) > 1:
        folders = " and ".join(f"db-{kind}" for kind in made_by)
        raise CannotStart(f"{data_dir} has two databases, {folders}: move the one that is not wanted out of it.")
    for kind in made_by or KINDS:
        if path := _which(kind):
            return Program(kind, path)
    if made_by:
        raise CannotStart(
            f"The database in {_folder(data_dir, made_by[0])} was made by {made_by[0]}, which is not on PATH now: "
            f"install it again, or choose another folder with OBT_DATA_DIR."
        )
    raise CannotStart(
        "There is no embedded database for this system and Python: install MongoDB (mongod on PATH), "
        "or set OBT_MONGODB_URI to one that runs elsewhere."
    )


class EmbeddedDatabase:
    """One database process. `start()` and `stop()`, or `launch()` and `wait_until_ready()` to do other things between.

    Start it from the main thread (see Child). Raises CannotStart with a sentence for whoever started it.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.kind = ""
        self.port = 0
        self._child: Child | None = None
        self._made_folder = False

    @property
    def uri(self) -> str:
        """The address, database name included; it may change until `wait_until_ready` returns.

        With journal=true a write is answered when it is on disk; without it `kill -9` loses the last 50 ms of them.
        """
        return f"mongodb://{HOST}:{self.port}/{DATABASE}?journal=true"

    @property
    def is_launched(self) -> bool:
        """Whether there is a process to watch."""
        return self._child is not None

    @property
    def child(self) -> Child:
        """The process; only after `launch`."""
        assert self._child is not None
        return self._child

    def start(self) -> str:
        """Starts it, waits until it answers and returns its URI."""
        self.launch()
        return self.wait_until_ready()

    def launch(self) -> None:
        """Starts the process without waiting for it."""
        program = find_program(self.data_dir)
        folder = _folder(self.data_dir, program.kind)
        self._made_folder = self._made_folder or not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        self.kind, self.port = program.kind, free_port()
        command = _command(program, self.port, folder, self.data_dir)
        self._child = Child("database", command, self.data_dir, orphan_signal=ORPHAN_SIGNAL)
        self._child.start()

    def wait_until_ready(self, is_stopped: Callable[[], bool] = lambda: False) -> str:
        """Waits until it answers, with another port when somebody was faster; returns the URI.

        Returns early, without an answer, when `is_stopped()` becomes true.
        """
        for tries_left in reversed(range(START_TRIES)):
            try:
                self._wait_once(is_stopped)
                break
            except ChildEnded:
                if not tries_left or not self._port_was_taken():
                    self._forget_new_folder()
                    raise
                self.launch()
        self._publish()
        return self.uri

    def stop(self, within_s: float = STOP_WITHIN_S, is_hurried: Callable[[], bool] = lambda: False) -> None:
        """Stops it, kindly first; what is stored stays."""
        if self._child is None:
            return
        with contextlib.suppress(OSError):
            (self.data_dir / URI_FILE).unlink(missing_ok=True)
        deadline = time.monotonic() + within_s
        while self._child.ended() is None and time.monotonic() < deadline and not is_hurried():
            if _listens(self._child, self.port):  # not yet asked, or it missed it
                self._child.ask_to_stop()
            _knock(self.port)
            self._child.wait(KNOCK_EVERY_S)
        self._child.kill()

    def _wait_once(self, is_stopped: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while not is_stopped():
            self.child.check()
            if _listens(self.child, self.port) and answers(self.uri):
                self.child.record()
                return
            if time.monotonic() > deadline:
                self.child.kill()
                raise CannotStart(f"The database did not answer within {READY_WITHIN_S:.0f} s; see {self.child.log}.")
            time.sleep(POLL_S)

    def _port_was_taken(self) -> bool:
        return "ddress already in use" in self.child.last_log_line() or not _is_free(self.port)

    def _publish(self) -> None:
        path = self.data_dir / URI_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=URI_FILE_MODE)
        path.write_text(self.uri + "\n", encoding="utf-8")

    def _forget_new_folder(self) -> None:
        """A program that never ran here (wrong CPU, missing library) must not claim the data folder."""
        if self._made_folder:
            shutil.rmtree(_folder(self.data_dir, self.kind), ignore_errors=True)


@contextlib.contextmanager
def running(data_dir: Path) -> Iterator[str]:
    """The URI of the embedded database for a command beside `up`: the one that runs, else one for this block."""
    if uri := running_uri(data_dir):
        yield uri
        return
    database = EmbeddedDatabase(data_dir)
    try:
        yield database.start()
    finally:
        database.stop()


def running_uri(data_dir: Path) -> str | None:
    """The URI of the embedded database that runs on this data folder now, else None."""
    try:
        uri = (data_dir / URI_FILE).read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return uri if uri and answers(uri) else None


def answers(uri: str) -> bool:
    """Whether a database answers a ping at `uri`."""
    import pymongo  # noqa: PLC0415  (0.2 s that the start of the process need not wait for)
    from pymongo.errors import PyMongoError  # noqa: PLC0415

    try:
        with pymongo.MongoClient[dict[str, object]](uri, serverSelectionTimeoutMS=PING_TIMEOUT_MS) as client:
            client.admin.command("ping")
    except PyMongoError:
        return False
    return True


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    return next(port for port in iter(lambda: random.choice(PORTS), None) if _is_free(port))  # noqa: S311  (no secret)


def _is_free(port: int) -> bool:
    with socket.socket() as attempt:
        if os.name != "nt":
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((HOST, port))
        except OSError:
            return False
    return True


def _listens(child: Child, port: int) -> bool:
    """Whether it is this child that listens: another database on the same port would answer a ping just as well."""
    if child.pid is None:
        return False
    try:
        processes = [psutil.Process(child.pid), *leftovers.descendants(child.pid)]
        sockets = [each for process in processes for each in process.net_connections(kind="tcp4")]
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # some systems do not tell; then the ping alone decides
        return not _is_free(port)
    return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in sockets)


def _knock(port: int) -> None:
    """secantusd sees only with its next connection that it is to stop accepting; without one it waits two seconds."""
    with contextlib.suppress(OSError):
        socket.create_connection((HOST, port), timeout=KNOCK_EVERY_S).close()


def _which(kind: str) -> str | None:
    if kind == "secantusd-py":
        beside = Path(sys.executable).with_name("secantusd-py.exe" if os.name == "nt" else "secantusd-py")
        if beside.exists():
            return str(beside)
    found = shutil.which(kind)
    return str(Path(found).absolute()) if found else None


def _folder(data_dir: Path, kind: str) -> Path:
    return data_dir / f"db-{kind}"


def _command(program: Program, port: int, folder: Path, data_dir: Path) -> list[str]:
    if program.kind == "mongod":
        return [program.path, "--bind_ip", HOST, "--port", str(port), "--dbpath", str(folder)]
    command = [program.path, "--host", HOST, "--port", str(port), "--storage-path", str(folder)]
    command += ["--cache-size", CACHE_SIZE, "--standalone"]
    if program.kind == "secantusd-py":  # an empty file of ours, so that no secantusd.toml of the user's is picked up
        settings = data_dir / "run" / "secantusd.toml"
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.touch()
        command += ["--config", str(settings), "--log-level", "WARNING"]
    return command
