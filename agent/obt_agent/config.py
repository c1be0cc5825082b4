"""What the agent was told: command line, environment, state folder and the credential in it."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional
from urllib.parse import urlsplit

from .errors import AgentError

CREDENTIAL_FILE = "credential.json"


@dataclass(frozen=True)
class Config:
    server: str  # scheme://host:port[/prefix], without a slash at the end
    state_dir: Path
    token: Optional[str] = field(default=None, repr=False)  # enrolment token: single use, exchanged for a credential
    ollama_url: Optional[str] = None  # None: look for it (detect.py)
    name: Optional[str] = None
    ca_file: Optional[Path] = None  # authority of the server's certificate; None: those the system trusts
    cert_sha256: Optional[str] = None  # fingerprint of the one certificate to trust, whatever name is in it
    policy: Optional[Path] = None  # None: policy.ini in the state folder, if there is one


@dataclass(frozen=True)
class Enrolment:
    """Who this agent is at which server; kept in the state folder, readable by its owner only."""

    server: str
    client: str
    name: str
    credential: str = field(repr=False)


def default_state_dir(platform: str, environ: Mapping[str, str]) -> Path:
    """Where the agent keeps its credential and spool when `--state-dir` is not given. `platform` as sys.platform."""
    home = Path(os.path.expanduser("~"))
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "obt-agent"
    if platform == "darwin":
        return home / "Library" / "Application Support" / "obt-agent"
    return Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "obt-agent"


def server_url(text: str) -> str:
    """Check and tidy the server's address. Raises AgentError with what is wrong about it."""
    example = "give it as in --server http://127.0.0.1:8881"
    try:
        parts = urlsplit(text.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise AgentError(f"The server address {text!r} cannot be read; {example}.") from None
    if parts.scheme not in ("http", "https") or not host:
        raise AgentError(f"The server address {text!r} must begin with http:// or https://; {example}.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise AgentError(f"The server address must be only scheme, host and port; {example}.")
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


def is_loopback(url: str) -> bool:
    """Whether the address is this machine's own: "localhost" or a loopback number, nothing that only looks like it."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def make_state_dir(path: Path) -> None:
    """Create the state folder for its owner only. Raises AgentError when it cannot be written to."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = path / ".writable"
        write_private(probe, "")
        probe.unlink()
    except OSError as error:
        reason = error.strerror or str(error)
        raise AgentError(
            f"The state folder {path} cannot be written to ({reason}); choose one with --state-dir."
        ) from None
    with contextlib.suppress(OSError):
        path.chmod(0o700)


def write_private(path: Path, text: str) -> None:
    """Write a file only its owner can read, whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(OSError):
        os.chmod(fresh, 0o600)  # an old file keeps its mode otherwise
    os.replace(fresh, path)


def save_enrolment(state_dir: Path, enrolment: Enrolment) -> None:
    write_private(state_dir / CREDENTIAL_FILE, json.dumps(enrolment.__dict__, indent=1))


def load_enrolment(state_dir: Path) -> Optional[Enrolment]:
    """The stored enrolment, or None. Raises AgentError when the file is there and cannot be used."""
    path = state_dir / CREDENTIAL_FILE
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return Enrolment(**{key: str(stored[key]) for key in ("server", "client", "name", "credential")})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise AgentError(f"The credential file {path} cannot be used ({what}); delete it and enrol again.") from None


def usable_enrolment(config: Config, stored: Optional[Enrolment]) -> Optional[Enrolment]:
    """The stored enrolment if it is for this server; None when a token is there to enrol with instead.

    A credential is never sent to another server than the one that gave it. On this machine's loopback another port
    counts as the same server: `OBT_PORT` may change.
    """
    if stored is None:
        if config.token is None:
            raise AgentError(
                "This machine is not enrolled yet; give an enrolment token with --token (Settings → Machines)."
            )
        return None
    if stored.server == config.server or (is_loopback(stored.server) and is_loopback(config.server)):
        return stored
    if config.token is None:
        raise AgentError(
            f"This machine is enrolled at {stored.server}, not at {config.server}; "
            "give an enrolment token with --token, or another --state-dir."
        )
    return None


def platform_state_dir() -> Path:
    return default_state_dir(sys.platform, os.environ)


def secret_in(environ: Mapping[str, str], name: str) -> Optional[str]:
    """A secret of the environment: `name`, or what the file that `name`_FILE names holds. Raises AgentError."""
    value, file = environ.get(name), environ.get(f"{name}_FILE")
    if not file:
        return value or None
    if value:
        raise AgentError(f"{name} and {name}_FILE are both set; keep the one that is meant.")
    try:
        text = Path(file).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text file"
        raise AgentError(f"{name}_FILE names {file}, which cannot be read ({reason}).") from None
    if not text:
        raise AgentError(f"{name}_FILE names {file}, which is empty.")
    return text


def fingerprint(text: str) -> str:
    """A certificate's SHA-256 as 64 hexadecimal digits; colons between them are taken. Raises AgentError."""
    digits = text.replace(":", "").strip().lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise AgentError("A certificate's fingerprint for --cert-sha256 has 64 hexadecimal digits.")
    return digits


def check_ca_file(path: Path) -> None:
    """Raises AgentError when the file holds no certificate."""
    try:
        ssl.create_default_context(cafile=str(path))
    except FileNotFoundError:
        raise AgentError(f"The certificate file {path} is not there.") from None
    except (OSError, ValueError):  # SSLError is an OSError
        raise AgentError(f"The certificate file {path} cannot be read, or holds no certificate in PEM form.") from None
