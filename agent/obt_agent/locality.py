"""Is the process behind Ollama's address on this machine, so that this machine's readings are about it?

Answers are True, False ("in a container or on another host") or None ("cannot tell"); a guess would label readings of
the wrong machine as Ollama's.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Callable, NamedTuple, Optional
from urllib.parse import urlsplit

import psutil

from .detect import port_of

# Processes that listen here and answer from elsewhere: tunnels and the port forwarders of container engines.
FORWARDERS = (
    "ssh",
    "docker-proxy",
    "com.docker.backend",
    "com.docker.vpnkit",
    "vpnkit",
    "rootlessport",
    "rootlesskit",
    "slirp4netns",
    "pasta",
    "gvproxy",
    "conmon",
    "wslrelay",
    "kubectl",
    "limactl",
    "socat",
)
# Proxies pass on to anywhere, often to this machine: no telling.
PROXIES = ("nginx", "caddy", "haproxy", "traefik", "envoy", "httpd", "apache2")
_CONTAINER_CGROUP = re.compile(r"docker|libpod|kubepods|containerd|/lxc|crio-|buildkit|nspawn")


class Listener(NamedTuple):
    """A process that may be the one behind the address."""

    pid: Optional[int]
    name: Optional[str]


def is_local(url: str) -> Optional[bool]:
    """Whether the Ollama at `url` runs as an ordinary process of this machine."""
    if not _is_own_address(urlsplit(url).hostname or "", own_addresses()):
        return False
    return judge(_listeners(port_of(url)), _ollama_processes, in_other_container)


def judge(
    listeners: Optional[list[Listener]],
    ollama_processes: Callable[[], list[Listener]],
    in_container: Callable[[int], Optional[bool]],
) -> Optional[bool]:
    """Decide from who listens on the port (None: not allowed to see).

    A listener without a visible process belongs to another user, as Ollama's own service does: then a process named
    ollama is taken for it.
    """
    if listeners == []:
        return None  # nobody listens that this machine can see: another network namespace, perhaps
    visible = [one for one in listeners or [] if one.pid is not None] or ollama_processes()
    verdicts = [_judge_one(one, in_container) for one in visible]
    if not verdicts or None in verdicts:
        return None
    return verdicts[0] if len(set(verdicts)) == 1 else None


def _judge_one(one: Listener, in_container: Callable[[int], Optional[bool]]) -> Optional[bool]:
    name = (one.name or "").lower().replace(".exe", "")
    if any(name.startswith(forwarder) for forwarder in FORWARDERS):
        return False
    if name in PROXIES or one.pid is None:
        return None
    contained = in_container(one.pid)
    return None if contained is None else not contained


def own_addresses() -> set[str]:
    addresses = {"localhost"}
    with contextlib.suppress(OSError):
        for group in psutil.net_if_addrs().values():
            addresses |= {a.address.partition("%")[0] for a in group if a.family in (socket.AF_INET, socket.AF_INET6)}
    return addresses


def _is_own_address(host: str, own: Iterable[str]) -> bool:
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host)
        return address.is_loopback or str(address) in own
    if host in own:
        return True
    with contextlib.suppress(OSError):
        return any(ipaddress.ip_address(found).is_loopback or found in own for found in _resolve(host))
    return False


def _resolve(host: str) -> set[str]:
    return {str(info[4][0]).partition("%")[0] for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}


def _listeners(port: int) -> Optional[list[Listener]]:
    try:
        connections = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return None  # macOS lets only root see all connections
    pids = [c.pid for c in connections if c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port]
    return [Listener(pid, _name(pid)) for pid in dict.fromkeys(pids)]


def _name(pid: Optional[int]) -> Optional[str]:
    if pid is None:
        return None
    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return None


def _ollama_processes() -> list[Listener]:
    with contextlib.suppress(psutil.Error, OSError):
        return [
            Listener(process.pid, process.info["name"])
            for process in psutil.process_iter(["name"])
            if (process.info["name"] or "").lower() in ("ollama", "ollama.exe")
        ]
    return []


def in_other_container(pid: int, proc: Path = Path("/proc")) -> Optional[bool]:
    """Whether a process is in a container this agent is not in. None when that cannot be seen."""
    if not proc.is_dir():
        return False  # containers share no process list with Windows and macOS
    with contextlib.suppress(OSError):
        return os.readlink(proc / str(pid) / "ns" / "pid") != os.readlink(proc / "self" / "ns" / "pid")
    try:
        return bool(_CONTAINER_CGROUP.search((proc / str(pid) / "cgroup").read_text()))
    except OSError:
        return None
