"""The truth server as a process of its own, so that what measures it and what it does share no interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from urllib.request import urlopen

from agent.truth.records import Record, from_json

ROOT = Path(__file__).resolve().parents[2]
CHILD_PIPE = "OBT_PARENT_PIPE"  # "1": it ends when its standard input does
TIMEOUT_S = 20.0


class TruthProcess:
    """A running truth server on a free port of this machine. A context manager. Raises OSError when it cannot start."""

    url: str

    def __enter__(self) -> TruthProcess:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "agent.truth"],
            cwd=ROOT,
            env={**os.environ, CHILD_PIPE: "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if "http://" not in line:
            self._end()
            raise OSError("The truth server did not start.")
        self.url = line.split()[-1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    def records(self) -> list[Record]:
        """What it did until now, the latest last."""
        with urlopen(f"{self.url}/truth", timeout=TIMEOUT_S) as answer:  # noqa: S310 - an address of our own  # nosec B310
            return from_json(json.load(answer))

    def _end(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self.process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
