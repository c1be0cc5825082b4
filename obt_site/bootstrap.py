"""Makes and enters the project's own environment, `.venv`, with the standard library alone.

`dispatch` is what manage.py calls. A stamp in `.venv` says what was installed from, so that a warm start decides in
milliseconds. Two bootstraps at once wait for each other.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import deque
from pathlib import Path

from obt_site import env
from obt_site.up.filelock import FileLock
from obt_site.up.terminal import Terminal

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "obt-stamp.json"
LOCK = VENV / "obt-lock"
LOG = VENV / "obt-install.log"
LOG_LINES_SHOWN = 12
EXIT_REFUSED = 1
EXIT_BAD_ENVIRONMENT = 2
NEEDED_MODULES = ("django", "channels", "daphne", "mongoengine", "pymongo", "psutil", "requests")


class BootstrapFailed(Exception):
    """The environment could not be made; the text says why and what to do."""


def dispatch(argv: list[str]) -> int:
    """Runs one command line of manage.py and returns the exit code."""
    command = argv[1] if len(argv) > 1 else "help"
    terminal = Terminal()
    try:
        if command == "bootstrap":
            return _bootstrap(argv[2:], terminal)
        env.read()  # a bad value is said before minutes of installing
        if not _is_here() and (command == "up" or VENV.exists()):
            ensure(terminal, dev=False)
            return _run_inside(argv)
    except BootstrapFailed as error:
        terminal.problem(str(error))
        return EXIT_REFUSED
    except env.BadEnvironment as error:
        terminal.problem(str(error))
        return EXIT_BAD_ENVIRONMENT
    except KeyboardInterrupt:
        terminal.problem("interrupted; start again and it goes on from there")
        return EXIT_REFUSED
    return _run_here(argv, command, terminal)


def _bootstrap(arguments: list[str], terminal: Terminal) -> int:
    if set(arguments) - {"--dev"}:
        raise BootstrapFailed(f"manage.py bootstrap takes only --dev, not {' '.join(arguments)}.")
    ensure(terminal, dev="--dev" in arguments)
    return 0


def _run_here(argv: list[str], command: str, terminal: Terminal) -> int:
    missing = [name for name in NEEDED_MODULES if not _is_importable(name)]
    if missing:
        terminal.problem(f"{', '.join(missing)} not installed for {sys.executable}; run: python3 manage.py bootstrap")
        return EXIT_REFUSED
    if command == "up":
        from obt_site.up import supervisor  # noqa: PLC0415  (needs the installed packages)

        return supervisor.main(argv[2:], terminal)
    from django.core.management import execute_from_command_line  # noqa: PLC0415

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "obt_site.settings")
    execute_from_command_line(argv)
    return 0


def _is_here() -> bool:
    """Whether this Python is the one to use: .venv's own, or any when OBT_NO_VENV asks for that."""
    return bool(os.environ.get("OBT_NO_VENV")) or Path(sys.prefix).resolve() == VENV.resolve()


def _is_importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:
        return False


# --- the environment -------------------------------------------------------------------------------------------------


def ensure(terminal: Terminal, *, dev: bool) -> None:
    """Brings `.venv` to what the requirement files say. Raises BootstrapFailed."""
    if _is_current(dev):
        return
    try:
        VENV.mkdir(exist_ok=True)
        lock = FileLock(LOCK)
        if not lock.acquire():
            terminal.step("Waiting for another installation into .venv")
            lock.__enter__()
    except OSError as error:
        raise BootstrapFailed(f"{VENV} cannot be written ({error.strerror}).") from None
    try:
        if not _is_current(dev):
            _install(terminal, dev=dev or _stamped().get("dev") is True)
    finally:
        lock.release()


def _install(terminal: Terminal, *, dev: bool) -> None:
    if not _venv_works():
        terminal.step("Creating the environment in .venv")
        _create_venv()
    STAMP.unlink(missing_ok=True)
    files = _requirement_files(dev)
    terminal.step("Installing the dependencies")
    _pip_install(files, terminal)
    stamp = {"requirements": _digest(files), "dev": dev, "python": sys.version.split()[0]}
    temporary = STAMP.with_suffix(".tmp")
    temporary.write_text(json.dumps(stamp), encoding="utf-8")
    temporary.replace(STAMP)
    terminal.say("Installed the dependencies in .venv")


