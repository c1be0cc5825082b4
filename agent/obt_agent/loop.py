"""The running agent: its threads, and how it starts and stops.

sync      heartbeat; brings offers and cancellations       (sync.py)
worker    measures one job at a time                       (worker.py, the engine)
progress  tells how the running job goes                   (progress.py)
delivery  delivers results                                 (deliver.py)
ollama, models, inventory, telemetry: what is read of the machine (watch.py, inventory.py, telemetry.py)
The main thread only waits, so that signals and Ctrl-C are heard on every operating system.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Optional

from .config import Config, load_enrolment, make_state_dir, usable_enrolment
from .contract import MINIMUM_FREE_DISK_BYTES
from .deliver import Deliverer
from .detect import find
from .enrol import enrol, hostname
from .errors import AgentError
from .inventory import Inventory
from .link import Link, LinkError
from .lock import StateLock
from .owner import Owner
from .spool import Spool
from .sync import SyncLoop
from .watch import OllamaWatch
from .worker import Engine, Worker

# Windows hears Ctrl-C only between waits; elsewhere a signal ends a wait, and waking up is taken from what is measured.
WAIT_SLICE_S = 0.2 if os.name == "nt" else 3600.0
END_SLICE_S = 0.05
LAST_DELIVERY_S = 2.0
ABORT_S = 1.5

log = logging.getLogger(__name__)


class Agent:
    """`run` blocks until `stop`. The first `stop` lets the current sample end, the second does not."""

    def __init__(self, config: Config, engine: Engine, minimum_free_bytes: int = MINIMUM_FREE_DISK_BYTES) -> None:
        self.config, self._engine, self._minimum_free_bytes = config, engine, minimum_free_bytes
        self.owner = Owner(config.state_dir, config.policy)
        self._stop, self._abort, self._fatal = threading.Event(), threading.Event(), threading.Event()
        self._ended = threading.Event()  # one of them is set
        self._problem = ""
        self._token_left = config.token is not None
        self.worker: Optional[Worker] = None
        self.sync: Optional[SyncLoop] = None

    def stop(self) -> None:
        """Asked for once: let the sample end. Twice: stop at once. Not for signal handlers, as it takes locks."""
        if self._stop.is_set():
            self._abort.set()
        self._stop.set()
        self._ended.set()

    def run(self) -> None:
        """Raises AgentError with a sentence when the agent cannot go on."""
        make_state_dir(self.config.state_dir)
        self.owner.be_nice()
        lock = StateLock(self.config.state_dir)
        lock.take()
        try:
            self._run()
        finally:
            lock.release()

    def _run(self) -> None:
        link = Link(self.config.server, ca_file=self.config.ca_file, cert_sha256=self.config.cert_sha256)
        self._enrol(link)
        if self._stop.is_set():
            return
        spool = Spool(self.config.state_dir)
        self._build(link, spool)
        while not self._ended.wait(WAIT_SLICE_S):
            pass
        self._wind_down(spool)
        if self._fatal.is_set():
            raise AgentError(self._problem)

    def _enrol(self, link: Link) -> None:
        stored = usable_enrolment(self.config, load_enrolment(self.config.state_dir))
        if stored is not None:
            link.use(stored.credential)
            return
        self._token_left = False
        try:
            enrol(self.config, link, self._stop)
        except AgentError:
            if not self._stop.is_set():
                raise

    def _build(self, link: Link, spool: Spool) -> None:
        found = find(self.config.ollama_url, os.environ)
        log.info("Ollama is looked for at %s (%s).", found.url, found.source)
        self.inventory = Inventory(self.config.state_dir, self._changed)
        self.watch = OllamaWatch(found.url, self._changed, self._busy)
        self.deliverer = Deliverer(spool, link, self._changed)
        self.worker = Worker(
            spool, link, self._engine, self.inventory, self.watch, self.owner, self.deliverer.wake, self._changed
        )
        sync = SyncLoop(
            link,
            spool,
            self.worker,
            self.watch,
            self.inventory,
            self.owner,
            hostname(),
            self._lost(link),
            self._minimum_free_bytes,
        )
        self.watch.start()
        self.inventory.watch(self._stop, self._busy)
        self.worker.start()
        self.deliverer.start()
        self.sync = sync
        sync.start()

    def _busy(self) -> bool:
        return self.worker is not None and self.worker.is_measuring()

    def _changed(self) -> None:
        if self.sync is not None:
            self.sync.wake()

    def _lost(self, link: Link):  # type: ignore[no-untyped-def]
        """What to do when the server no longer accepts the credential: enrol again if a token is left, else end."""

        def lost(error: LinkError) -> bool:
            try:
                if not self._token_left:
                    raise AgentError(
                        f"The server no longer accepts this machine's credential; enrol it again with --token: {error}"
                    )
                self._token_left = False
                enrol(self.config, link, self._stop)
                return True
            except AgentError as problem:
                self._problem = str(problem)
                self._fatal.set()
                self._ended.set()
                return False

        return lost

    # -- stopping ------------------------------------------------------------------------------------------------

    def _wind_down(self, spool: Spool) -> None:
        assert self.worker is not None
        assert self.sync is not None
        log.info("Stopping%s.", " after the current sample" if self.worker.is_measuring() else "")
        self.sync.stopping = True
        if self._fatal.is_set():
            self._abort.set()
        self.worker.finish_soon()
        while not self._abort.is_set() and not self.worker.join(END_SLICE_S):
            pass
        if self._abort.is_set():
            self.worker.abort()
            self.worker.join(ABORT_S)
        else:
            self._deliver_last(spool)
        self.deliverer.stop()
        self.watch.stop()
        self.sync.stop()
        log.info("Stopped.")

    def _deliver_last(self, spool: Spool) -> None:
        self.deliverer.wake()
        deadline = time.monotonic() + LAST_DELIVERY_S
        while spool.due() and time.monotonic() < deadline and not self._abort.is_set():
            self._abort.wait(END_SLICE_S)
