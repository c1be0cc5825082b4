"""Starts a part of OBT so that it cannot outlive `up`, even when that is killed with -9. Run as a script:

    python launcher.py exec PARENT_PID SIGNAL COMMAND…  Linux: the kernel sends SIGNAL when the parent is gone
    python launcher.py pipe PARENT_PID SIGNAL COMMAND…  elsewhere: the end of standard input says that it is gone

`exec` becomes the command, so process id, signals and exit code are the command's own. `pipe` runs a Python module in
this process and any other program as its child; the parent closes the pipe to stop it, which also works on Windows.
Standard library only, and quick to start: it runs before every part.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

PR_SET_PDEATHSIG = 1  # linux/prctl.h
GRACE_S = 6.0
EXIT_ORPHANED = 1


def main(argv: list[str]) -> int:
    """Starts `argv[3:]` in the mode and for the parent that the first ones name; returns only in mode `pipe`."""
    mode, parent, number, command = argv[0], int(argv[1]), int(argv[2]), argv[3:]
    if mode == "exec":
        _exec_tied_to(parent, number, command)
    if command[:2] == [sys.executable, "-m"]:
        _run_module(command[2], command[2:])
        return 0
    return _run_program(command)


def _exec_tied_to(parent: int, number: int, command: list[str]) -> None:
    import ctypes  # noqa: PLC0415  (only Linux needs it)

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it died before the call above
        sys.exit(EXIT_ORPHANED)
    os.execv(command[0], command)  # noqa: S606  (keeps the setting)  # nosec B606


def _run_module(module: str, argv: list[str]) -> None:
    import runpy  # noqa: PLC0415  (not paid for in mode exec)

    _when_parent_is_gone(lambda: os.kill(os.getpid(), signal.SIGTERM) if os.name != "nt" else _raise_sigterm())
    sys.path[0] = os.getcwd()
    sys.argv = argv
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _raise_sigterm() -> None:
    signal.raise_signal(signal.SIGTERM)  # os.kill ends a process on Windows without running its handlers


def _run_program(command: list[str]) -> int:
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def pass_on(number: int, frame: FrameType | None) -> None:
        child.terminate()

    signal.signal(signal.SIGTERM, pass_on)
    _when_parent_is_gone(child.terminate, child.kill)
    code = child.wait()
    if code < 0:  # ended by a signal: end by the same one, so that the parent sees what happened
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def _when_parent_is_gone(stop: Callable[[], None], kill: Callable[[], None] = lambda: None) -> None:
    def watch() -> None:
        while os.read(0, 1):
            pass
        stop()
        time.sleep(GRACE_S)
        kill()
        os._exit(EXIT_ORPHANED)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
