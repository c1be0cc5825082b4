"""Whether a machine is there, and the sentence that says what is wrong and since when.

`judge` is the rule, pure. `seen` stores what a sync said; `refresh_all` is the sweeper's part: states that change by
time alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.conf import settings

from agents import events
from agents.documents import Client
from benchmarks import live
from obt_site.clock import now

HEARD_OF_EVERY = timedelta(seconds=10)  # a machine without an agent
REVOKED = "Its credential was revoked"
JUDGED_BY = ("name", "last_seen_at", "ollama", "ollama_since", "state", "credential_revoked_at", "has_agent")


class Presence(StrEnum):
    """A machine's state, from good to gone."""

    ONLINE = "online"
    DEGRADED = "degraded"  # the agent is there, its Ollama is not
    LATE = "late"  # a heartbeat is overdue
    OFFLINE = "offline"


@dataclass(frozen=True)
class Verdict:
    """The state, its sentence (None when all is well), and when it began."""

    state: Presence
    reason: str | None
    since: datetime | None


def judge(
    last_seen_at: datetime | None, ollama: Mapping[str, Any] | None, ollama_since: datetime | None, moment: datetime
) -> Verdict:
    """The state of a machine last seen then, whose Ollama was last like that since then."""
    if last_seen_at is None:
        return Verdict(Presence.OFFLINE, "Its agent has registered and not reported yet.", None)
    silent = moment - last_seen_at
    if silent > settings.OFFLINE_AFTER:
        return Verdict(Presence.OFFLINE, "Its agent stopped reporting", last_seen_at)
    if silent > settings.LATE_AFTER:
        return Verdict(Presence.LATE, "Its agent's report is overdue; the last one came", last_seen_at)
    if ollama and not ollama.get("reachable"):
        return Verdict(Presence.DEGRADED, ollama.get("message") or "Ollama does not answer", ollama_since)
    return Verdict(Presence.ONLINE, None, None)


def of(client: Client) -> Verdict:
    """The client's state now, whatever was stored last."""
    if client.credential_revoked_at is not None:
        return Verdict(Presence.OFFLINE, REVOKED, client.credential_revoked_at)
    return judge(client.last_seen_at, client.ollama, client.ollama_since, now())


def refresh_all(frozen: bool = False) -> None:
    """Store, tell and show the states that time has changed since they were stored.

    While it is `frozen` it was the server that was away, and no machine is blamed for its silence. A machine that has
    no agent keeps the state it was stored with: unless that is offline, it is taken as heard of just now.
    """
    changed = False
    for client in Client.objects.only(*JUDGED_BY):
        if not client.has_agent and client.state != Presence.OFFLINE:
            _hear_of(client)
            continue
        verdict = of(client)
        if verdict.state != client.state and not (frozen and verdict.state is Presence.OFFLINE):
            changed = _store(client, verdict) or changed
    if changed:
        live.fleet_changed()


def _hear_of(client: Client) -> None:
    if client.last_seen_at is None or now() - client.last_seen_at > HEARD_OF_EVERY:
        Client.objects(id=client.id).update_one(set__last_seen_at=now())


def _store(client: Client, verdict: Verdict) -> bool:
    """Whether it was this process that stored the new state; that one tells it."""
    done = Client.objects(id=client.id, state=client.state).update_one(
        set__state=verdict.state.value, set__reason=verdict.reason, set__state_since=verdict.since or now()
    )
    if done and verdict.state is Presence.OFFLINE:
        events.report("machine_offline", f"{client.name}: its agent stopped reporting", client=client)
    return bool(done)
