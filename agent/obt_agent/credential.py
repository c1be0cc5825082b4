"""This machine's credential: on disk, in use, and renewed when the server asks for it.

A newer credential is kept beside the one in use before it is used, and takes its place when the server has accepted
it. The server lets go of the older one only then. So whatever ends the agent between two steps, the file has one that
works: at the next start the newer one is tried first, and the older one where that is refused.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from pathlib import Path

from .config import Enrolment, save_enrolment
from .contract import CredentialRequest
from .link import Link, LinkError, Unauthorized

RETRY_S = 600.0  # after a renewal that failed; the server goes on asking with every answer

log = logging.getLogger(__name__)


class Credential:
    """Used by one thread, the heartbeat's: only that one learns what the server says of the credential."""

    def __init__(self, state_dir: Path, enrolment: Enrolment, link: Link) -> None:
        self._state_dir, self._link = state_dir, link
        self._not_before = time.monotonic()
        self.use(enrolment)

    def use(self, enrolment: Enrolment) -> None:
        """Go on with this enrolment, which is stored already: with its newer credential where it has one."""
        self._enrolment = enrolment
        self._link.use(enrolment.newer or enrolment.credential)

    def renew(self, boot_id: str) -> None:
        """Ask for a newer one, keep it and use it. Raises Unauthorized; any other failure is for a later time."""
        if self._enrolment.newer is not None or time.monotonic() < self._not_before:
            return
        self._not_before = time.monotonic() + RETRY_S
        try:
            answer = self._link.renew(CredentialRequest(boot_id))
            self._store(dataclasses.replace(self._enrolment, newer=answer.credential))
        except Unauthorized:
            raise
        except (LinkError, OSError) as error:
            log.warning("The credential could not be renewed; trying again later: %s", error)
            return
        self.use(self._enrolment)

    def accepted(self) -> None:
        """The server took what is in use: an older one beside it is of no use any more."""
        newer = self._enrolment.newer
        if newer is None:
            return
        self._enrolment = dataclasses.replace(self._enrolment, credential=newer, newer=None)
        try:
            self._store(self._enrolment)
        except OSError as error:  # the file still has the newer one, which the next start tries first
            log.warning("The renewed credential is stored beside the old one, which could not be removed: %s", error)
        else:
            log.info("The credential of this machine was renewed.")

    def fall_back(self) -> bool:
        """The server refused what is in use: go back to the older one. False when there is none to go back to."""
        if self._enrolment.newer is None:
            return False
        self._not_before = time.monotonic() + RETRY_S
        self.use(dataclasses.replace(self._enrolment, newer=None))
        log.warning("The server did not accept the renewed credential; going on with the one before.")
        return True

    def _store(self, enrolment: Enrolment) -> None:
        save_enrolment(self._state_dir, enrolment)
        self._enrolment = enrolment
