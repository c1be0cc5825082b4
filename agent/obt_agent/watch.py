"""Watching the local Ollama: does it answer, what is installed, what is loaded. In threads of its own.

Reading 300 models takes a while; nothing waits for it. While a job measures, only `/api/ps` is asked.
"""

from __future__ import annotations

import logging
import threading
from typing import Callable, Optional

from .digest import content_hash
from .locality import is_local
from .machine import InstalledModel, LoadedModel, OllamaState
from .ollama import OllamaClient, OllamaError, is_simulated

STATE_EVERY_S = 10.0
UNREACHABLE_EVERY_S = 2.0
MODELS_EVERY_S = 15.0
READ_TIMEOUT_S = 5.0
_PROBLEMS = ("refused", "timeout", "not_ollama")

log = logging.getLogger(__name__)


class OllamaWatch:
    """What the agent last saw of its Ollama. `changed` is called when the state or the models became others."""

    def __init__(
        self,
        url: str,
        changed: Callable[[], None],
        busy: Callable[[], bool],
        local: Callable[[str], Optional[bool]] = is_local,
    ) -> None:
        self.url = url
        self.state = OllamaState(url=url, reachable=False, problem="error", message="Ollama was not asked yet.")
        self.loaded: list[LoadedModel] = []
        self.models: Optional[list[InstalledModel]] = None
        self.models_hash: Optional[str] = None
        self._changed, self._busy, self._local = changed, busy, local
        self._stopped = threading.Event()
        self._look_at_models = threading.Event()
        # A client each: one serves one thread at a time.
        self._for_state = OllamaClient(url, READ_TIMEOUT_S)
        self._for_models = OllamaClient(url)

    def start(self) -> None:
        self.refresh_state()
        threading.Thread(target=self._watch_state, name="ollama", daemon=True).start()
        threading.Thread(target=self._watch_models, name="models", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self._look_at_models.set()

    # -- the state -----------------------------------------------------------------------------------------------

    def _watch_state(self) -> None:
        while not self._stopped.wait(STATE_EVERY_S if self.state.reachable else UNREACHABLE_EVERY_S):
            try:
                self.refresh_state()
            except Exception:  # whatever an odd Ollama does, the agent goes on
                log.exception("Ollama's state could not be read.")

    def refresh_state(self) -> None:
        busy = self._busy()
        try:
            version = self.state.version if busy and self.state.reachable else self._for_state.version()
            self.loaded = self._for_state.ps()
        except OllamaError as error:
            if busy and error.kind == "timeout":
                return  # it works for us; that it takes its time is no news
            self.loaded = []
            self._become(self._unreachable(error))
        else:
            self._become(self._reachable(version or ""))

    def _reachable(self, version: str) -> OllamaState:
        same = self.state.reachable and self.state.version == version
        local = self.state.local if same and self.state.local is not None else self._local(self.url)
        return OllamaState(url=self.url, reachable=True, version=version, simulated=is_simulated(version), local=local)

    def _unreachable(self, error: OllamaError) -> OllamaState:
        kind = error.kind if error.kind in _PROBLEMS else "error"
        message = error.message if error.message.endswith(".") else f"{error.message}."
        return OllamaState(url=self.url, reachable=False, problem=kind, message=message)  # type: ignore[arg-type]

    def _become(self, state: OllamaState) -> None:
        before, self.state = self.state, state
        if state == before:
            return
        if state.reachable:
            log.info("Ollama %s answers at %s.", state.version, state.url)
        else:
            log.warning("%s", state.message)
        if state.reachable and not before.reachable:
            self._look_at_models.set()
        self._changed()

    # -- the models ----------------------------------------------------------------------------------------------

    def _watch_models(self) -> None:
        while True:
            self._look_at_models.wait(MODELS_EVERY_S)
            self._look_at_models.clear()
            if self._stopped.is_set():
                return
            if self.state.reachable and not self._busy():
                self.refresh_models()

    def refresh_models(self) -> None:
        """Read the list, and of each model not yet known what `/api/show` says."""
        try:
            models = self._for_models.models()
        except OllamaError as error:
            log.warning("The list of models could not be read: %s", error)
            return
        except Exception:
            log.exception("The list of models could not be read.")
            return
        seen = content_hash(models)
        if seen != self.models_hash:
            self.models, self.models_hash = models, seen
            log.info("Models installed in Ollama: %d.", len(models))
            self._changed()
