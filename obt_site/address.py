"""Where a request comes from, and what a reverse proxy in front may say about it.

`believing` is the outermost part of the ASGI application, for HTTP and WebSockets alike. Only from the addresses that
OBT_TRUSTED_PROXY names are X-Forwarded-For, -Proto and -Host taken over, into the connection itself; from everybody
else they are thrown away, and so is the header that names a person (OBT_PROXY_USER_HEADER). Behind it `address_of`,
`request.is_secure()` and `request.get_host()` say what is true, and nobody has to look at such headers again.
"""

import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest

FORWARDED = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"})
SCHEMES = {"http": ("http", "https"), "websocket": ("ws", "wss")}
LONGEST_CHAIN = 20  # proxies in one X-Forwarded-For that are looked at
FROM_PROXY = "obt.from_proxy"  # set in the scope of its connections
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Headers = list[tuple[bytes, bytes]]
Application = Callable[..., Awaitable[None]]


def address_of(request: HttpRequest) -> str | None:
    """The client's address as it is believed: the trusted proxy's word for it, else the other end of the line."""
    return request.META.get("REMOTE_ADDR") or None


@lru_cache
def _networks(stated: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(each) for each in stated)


def is_from_the_proxy(request: HttpRequest) -> bool:
    """Whether this connection is one of the trusted proxy's, so that its word about who is there counts."""
    return bool(getattr(request, "scope", {}).get(FROM_PROXY))


def believing(application: Application) -> Application:
    """Bring address, scheme and host of every connection to what may be believed of them."""

    async def call(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await application(believed(scope) if scope["type"] in SCHEMES else scope, receive, send)

    return call


def believed(scope: dict[str, Any]) -> dict[str, Any]:
    """The connection as it is passed on."""
    given: Headers = list(scope.get("headers", []))
    trusted = _networks(settings.TRUSTED_PROXY)
    peer = _parsed((scope.get("client") or ("",))[0])
    if peer is None or not _is_in(peer, trusted):
        return {**scope, "headers": _without(given, FORWARDED | _user_header())}
    changed = {**scope, FROM_PROXY: True, "headers": _without(given, FORWARDED)}
    client = client_of(_values(given, "x-forwarded-for"), peer, trusted)
    if client != peer:
        changed["client"] = [str(client), 0]
    plain, safe = SCHEMES[scope["type"]]
    stated = [each.lower() for each in _values(given, "x-forwarded-proto")][-1:]
    if stated:
        changed["scheme"] = safe if stated[0] in ("https", "wss") else plain
    if host := _values(given, "x-forwarded-host")[-1:]:
        changed["headers"] = [*_without(changed["headers"], {"host"}), (b"host", host[0].encode("latin-1"))]
    return changed


def client_of(chain: Sequence[str], peer: Address, trusted: Sequence[Network]) -> Address:
    """Who stands at the far end: from the right, past every proxy of ours, as anybody may write on the left.

    What is no address ends the search: the last one that was believed is the answer.
    """
    found = peer
    for text in list(reversed(chain))[:LONGEST_CHAIN]:
        if not _is_in(found, trusted):
            break
        following = _parsed(_without_port(text))
        if following is None:
            break
        found = following
    return found


def _user_header() -> frozenset[str]:
    return frozenset({settings.PROXY_USER_HEADER.lower()} if settings.PROXY_USER_HEADER else ())


def _without(headers: Iterable[tuple[bytes, bytes]], names: Iterable[str]) -> Headers:
    """The other headers. A name with `_` for `-` is the same one to some who read it, so it goes too."""
    unwanted = frozenset(names)
    return [(name, value) for name, value in headers if _plain(name) not in unwanted]


def _plain(name: bytes) -> str:
    return name.decode("latin-1").lower().replace("_", "-")


def _values(headers: Iterable[tuple[bytes, bytes]], wanted: str) -> list[str]:
    """What stands in all headers of this name, in order, with commas between values."""
    texts = [value.decode("latin-1") for name, value in headers if name.decode("latin-1").lower() == wanted]
    return [part.strip() for text in texts for part in text.split(",") if part.strip()]


def _without_port(text: str) -> str:
    """`192.0.2.7` of `192.0.2.7:4711`, `2001:db8::1` of `[2001:db8::1]:4711`."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _parsed(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_in(address: Address, trusted: Iterable[Network]) -> bool:
    return any(address in network for network in trusted)
