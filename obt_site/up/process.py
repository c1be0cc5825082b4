"""One part of OBT as a child process: started tied to this process, logged, recorded, watched and stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from obt_site.env import SECRETS
from obt_site.up import leftovers
from obt_site.up.errors import CannotStart, ChildEnded

ROOT = Path(__file__).resolve().parent.parent.parent
LAUNCHER = Path(__file__).with_name("launcher.py")
POLL_S = 0.02
MAX_LOG_BYTES = 5_000_000
LOG_TAIL_BYTES = 4_096
AFTER_KILL_S = 2.0


@dataclass(frozen=True)
class Ending:
    """How a process ended: its exit code, or minus the number of the signal that ended it."""

    code: int

    def __str__(self) -> str:
        if self.code >= 0:
            return f"exit code {self.code}"
        try:
            return f"killed by {signal.Signals(-self.code).name}"
        except ValueError:
            return f"killed by signal {-self.code}"


class Child:
    """A child process. Start it from the main thread: on Linux it is tied to the thread that made it.

    It gets its own session, so a terminal's Ctrl-C reaches only the parent, which then stops its children in order.
    """

    def __init__(
        self,
        name: str,
        command: list[str],
        data_dir: Path,
        extra_env: Mapping[str, str] | None = None,
        orphan_signal: signal.Signals = signal.SIGTERM,
        *,
        keeps_secrets: bool = False,
    ) -> None:
        self.name = name
        self.orphan_signal = orphan_signal  # what it gets when this process is killed
        self.command = command
        self.data_dir = data_dir
        self.extra_env = dict(extra_env or {})
        self.keeps_secrets = keeps_secrets  # of the environment: only the server has a use for them
        self.log = data_dir / "logs" / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._ending: Ending | None = None

    @property
    def pid(self) -> int | None:
        """The process id, or None before the start."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Starts it; raises CannotStart when the log cannot be written or the program cannot be run."""
        piped = is_piped()
        launch = [sys.executable] if piped else [sys.executable, "-I", "-S"]
        launch += [str(LAUNCHER), "pipe" if piped else "exec", str(os.getpid()), str(int(self.orphan_signal))]
        try:
            self._rotate_log()
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    launch + self.command,
                    stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=ROOT,
                    env=self._environment(),
                    start_new_session=os.name != "nt",
                    creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
                )
            self.record()
        except OSError as error:
            raise CannotStart(f"The {self.name} could not be started: {error}.") from None

    def _environment(self) -> dict[str, str]:
        hidden = () if self.keeps_secrets else (*SECRETS, *(f"{name}_FILE" for name in SECRETS))
        given = {name: value for name, value in os.environ.items() if name not in hidden}
        return {**given, **self.extra_env, "PYTHONUNBUFFERED": "1"}

    def record(self) -> None:
        """Notes the running processes, so that the next start can end what a killed one left. Call again when ready."""
        if self._process:
            leftovers.record(self.data_dir, self.name, self._process.pid)

    def ended(self) -> Ending | None:
        """How it ended, or None while it runs (or was never started)."""
        if self._process and self._ending is None and self._is_dead():
            self._kill_group()  # before the id is given back: helpers of the dead process go with it
            self._ending = Ending(self._process.wait())
            leftovers.forget(self.data_dir, self.name)
        return self._ending

    def wait(self, timeout_s: float, is_hurried: Callable[[], bool] = lambda: False) -> Ending | None:
        """Waits up to `timeout_s` seconds, less in a hurry, for the end."""
        deadline = time.monotonic() + timeout_s
        while (ending := self.ended()) is None and self._process and time.monotonic() < deadline and not is_hurried():
            time.sleep(POLL_S)
        return ending

    def check(self) -> None:
        """Raises ChildEnded, with how and the last line of the log, when it ended by itself."""
        if ending := self.ended():
            line = self.last_log_line()
            raise ChildEnded(
                f"The {self.name} ended by itself ({ending})"
                + (f"; the last line of {self.log} is: {line}" if line else f"; {self.log} is empty")
            )

    def ask_to_stop(self) -> None:
        """Asks once: SIGTERM, or the end of its standard input where that is how it is tied."""
        if self._process is None or self.ended():
            return
        if self._process.stdin and not self._process.stdin.closed:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        elif os.name != "nt":
            os.kill(self._process.pid, signal.SIGTERM)  # Popen's own way would give the id back to the system here

    def stop(
        self, grace_s: float, ask_again_after_s: float | None = None, is_hurried: Callable[[], bool] = lambda: False
    ) -> Ending | None:
        """Asks, optionally asks again, and after `grace_s` seconds in all (or in a hurry) kills what is left."""
        self.ask_to_stop()
        if ask_again_after_s is not None:
            self.wait(ask_again_after_s, is_hurried)
            self.ask_to_stop()
            grace_s -= ask_again_after_s
        self.wait(grace_s, is_hurried)
        self.kill()
        return self._ending

    def kill(self) -> None:
        """Ends it and what it started at once."""
        if self._process and not self.ended():
            for process in leftovers.descendants(self._process.pid):
                with contextlib.suppress(leftovers.Gone):
                    process.kill()
            self._kill_group()
            if os.name == "nt":
                self._process.kill()
            self.wait(AFTER_KILL_S)

    def last_log_line(self) -> str:
        """The last line it wrote that is not blank, or an empty text."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - LOG_TAIL_BYTES))
                lines = log.read().decode("utf-8", errors="replace").split("\n")
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _is_dead(self) -> bool:
        """Whether it ended, without giving its id back to the system yet."""
        assert self._process is not None
        if os.name == "nt":
            return self._process.poll() is not None
        try:
            return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
        except ChildProcessError:
            return True

    def _kill_group(self) -> None:
        assert self._process is not None
        if os.name != "nt":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _rotate_log(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > MAX_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))


def is_piped() -> bool:
    """Whether children are tied by a pipe; OBT_PARENT_PIPE=1 asks for it on Linux too, which is how tests reach it."""
    return sys.platform != "linux" or os.environ.get("OBT_PARENT_PIPE") == "1"
