"""One credential used by two agents at a time, told by the id that each start of an agent has.

A start, a restart and a reboot bring an id that was never seen. Only when an earlier start speaks again are there two:
a copy of the agent's folder, on another machine or in a second container. One message that arrives late looks like
that once, and a burst after the server stood still for a moment; so it takes several returns, over longer than a burst.
Two copies of a machine that was frozen while its agent ran share its id too; nothing here can tell those apart.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from agents import events
from agents.documents import Client
from obt_site import actor
from obt_site.clock import now

RETURNS = 3  # so often an earlier start has to speak again …
WITHIN = timedelta(minutes=2)
LONGER_THAN = timedelta(seconds=5)  # … and not all of it in one burst
SHOWN_FOR = timedelta(minutes=10)  # after it was last seen
STARTS_KEPT = 8


def judge(client: Client, boot_id: str, hostname: str | None, moment: datetime) -> dict[str, Any]:
    """What of the machine changes when an agent of this start speaks; nothing when it is the one that spoke last."""
    if boot_id == client.boot_id:
        return {}
    known = list(client.boots)
    start = {"id": boot_id, "hostname": hostname, "address": actor.current().address, "at": moment}
    boots = [*(each for each in known if each["id"] != boot_id), start]
    changes: dict[str, Any] = {"boots": boots[-STARTS_KEPT:]}
    if all(each["id"] != boot_id for each in known):
        return changes
    returns = [*(at for at in client.boot_returns if moment - at <= WITHIN), moment][-10 * RETURNS :]
    changes["boot_returns"] = returns
    if len(returns) >= RETURNS and moment - returns[0] >= LONGER_THAN:
        changes["doubled_at"] = moment
    return changes


def report(before: Client, changes: Mapping[str, Any]) -> None:
    """An event where two agents are seen that were not before."""
    if changes.get("doubled_at") is None or is_doubled(before):
        return
    places = where(changes["boots"])
    words = f"Two agents use the credential of {before.name}: {places}"
    events.report("credential_shared", words, client=before, places=places)


def is_doubled(client: Client) -> bool:
    """Whether two agents were seen with this machine's credential just now."""
    return client.doubled_at is not None and now() - client.doubled_at <= SHOWN_FOR


def where(boots: list[dict[str, Any]]) -> str:
    """`box at 10.0.0.5 and box-2 at 10.0.0.9`: the two starts that spoke last, by name."""
    return " and ".join(sorted(_place(each) for each in boots[-2:]))


def _place(start: Mapping[str, Any]) -> str:
    name = start.get("hostname") or "a machine without a name"
    return f"{name} at {start['address']}" if start.get("address") else str(name)
