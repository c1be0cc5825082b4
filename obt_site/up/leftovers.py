"""Processes that a killed `up` left behind: noted in `<data>/run/NAME.json`, ended at the next start.

A process is known by its id and the time it was created, so another one that got the same id is never touched.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path

import psutil

SAME_PROCESS_WITHIN_S = 2.0  # creation times move a little when the clock is corrected; ids are not reused that fast
GRACE_S = 5.0
AFTER_KILL_S = 2.0
STOP_ORDER = ("agent", "server", "simulator", "database")

Gone = psutil.NoSuchProcess


def record(data_dir: Path, name: str, pid: int) -> None:
    """Notes process `pid` and what it started under `name`."""
    processes = []
    with contextlib.suppress(psutil.Error):
        parent = psutil.Process(pid)
        processes = [{"pid": each.pid, "created": each.create_time()} for each in (parent, *descendants(pid))]
    write_json(_path(data_dir, name), {"name": name, "processes": processes})


def forget(data_dir: Path, name: str) -> None:
    """Removes the note of a process that ended."""
    with contextlib.suppress(OSError):
        _path(data_dir, name).unlink(missing_ok=True)


def descendants(pid: int) -> list[psutil.Process]:
    """What the process started, as far as the system still knows; empty when it is gone."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def running(data_dir: Path) -> list[psutil.Process]:
    """The noted processes that still run, in the order they are to be stopped."""
    notes = sorted((data_dir / "run").glob("*.json"), key=_stop_rank)
    return [process for note in notes for process in _noted(note)]


def end_all(data_dir: Path) -> int:
    """Ends the noted processes, first kindly, and returns how many there were."""
    processes = running(data_dir)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, stubborn = psutil.wait_procs(processes, timeout=GRACE_S)
    for process in stubborn:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(stubborn, timeout=AFTER_KILL_S)
    for note in [*(data_dir / "run").glob("*.json"), data_dir / "run" / "mongodb-uri"]:
        note.unlink(missing_ok=True)
    return len(processes)


def find(pid: int, created: float) -> psutil.Process | None:
    """The process with this id that was created at this time (seconds since 1970), if it still runs."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - created) < SAME_PROCESS_WITHIN_S
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def write_json(path: Path, content: dict[str, object]) -> None:
    """Writes the file whole or not at all, so a reader never sees half of it. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, object]:
    """The file's content, or an empty dict when it is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _path(data_dir: Path, name: str) -> Path:
    return data_dir / "run" / f"{name}.json"


def _stop_rank(note: Path) -> int:
    return STOP_ORDER.index(note.stem) if note.stem in STOP_ORDER else -1


def _noted(note: Path) -> list[psutil.Process]:
    entries = read_json(note).get("processes")
    found = [_entry(entry) for entry in (entries if isinstance(entries, list) else [])]
    return [process for process in found if process]


def _entry(entry: object) -> psutil.Process | None:
    match entry:
        case {"pid": int(pid), "created": float(created) | int(created)}:
            return find(pid, float(created))
        case _:
            return None
