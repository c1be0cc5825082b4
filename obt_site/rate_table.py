"""How many calls of each class are let through, and how OBT_RATE_LIMITS says otherwise. Only the standard library."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

MINUTE_S = 60.0
ADDRESS = "address."  # before a class: the limit of one address instead of one caller
OFF = "off"


@dataclass(frozen=True)
class Rate:
    """So many calls in so many seconds."""

    calls: int
    seconds: float = MINUTE_S

    def __str__(self) -> str:
        return f"{self.calls} in {self.seconds:g} s"


# One caller: a machine, a token, or a signed-in person. A machine that measures makes six syncs and sixty to a hundred
# progress calls a minute; a page that follows along makes thirty.
BY_CALLER: Mapping[str, Rate] = {
    "page_read": Rate(1_200),
    "page_write": Rate(300),
    "api_read": Rate(3_000),
    "api_write": Rate(600),
    "export": Rate(60),
    "agent_sync": Rate(1_200),
    "agent_progress": Rate(1_200),
    "agent_result": Rate(300),
}
# One address: an office, or a thousand machines behind one router.
BY_ADDRESS: Mapping[str, Rate] = {
    "page_read": Rate(12_000),
    "page_write": Rate(3_000),
    "api_read": Rate(30_000),
    "api_write": Rate(6_000),
    "export": Rate(600),
    "agent_sync": Rate(120_000),
    "agent_progress": Rate(240_000),
    "agent_result": Rate(30_000),
    "register": Rate(1_200),
}


def read(text: str) -> tuple[dict[str, Rate], dict[str, Rate]]:
    """The limits by caller and by address that hold with this OBT_RATE_LIMITS. Raises ValueError with a sentence."""
    if text.strip().lower() == OFF:
        return {}, {}
    by_caller, by_address = dict(BY_CALLER), dict(BY_ADDRESS)
    for part in filter(None, (each.strip() for each in text.split(","))):
        match = re.fullmatch(r"(address\.)?([a-z_]+)\s*=\s*([0-9]{1,9})(?:/([0-9]{1,4}))?", part, flags=re.ASCII)
        table = by_address if match and match[1] else by_caller
        if match is None or match[2] not in table or (match[4] and not int(match[4])) or not int(match[3]):
            raise ValueError(
                f"has to be {OFF!r} or a list like agent_sync=600, address.api_read=100/10 (calls, / seconds), "
                f"of {', '.join(BY_CALLER)}; for address. also register"
            )
        table[match[2]] = Rate(int(match[3]), float(match[4] or MINUTE_S))
    return by_caller, by_address
