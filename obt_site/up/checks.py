"""What can be known before anything is touched: is it safe to listen there, and is the port free."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import psutil

from obt_site.env import HIGHEST_PORT, Environment
from obt_site.up import leftovers
from obt_site.up.errors import CannotStart

PORTS_TRIED = 100
SECRET_KEY_LENGTH = 32  # it signs sign-ins and keys the hashes of all credentials
BIND_PROBLEMS = {
    errno.EACCES: "this user may not listen there; ports from 1024 up need no rights",
    errno.EADDRNOTAVAIL: "this machine does not have that address",
}


def exposure(environment: Environment) -> None:
    """Refuses an address others can reach without the settings that make it safe. The administrator is looked for
    later, when the database answers."""
    if environment.is_loopback:
        return
    needs = [
        ("OBT_DEBUG must be off", not environment.debug),
        (
            f"OBT_SECRET_KEY must be set, with {SECRET_KEY_LENGTH} characters or more",
            len(environment.secret_key or "") >= SECRET_KEY_LENGTH,
        ),
        ("OBT_ALLOWED_HOSTS must name the hosts it answers to", bool(environment.allowed_hosts)),
    ]
    if missing := [need for need, is_met in needs if not is_met]:
        raise CannotStart(f"OBT_HOST={environment.host} lets other machines in, so {'; '.join(missing)}.")


def port(environment: Environment, data_dir: Path) -> None:
    """Refuses a port that somebody else holds; what a killed `up` left on it is ended later and does not count."""
    problem = _bind_problem(environment.host, environment.port)
    if problem is None:
        return
    if problem.errno != errno.EADDRINUSE:
        reason = BIND_PROBLEMS.get(problem.errno or 0, problem.strerror or str(problem))
        raise CannotStart(f"The server cannot listen on {environment.host}, port {environment.port}: {reason}.")
    holder = _holder(environment.port)
    if holder and holder.pid in {process.pid for process in leftovers.running(data_dir)}:
        return
    raise CannotStart(
        f"Port {environment.port} on {environment.host} is taken{_described(holder)}; "
        f"choose another, for example: OBT_PORT={_free_port_after(environment)} make up"
    )


def _bind_problem(host: str, number: int) -> OSError | None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as attempt:
            if os.name != "nt":  # as the server does it: a port that only waits for its last packets is free
                attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            attempt.bind(address)
            attempt.listen()
    except OSError as problem:
        return problem
    return None


def _holder(number: int) -> psutil.Process | None:
    """Who listens on the port, where the system tells."""
    try:
        for each in psutil.net_connections(kind="tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == number and each.pid:
                return psutil.Process(each.pid)
    except psutil.Error:
        pass
    return None


def _described(holder: psutil.Process | None) -> str:
    if holder is None:
        return ""
    try:
        return f" by {holder.name()} (process {holder.pid})"
    except psutil.Error:
        return f" by process {holder.pid}"


def _free_port_after(environment: Environment) -> int:
    following = range(environment.port + 1, min(environment.port + PORTS_TRIED, HIGHEST_PORT + 1))
    return next((each for each in following if _bind_problem(environment.host, each) is None), environment.port + 1)
