"""How values of the environment are read that take more than a look: secrets in files, host names, origins.

Standard library only, as `obt_site/env.py`, which has the list of variables.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

SECRET_FILE_BYTES = 64 * 1024
DEFAULT_PORTS = {"http": 80, "https": 443}
# What Django looks for in a Host header: labels of letters, digits and hyphens; a dot in front means every name below.
HOST = re.compile(r"\.?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.IGNORECASE)


class BadEnvironment(ValueError):
    """A variable has a value that OBT cannot use; the text is one sentence for the person who set it."""


def secret(name: str, values: Mapping[str, str], root: Path) -> str:
    """The value of `name`, or what the file named by `name`_FILE holds. No message repeats a secret."""
    file, value = values[f"{name}_FILE"], values[name]
    if not file:
        return value
    if value:
        raise BadEnvironment(f"{name} and {name}_FILE are both set: keep the one that is meant.")
    path = in_root(file, root)
    try:
        with path.open(encoding="utf-8") as opened:
            text = opened.read(SECRET_FILE_BYTES).strip()
    except UnicodeDecodeError:
        raise BadEnvironment(f"{name}_FILE names {path}, which is no text file.") from None
    except OSError as error:
        raise BadEnvironment(f"{name}_FILE names {path}, which cannot be read ({error.strerror}).") from None
    if not text:
        raise BadEnvironment(f"{name}_FILE names {path}, which is empty.")
    if "\n" in text or "\0" in text:
        raise BadEnvironment(f"{name}_FILE names {path}, which holds more than one line.")
    return text


def in_root(value: str, root: Path) -> Path:
    """A path as it was given; a relative one starts at the project root."""
    return (root / Path(value).expanduser()).absolute()


def hosts(name: str, value: str) -> tuple[str, ...]:
    """Host names and addresses, separated by commas. A name that can match any host is refused."""
    given = tuple(host.strip() for host in value.split(",") if host.strip())
    for host in given:
        if host == "*":
            raise BadEnvironment(
                f"{name} is *, which lets any page on the web talk to this server under its own name; name the hosts."
            )
        if not _is_host(host):
            raise BadEnvironment(
                f"{name} has {host!r}, and has to be names or addresses with commas, without http:// and port, "
                "such as bench.example,10.0.0.5."
            )
    return given


def _is_host(host: str) -> bool:
    if host.startswith("[") and host.endswith("]"):
        return _is_ipv6(host[1:-1])
    if re.fullmatch(r"[0-9.]+", host):
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            return False
        return True
    return bool(HOST.fullmatch(host))


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def origins(name: str, value: str) -> tuple[str, ...]:
    """Origins of web pages, `scheme://host` or `scheme://host:port`, as browsers write them."""
    return tuple(dict.fromkeys(_origin(name, each.strip()) for each in value.split(",") if each.strip()))


def _origin(name: str, text: str) -> str:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    named = f"[{host}]" if ":" in host else host
    if not _is_host(named) or host.startswith(".") or parts.scheme not in DEFAULT_PORTS or parts.path not in ("", "/"):
        raise BadEnvironment(
            f"{name} has {text!r}, and has to be origins with commas, each a scheme, a host and, if any, a port, "
            "such as https://dash.example:3000."
        )
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise BadEnvironment(f"{name} has an origin with more than scheme, host and port in it.")
    is_usual = port is None or port == DEFAULT_PORTS[parts.scheme]
    return f"{parts.scheme}://{named}" + ("" if is_usual else f":{port}")