def _is_current(dev: bool) -> bool:
    stamp = _stamped()
    if not stamp or (dev and not stamp.get("dev")):
        return False
    return stamp.get("requirements") == _digest(_requirement_files(bool(stamp.get("dev")))) and _venv_works()


def _stamped() -> dict[str, object]:
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _requirement_files(dev: bool) -> list[Path]:
    return [ROOT / "requirements.txt", *([ROOT / "requirements-dev.txt"] if dev else [])]


def _digest(files: list[Path]) -> str:
    try:
        return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
    except OSError as error:
        raise BootstrapFailed(f"{error.filename} cannot be read ({error.strerror}).") from None


def venv_python() -> Path:
    """The interpreter of `.venv`, whether or not it exists."""
    return VENV / "Scripts" / "python.exe" if os.name == "nt" else VENV / "bin" / "python"


def _venv_works() -> bool:
    """Whether .venv has an interpreter and the Python it was made from is still there (a system upgrade moves it)."""
    try:
        settings = (VENV / "pyvenv.cfg").read_text(encoding="utf-8")
    except OSError:
        return False
    values = dict(line.split(" = ", 1) for line in settings.splitlines() if " = " in line)
    return venv_python().exists() and Path(values.get("home", "")).is_dir()


def _create_venv() -> None:
    if not (_is_importable("venv") and _is_importable("ensurepip")):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise BootstrapFailed(
            f"This Python ({sys.executable}) cannot make virtual environments; "
            f"on Debian and Ubuntu: sudo apt install python{version}-venv"
        )
    for entry in VENV.iterdir():
        if entry.name != LOCK.name:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    base = getattr(sys, "_base_executable", None) or sys.executable
    done = subprocess.run([base, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BootstrapFailed(f"Creating {VENV} failed:\n{_last_lines((done.stdout + done.stderr).splitlines())}")


def _pip_install(files: list[Path], terminal: Terminal) -> None:
    command = [str(venv_python()), "-m", "pip", "install", "--require-hashes", "--no-deps", "--no-input"]
    command += ["--disable-pip-version-check", "--no-color", "--progress-bar", "off"]
    for file in files:
        command += ["-r", str(file)]
    total = sum(line[:1].isalnum() for file in files for line in file.read_text(encoding="utf-8").splitlines())
    tail: deque[str] = deque(maxlen=LOG_LINES_SHOWN)
    count = 0
    with (
        LOG.open("w", encoding="utf-8") as log,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace"
        ) as pip,
    ):
        assert pip.stdout is not None
        for line in pip.stdout:
            log.write(line)
            tail.append(line.rstrip())
            count += line.startswith("Collecting ")
            terminal.detail(f"Installing the dependencies ({min(count, total)} of {total})")
    if pip.returncode:
        raise BootstrapFailed(
            f"{_last_lines(list(tail))}\nInstalling the dependencies failed; these are the last lines of {LOG}. "
            "Check the network or the package mirror (pip config list), then start again: it goes on from there."
        )


def _last_lines(lines: list[str]) -> str:
    return "\n".join(f"    {line}" for line in lines[-LOG_LINES_SHOWN:] if line.strip())


# --- going on inside it ----------------------------------------------------------------------------------------------


def _run_inside(argv: list[str]) -> int:
    command = [str(venv_python()), str(ROOT / "manage.py"), *argv[1:]]
    sys.stdout.flush()
    if os.name != "nt":
        os.execv(command[0], command)  # noqa: S606  (the same process, so that signals and the exit code are its own)  # nosec B606
    return run_and_pass_signals(command)


def run_and_pass_signals(command: list[str]) -> int:
    """Windows' way: os.execv there ends this process at once, and the shell would not wait for the new one.

    Ctrl-C reaches the child by itself, because it shares the console; this process only has to outlive it.
    """
    with subprocess.Popen(command) as child:
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        return child.wait()
