"""The policy of this machine in use: may a job begin now, may this model run, and in which words not."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Callable, Optional

from .ollama import OllamaClient, OllamaError, full_name
from .policy import FILE, Policy, PolicyError, read, size
from .power import read_power

log = logging.getLogger(__name__)


class Owner:
    """Asks the policy file anew each time; it is small, and whoever changes it means now.

    `file` is one that was named, and then has to be there; None looks for it in the state folder.
    """

    def __init__(
        self,
        state_dir: Path,
        file: Optional[Path] = None,
        minute_of_day: Optional[Callable[[], int]] = None,
        on_battery: Optional[Callable[[], bool]] = None,
    ) -> None:
        self.path = file or state_dir / FILE
        self._state_dir, self._is_named = state_dir, file is not None
        self._minute_of_day = minute_of_day or _minute_of_day
        self._on_battery = on_battery or _on_battery

    def policy(self) -> Optional[Policy]:
        """What the file says; None without one. Raises PolicyError with a whole sentence."""
        try:
            return read(self.path)
        except FileNotFoundError:
            if not self._is_named:
                return None
            why = "is not there"
        except PolicyError as error:
            why = str(error)
        raise PolicyError(f"No job runs: the policy file of this machine, {self.path}, {why}.")

    def waits(self, measuring: bool = False) -> Optional[str]:
        """Why no job may begin now, though it may later; None when one may.

        `measuring`: a job runs already. It is given back when the hours are over, not when a plug is pulled, which
        would have to be looked for while it is measured.
        """
        try:
            policy = self.policy() or Policy()
        except PolicyError as error:
            return str(error)
        why = policy.waits(self._minute_of_day())
        if why or measuring:
            return why
        if not policy.on_battery and self._on_battery():
            return "It waits for mains power: no job begins on the battery (policy of the machine)."
        return _too_full(policy, self._state_dir)

    def refuses(self, model: str, ollama_url: str) -> Optional[str]:
        """Why this model of this Ollama may not run here; None when it may. Its size is looked up now."""
        try:
            policy = self.policy() or Policy()
        except PolicyError as error:
            return str(error)
        name = full_name(model)
        return policy.refuses(name, None if policy.largest_model is None else _size_of(name, ollama_url))

    def in_words(self) -> Iterator[str]:
        """The policy in force. Raises PolicyError."""
        policy = self.policy()
        return iter(()) if policy is None else policy.in_words()

    def be_nice(self) -> None:
        """Give way to other programs as the policy wants; for this thread and those it starts."""
        try:
            policy = self.policy()
        except PolicyError as error:
            log.error("%s", error)
            return
        if policy is None or policy.nice is None or not hasattr(os, "setpriority"):
            return
        try:
            os.setpriority(os.PRIO_PROCESS, 0, policy.nice)
        except OSError as error:  # going back to a lower number takes rights
            log.warning("The nice level %d of the policy could not be set (%s).", policy.nice, error.strerror)


def _size_of(name: str, ollama_url: str) -> Optional[int]:
    try:
        models = OllamaClient(ollama_url).tags()
    except OllamaError:
        return None
    return next((one.size_bytes for one in models if full_name(one.name) == name), None)


def _too_full(policy: Policy, state_dir: Path) -> Optional[str]:
    if policy.most_disk is None:
        return None
    used = _used_bytes(state_dir)
    if used <= policy.most_disk:
        return None
    return (
        f"It waits until results are delivered: the agent's files take {size(used)}, and the policy of the machine "
        f"allows {size(policy.most_disk)}."
    )


def _used_bytes(folder: Path) -> int:
    used = 0
    for file in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # of those that come and go
            used += file.stat().st_size
    return used


def _minute_of_day() -> int:
    local = datetime.now().astimezone()
    return local.hour * 60 + local.minute


def _on_battery() -> bool:
    return read_power().power_source == "battery"
