"""The machine as the agent knows it: its probes and its hardware, looked at again now and then."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Callable, Optional

from .digest import content_hash
from .hardware import collect
from .machine import Hardware
from .probes.choose import Machine, choose

AGAIN_EVERY_S = 600.0  # a driver that loads after the agent, a GPU plugged in


class Inventory:
    """`machine` and `hardware` are current; `changed` is called after they became others."""

    def __init__(
        self, state_dir: Path, changed: Callable[[], None], look: Optional[Callable[[], Machine]] = None
    ) -> None:
        self._look = look or (lambda: choose(state_dir))
        self._changed = changed
        self._candidate: Optional[str] = None
        self.machine = self._look()
        self.hardware = collect(self.machine.gpus(), self.machine.missing)
        self.hash = content_hash(self.hardware)

    def look_again(self) -> None:
        """Adopt other hardware once it was seen twice in a row: a driver that hiccups must not make a new machine."""
        machine = self._look()
        hardware = collect(machine.gpus(), machine.missing)
        seen = content_hash(hardware)
        if seen == self.hash:
            self._candidate = None
        elif seen != self._candidate:
            self._candidate = seen
        else:
            self._adopt(machine, hardware, seen)

    def _adopt(self, machine: Machine, hardware: Hardware, seen: str) -> None:
        self.machine, self.hardware, self.hash, self._candidate = machine, hardware, seen, None
        self._changed()

    def watch(self, stopped: threading.Event, busy: Callable[[], bool]) -> None:
        """Look again every ten minutes, in a thread of its own, but not while something is measured."""

        def run() -> None:
            while not stopped.wait(AGAIN_EVERY_S):
                if not busy():
                    self.look_again()

        threading.Thread(target=run, name="inventory", daemon=True).start()
