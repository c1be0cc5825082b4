"""Becoming a client of a server: an enrolment token is exchanged, once, for this machine's credential."""

from __future__ import annotations

import logging
import socket
import threading

from . import __version__
from .backoff import Backoff
from .config import Config, Enrolment, save_enrolment
from .contract import PROTOCOL, RegisterRequest
from .errors import AgentError
from .link import Link, LinkError, retryable

log = logging.getLogger(__name__)


def hostname() -> str:
    return socket.gethostname()[:255] or "unknown"


def enrol(config: Config, link: Link, stopped: threading.Event) -> Enrolment:
    """Register, waiting for a server that is not there yet. Raises AgentError when the token is not accepted."""
    assert config.token is not None
    request = RegisterRequest(
        token=config.token, hostname=hostname(), agent_version=__version__, protocol=PROTOCOL, name=config.name
    )
    backoff, quiet = Backoff(), False
    while not stopped.is_set():
        try:
            answer = link.register(request)
        except LinkError as error:
            if not retryable(error):
                raise AgentError(f"The enrolment token was not accepted: {error}") from None
            if not quiet:
                log.warning("This machine cannot be enrolled yet; trying again: %s", error)
            quiet = True
            stopped.wait(backoff.next_s(error.retry_after_s))
            continue
        enrolment = Enrolment(config.server, answer.client, answer.name, answer.credential)
        save_enrolment(config.state_dir, enrolment)
        log.info("This machine is enrolled at %s as %s.", config.server, answer.name)
        return enrolment
    raise AgentError("The agent was stopped before this machine was enrolled.")
