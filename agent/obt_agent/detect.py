"""Where is the Ollama of this machine, and is it really on this machine?"""

from __future__ import annotations

import ipaddress
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from typing import Callable, NamedTuple, Optional
from urllib.parse import urlsplit

DEFAULT_PORT = 11434
DEFAULT_URL = f"http://127.0.0.1:{DEFAULT_PORT}"
COMMAND_TIMEOUT_S = 3.0
_SCHEME_PORTS = {"http": 80, "https": 443}
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - read, never bound  # nosec B104


class Found(NamedTuple):
    """Ollama's address and where the agent has it from, in words."""

    url: str
    source: str


def find(
    option: Optional[str], environ: Mapping[str, str], habit: Optional[Callable[[], Optional[Found]]] = None
) -> Found:
    """Ollama's address: the option, else OBT_OLLAMA_URL, OLLAMA_HOST, the operating system's habit, the default."""
    if option:
        return Found(parse_host(option), "--ollama-url")
    for variable in ("OBT_OLLAMA_URL", "OLLAMA_HOST"):
        if environ.get(variable, "").strip():
            return Found(parse_host(environ[variable]), variable)
    return (habit or system_habit)() or Found(DEFAULT_URL, "the default")


def parse_host(text: str) -> str:
    """Read an address in any form OLLAMA_HOST takes, into `scheme://host:port[/path]`.

    Same rules as Ollama's own (envconfig.Host): quotes and spaces are trimmed, no scheme means http and port 11434, a
    scheme without a port means that scheme's port, a port that is none becomes the default. An address to listen on
    everywhere (0.0.0.0, ::) becomes the loopback address to connect to.
    """
    text = text.strip().strip("\"'").strip()
    scheme, found, rest = text.partition("://")
    scheme, rest = (scheme.lower(), rest) if found else ("http", text)
    default_port = _SCHEME_PORTS.get(scheme, DEFAULT_PORT) if found else DEFAULT_PORT
    host_port, _, path = rest.partition("/")
    host, port = _split(host_port, default_port)
    host = _ANY_ADDRESS.get(host, host)
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{port}" + (f"/{path.rstrip('/')}" if path.rstrip("/") else "")


def _split(host_port: str, default_port: int) -> tuple[str, int]:
    bare = host_port.strip("[]")
    try:
        return str(ipaddress.ip_address(bare)), default_port  # an IPv6 address has colons and still no port
    except ValueError:
        host, colon, port = host_port.rpartition(":")
    if not colon:
        return host_port, default_port
    usable = port.isascii() and port.isdigit() and int(port) <= 65535
    return host.strip("[]"), int(port) if usable else default_port


# -- the operating systems' habits -------------------------------------------------------------------------------


def system_habit() -> Optional[Found]:
    """OLLAMA_HOST where this operating system keeps it for Ollama's service; None when it is not set there."""
    if sys.platform == "win32":
        value, source = _windows_user_variable("OLLAMA_HOST"), "OLLAMA_HOST of this Windows user"
    elif sys.platform == "darwin":
        value, source = _output(["launchctl", "getenv", "OLLAMA_HOST"]).strip(), "OLLAMA_HOST of launchctl"
    else:
        shown = _output(["systemctl", "show", "--property=Environment", "ollama.service"])
        value, source = systemd_variable(shown, "OLLAMA_HOST"), "OLLAMA_HOST of ollama.service"
    return Found(parse_host(value), source) if value else None


def systemd_variable(shown: str, name: str) -> Optional[str]:
    """One variable out of what `systemctl show --property=Environment` prints."""
    _, _, assignments = shown.strip().partition("Environment=")
    try:
        words = shlex.split(assignments)
    except ValueError:
        return None
    return next((word.partition("=")[2] for word in words if word.startswith(f"{name}=")), None)


def _windows_user_variable(name: str) -> Optional[str]:
    if sys.platform != "win32":
        return None
    import winreg  # noqa: PLC0415 - only there on Windows

    for root, path in (
        (winreg.HKEY_CURRENT_USER, "Environment"),
        (winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\Session Manager\Environment"),
    ):
        try:
            with winreg.OpenKey(root, path) as key:
                return str(winreg.QueryValueEx(key, name)[0])
        except OSError:
            continue
    return None


def _output(command: list[str]) -> str:
    """What a command prints; empty when it is not there, fails or hangs."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
            env=dict(os.environ, LC_ALL="C"),
        )
    except (OSError, subprocess.SubprocessError, ValueError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def port_of(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or _SCHEME_PORTS.get(parts.scheme, DEFAULT_PORT)
