"""The data folder: made, tried for writing, and held by one `up` (or one command) at a time."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

import psutil

from obt_site.up import leftovers
from obt_site.up.errors import AlreadyRunning, CannotStart
from obt_site.up.filelock import FileLock

OTHER_STOPS_WITHIN_S = 12.0
STATE_FILE = "up.json"
LOCK_FILE = "up.lock"
RUNNING, STOPPING = "running", "stopping"


class DataFolder:
    """The data folder while it is ours: `claim()`, then `release()`, or `abandon()` when nothing was started."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path / LOCK_FILE)
        self._made: list[Path] = []

    def claim(self) -> None:
        """Makes the folder if need be and locks it, waiting for another `up` that is stopping. Raises CannotStart."""
        try:
            self._make()
            self._try_writing()
            taken = self._lock.acquire() or (self._holder_stops() and self._lock.acquire_within(OTHER_STOPS_WITHIN_S))
        except OSError as error:
            self._unmake()
            reason = error.strerror or str(error)
            raise CannotStart(
                f"The data folder {self.path} cannot be used ({reason}): "
                "give this user the right to write there, or choose another with OBT_DATA_DIR."
            ) from None
        if not taken:
            raise AlreadyRunning(self._who_holds())
        self.note(RUNNING)

    def note(self, state: str) -> None:
        """Says what the holder is doing, for a second `up`."""
        process = psutil.Process()
        content: dict[str, object] = {"pid": process.pid, "created": process.create_time(), "state": state}
        with contextlib.suppress(OSError):  # a full disk must not keep us from stopping
            leftovers.write_json(self.path / STATE_FILE, content)

    def release(self) -> None:
        """Gives the folder back."""
        with contextlib.suppress(OSError):
            (self.path / STATE_FILE).unlink(missing_ok=True)
        self._lock.release()

    def abandon(self) -> None:
        """Gives the folder back as it was found: when it was made by us, it goes."""
        self.release()
        self._unmake()

    def _make(self) -> None:
        missing = [each for each in (self.path, *self.path.parents) if not each.exists()]
        self.path.mkdir(parents=True, exist_ok=True)
        self._made = missing

    def _unmake(self) -> None:
        if self._made:
            with contextlib.suppress(OSError):
                (self.path / LOCK_FILE).unlink(missing_ok=True)
                for folder in self._made:
                    folder.rmdir()  # only ever an empty one
            self._made = []

    def _try_writing(self) -> None:
        handle, name = tempfile.mkstemp(dir=self.path, prefix=".writable-")
        os.close(handle)
        Path(name).unlink()

    def _holder(self) -> tuple[int, float, str] | None:
        match leftovers.read_json(self.path / STATE_FILE):
            case {"pid": int(pid), "created": float(created), "state": str(state)}:
                return pid, created, state
            case _:
                return None

    def _holder_stops(self) -> bool:
        holder = self._holder()
        return holder is not None and holder[2] == STOPPING

    def _who_holds(self) -> str:
        holder = self._holder()
        who = f"process {holder[0]}, since {time.strftime('%H:%M', time.localtime(holder[1]))}" if holder else "unknown"
        stop = f"stop it (Ctrl-C where it runs, or: kill {holder[0]})" if holder else "stop it"
        return (
            f"OBT already runs on the data folder {self.path} ({who}): {stop}, "
            "or start a second one with its own OBT_DATA_DIR and OBT_PORT."
        )
