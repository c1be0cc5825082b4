"""The heartbeat: one long poll after the other, carrying what changed out and work in."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from typing import Callable, Optional

from . import __version__, wire
from .backoff import Backoff
from .contract import (
    MINIMUM_FREE_DISK_BYTES,
    PROTOCOL,
    SYNC_BODY_BYTES,
    SYNC_INTERVAL_S,
    InstalledModel,
    SyncRequest,
    SyncResponse,
)
from .inventory import Inventory
from .link import Link, LinkError, Unauthorized, retryable
from .machine import HostReading
from .owner import Owner
from .probes import host_reading
from .spool import Spool
from .watch import OllamaWatch
from .worker import Worker

QUICK_ANSWER_S = 1.0  # an answer sooner than this that brought nothing new …
FIRST_PAUSE_S = 0.1  # … makes the next poll wait: a server that always answers at once must not be asked without end
LONGEST_PAUSE_S = 2.0
LONGEST_NEXT_SYNC_S = 60.0

log = logging.getLogger(__name__)


class SyncLoop:
    """One thread. `lost` is called when the server refuses this agent; the thread ends unless it returns True."""

    def __init__(
        self,
        link: Link,
        spool: Spool,
        worker: Worker,
        watch: OllamaWatch,
        inventory: Inventory,
        owner: Owner,
        hostname: str,
        lost: Callable[[LinkError], bool],
        minimum_free_bytes: int = MINIMUM_FREE_DISK_BYTES,
    ) -> None:
        self._link, self._spool, self._worker, self._watch = link, spool, worker, watch
        self._inventory, self._hostname, self._lost = inventory, hostname, lost
        self._owner = owner
        self._minimum_free_bytes = minimum_free_bytes
        self.boot_id = uuid.uuid4().hex
        self.stopping = False  # the agent takes no more jobs
        self._wake, self._ended = threading.Event(), threading.Event()
        self._interrupting = False
        self._told_hardware: Optional[str] = None  # hashes the server is known to have
        self._told_models: Optional[str] = None
        self._connected: Optional[bool] = None
        self._backoff = Backoff()
        self._empty_answers = 0  # quick ones, in a row

    def start(self) -> None:
        threading.Thread(target=self._run, name="sync", daemon=True).start()

    def wake(self) -> None:
        """Something changed: poll anew at once."""
        self._wake.set()
        self._interrupting = True
        self._link.interrupt_sync()

    def stop(self) -> None:
        self._ended.set()
        self.wake()

    # -- the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ended.is_set():
            self._wake.clear()
            try:
                wait_s = self._once()
            except Unauthorized as error:
                if not self._lost(error):
                    return
                wait_s = 0.0
            except LinkError as error:
                wait_s = self._failed(error)
            except Exception:  # a fault here must not end the heartbeat
                log.exception("A heartbeat failed.")
                wait_s = self._backoff.next_s()
            self._wake.wait(wait_s)

    def _once(self) -> float:
        """One poll; returns the seconds to wait before the next."""
        request = self._request()
        begun = time.monotonic()
        answer = self._link.sync(request)
        self._succeeded(request)
        news = self._take_in(answer)
        if answer.next_sync_s > 0:
            return min(answer.next_sync_s, LONGEST_NEXT_SYNC_S)
        if news or time.monotonic() - begun >= min(QUICK_ANSWER_S, request.hold_s):
            self._empty_answers = 0
            return 0.0
        self._empty_answers += 1
        return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self._empty_answers, 10))

    def _succeeded(self, request: SyncRequest) -> None:
        if self._connected is not True:
            log.info("Connected to %s.", self._link.server)
        self._connected, self._interrupting = True, False
        self._backoff.reset()
        if request.hardware is not None:
            self._told_hardware = request.hardware_hash
        if request.models is not None:
            self._told_models = request.models_hash

    def _failed(self, error: LinkError) -> float:
        if self._interrupting:
            self._interrupting = False
            return 0.0
        if self._connected is not False or not retryable(error):
            log.warning("The server cannot be reached; trying again: %s", error)
        self._connected = False
        return self._backoff.next_s(error.retry_after_s)

    # -- out -----------------------------------------------------------------------------------------------------

    def _request(self) -> SyncRequest:
        reading = self._worker.reading() or self._idle_reading()
        self._keep_to_hours()
        slots, refusal = self._slots(reading)
        inventory, watch = self._inventory, self._watch
        models, models_hash = watch.models, watch.models_hash
        request = SyncRequest(
            protocol=PROTOCOL,
            agent_version=__version__,
            boot_id=self.boot_id,
            ollama=watch.state,
            slots=slots,
            holding=self._spool.holding(),
            refusal=refusal,
            reading=reading,
            hostname=self._hostname,
            hardware_hash=inventory.hash,
            hardware=inventory.hardware if inventory.hash != self._told_hardware else None,
            models_hash=models_hash,
            models=models if models_hash != self._told_models else None,
            loaded=watch.loaded,
            hold_s=SYNC_INTERVAL_S if self._connected else 0.0,
        )
        return fitted(request)

    def _keep_to_hours(self) -> None:
        """A job that runs when the owner's hours end goes back to the queue."""
        if self._worker.is_measuring():
            why = self._owner.waits(measuring=True)
            if why is not None:
                self._worker.give_back(why)

    def _idle_reading(self) -> HostReading:
        return host_reading(self._inventory.machine.read())

    def _slots(self, reading: HostReading) -> tuple[int, Optional[str]]:
        """How many jobs it would start now, and why none although nothing runs."""
        if self.stopping:
            return 0, "The agent is stopping."
        if not self._worker.is_idle():
            return 0, None
        if not self._watch.state.reachable:
            return 0, self._watch.state.message
        waits = self._owner.waits()
        if waits is not None:
            return 0, waits
        free = reading.disk_free_bytes
        least = self._minimum_free_bytes
        if free is not None and free < least:
            return 0, f"Only {free // 10**6} MB are free on the agent's disk; {least // 10**6} MB are needed."
        return 1, None

    # -- in ------------------------------------------------------------------------------------------------------

    def _take_in(self, answer: SyncResponse) -> bool:
        """Act on an answer. True when it brought anything this agent did not know."""
        news = False
        for cancellation in answer.cancel:
            news |= self._worker.cancel(cancellation.job, cancellation.attempt, cancellation.reason)
        if answer.jobs and not self.stopping and self._worker.is_idle():
            taken = [offer for offer in answer.jobs[:1] if self._spool.take(offer)]
            if taken:
                self._worker.wake()
                news = True
        return news | self._resend(answer.resend)

    def _resend(self, names: list[str]) -> bool:
        before = (self._told_hardware, self._told_models)
        if "hardware" in names:
            self._told_hardware = None
        if "models" in names:
            self._told_models = None
        return before != (self._told_hardware, self._told_models) and self._empty_answers == 0


def fitted(request: SyncRequest) -> SyncRequest:
    """The request within the server's limit for a body: a list of very many models is cut, and the log says so."""
    size = len(wire.dumps(request))
    if size <= SYNC_BODY_BYTES or not request.models:
        return request
    room = SYNC_BODY_BYTES - (size - len(wire.dumps(request.models)))
    kept: list[InstalledModel] = []
    for model in request.models:
        room -= len(wire.dumps(model)) + 1
        if room < 0:
            break
        kept.append(model)
    log.warning("The list of models is too long for one message: %d of %d are sent.", len(kept), len(request.models))
    return SyncRequest(**{**request.__dict__, "models": kept})
