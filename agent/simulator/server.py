"""A simulated Ollama as an object: start it, use its address, stop it. Several may live in one process."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from .eras import TODAY, Era
from .faults import Fault
from .models import ModelSpec, ModelStore, default_models, pullable_models
from .routes import ALL
from .scheduler import DEFAULT_MAX_LOADED, Scheduler
from .web import SimulatorHTTPServer
from .world import World

SHUTDOWN_LOOK_S = 0.02


class SimulatedOllama:
    """An Ollama-compatible server on a thread of this process.

    `models` replaces the default ones, `speed` multiplies all rates and divides load times, `parallel` is what
    OLLAMA_NUM_PARALLEL is to the real one, `max_loaded` how many models fit at once, `seed` repeats the noise, `era`
    is how it counts (`agent.simulator.eras`), `version` what it calls itself in place of its era's own version.
    Port 0 takes a free one; it stays the same over `restart`. Raise `OSError` at `start` when the port is taken.
    """

    def __init__(
        self,
        models: Iterable[ModelSpec] | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        speed: float = 1.0,
        parallel: int = 1,
        max_loaded: int = DEFAULT_MAX_LOADED,
        version: str | None = None,
        seed: int = 0,
        era: Era = TODAY,
    ) -> None:
        if speed <= 0 or parallel < 1 or max_loaded < 1:
            raise ValueError("speed must be above 0, parallel and max_loaded at least 1")
        store = ModelStore(default_models() if models is None else models, pullable_models())
        scheduler = Scheduler(parallel, max_loaded, speed, era)
        version = era.marked_version if version is None else version
        self.world = World(store, scheduler, version=version, era=era, speed=speed, seed=seed)
        self.host = host
        self.port = port
        self._server: SimulatorHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    @property
    def url(self) -> str:
        """Its base address, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def start(self) -> SimulatedOllama:
        """Listen; requests are answered when this returns."""
        self._stopped.clear()
        with self._lock:
            self._open()
        return self

    def stop(self) -> None:
        """Cut all connections, free the port. Harmless when it does not run."""
        self._stopped.set()
        with self._lock:
            self._close()

    def restart(self, down_s: float = 0.0) -> None:
        """Go away for `down_s` seconds and come back on the same port with nothing loaded."""
        with self._lock:
            self._close()
            self.world.scheduler.forget_all()
            if not self._stopped.wait(down_s):
                self._open()

    def add_fault(self, kind: str, **details: Any) -> Fault:
        """Order a fault; see `agent.simulator.faults`."""
        return self.world.faults.add(kind, **details)

    def clear_faults(self) -> None:
        """Forget the faults still to come."""
        self.world.faults.clear()

    def requests(self, endpoint: str | None = None) -> list[dict[str, Any]]:
        """What was asked, oldest first; at one path if `endpoint` is given."""
        return [one for one in self.world.log.all() if endpoint in (None, one["endpoint"])]

    @property
    def models(self) -> ModelStore:
        """The installed models, to add, remove and change."""
        return self.world.models

    def __enter__(self) -> SimulatedOllama:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _open(self) -> None:
        if self._server is not None:
            raise RuntimeError("this simulated Ollama already runs")
        self._server = SimulatorHTTPServer((self.host, self.port), self.world, ALL, self._restart_later)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(SHUTDOWN_LOOK_S,), name=f"simulator-{self.port}", daemon=True
        )
        self._thread.start()

    def _close(self) -> None:
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._thread.join()
        self._server.cut_connections()
        self._server.server_close()
        self._server = self._thread = None

    def _restart_later(self, down_s: float) -> None:
        """Restart from a thread of its own: the one that asks is cut by it."""
        threading.Thread(target=self.restart, args=(down_s,), name="simulator-restart", daemon=True).start()
