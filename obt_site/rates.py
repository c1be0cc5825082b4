"""How often somebody may call, by class of call: shared by all server processes, and nearly free for each call.

Every class has a limit for one caller (a machine, a token, a person) and one for one address, in calls per window
(`settings.RATES`). A process leases calls in blocks from the store that all processes share (`obt_site/rate_store.py`)
and serves from its block without asking, so that all processes together never let through more than the limit; a
block that another process holds can make them let through a little less. A store that is away is no reason to refuse
anyone: meanwhile each process counts for itself, and the log says so.
"""

import ipaddress
import logging
import threading
import time
from dataclasses import dataclass
from math import ceil

from django.conf import settings

from obt_site import rate_store
from obt_site.rate_table import Rate

log = logging.getLogger(__name__)

BLOCKS_PER_LIMIT = 20
STORE_AWAY_FOR_S = 10.0  # so long the store is not asked after it did not answer
KEYS_KEPT = 20_000
IPV6_SITE_BITS = 64  # one subscriber has so many addresses that only their common part tells them apart


@dataclass(frozen=True)
class Count:
    """One caller's account with one class of call in this window."""

    limit: int
    remaining: int
    reset_s: int  # seconds to the end of the window, rounded up
    allowed: bool = True


@dataclass
class _Block:
    """What this process may still let through in a window, and what all processes have leased of the limit."""

    window: int
    left: int = 0
    leased: int = 0


class Limiter:
    """The counts of this process. Thread-safe."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[str, str], _Block] = {}
        self._lock = threading.Lock()
        self._away_until = 0.0

    def take(self, kind: str, caller: str, rate: Rate, ask: bool = True) -> Count | None:
        """One call of this class by this caller. None when the store would have to be asked and `ask` is False."""
        moment = time.time()
        window = int(moment // rate.seconds)
        reset_s = ceil((window + 1) * rate.seconds - moment)
        with self._lock:
            block = self._block(kind, caller, window)
            if block.left:
                block.left -= 1
                return Count(rate.calls, block.left + max(0, rate.calls - block.leased), reset_s)
            if block.leased >= rate.calls:
                return Count(rate.calls, 0, reset_s, allowed=False)
        if not ask:
            return None
        self._lease(kind, caller, rate, window)
        with self._lock:
            block = self._block(kind, caller, window)
            if block.left:
                block.left -= 1
                return Count(rate.calls, block.left + max(0, rate.calls - block.leased), reset_s)
            return Count(rate.calls, 0, reset_s, allowed=False)

    def _block(self, kind: str, caller: str, window: int) -> _Block:
        block = self._blocks.get((kind, caller))
        if block is None or block.window != window:
            if len(self._blocks) >= KEYS_KEPT:
                self._blocks.clear()  # what was leased is leased again: less is let through, never more
            block = self._blocks[kind, caller] = _Block(window)
        return block

    def _lease(self, kind: str, caller: str, rate: Rate, window: int) -> None:
        wanted = max(1, rate.calls // BLOCKS_PER_LIMIT)
        leased = self._ask(f"{kind}:{rate.seconds:g}:{caller}", window, wanted, rate.seconds)
        with self._lock:
            block = self._block(kind, caller, window)
            if leased is None:
                wanted = max(0, min(wanted, rate.calls - block.leased))
                leased = block.leased + wanted
            over = max(0, leased - rate.calls)
            block.left += max(0, wanted - over)
            block.leased = max(block.leased, leased)

    def _ask(self, key: str, window: int, wanted: int, seconds: float) -> int | None:
        """How much of the window all processes have leased, these included; None when the store does not answer."""
        if time.monotonic() < self._away_until:
            return None
        try:
            return rate_store.lease(key, window, wanted, seconds)
        except Exception as error:
            self._away_until = time.monotonic() + STORE_AWAY_FOR_S
            log.warning(
                "The store of the rate limits does not answer (%s): for %.0f s this process counts for itself",
                type(error).__name__,
                STORE_AWAY_FOR_S,
            )
            return None


_limiter = Limiter()


def by_caller(kind: str, caller: str, ask: bool = True) -> Count | None:
    """One call by a machine, a token or a person; None where the class has no limit, or the store must be asked."""
    rate = settings.RATES.get(kind)
    return _limiter.take(kind, caller, rate, ask) if rate else None


def by_address(kind: str, address: str, ask: bool = True) -> Count | None:
    """One call from an address, whoever it says it is."""
    rate = settings.RATES_BY_ADDRESS.get(kind)
    return _limiter.take(kind, f"@{network(address)}", rate, ask) if rate else None


def network(address: str) -> str:
    """What tells one sender from another: an IPv4 address, or the first half of an IPv6 address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:45]
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, IPV6_SITE_BITS), strict=False).network_address)
    return str(found if isinstance(found, ipaddress.IPv4Address) else found.ipv4_mapped)
