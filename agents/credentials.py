"""Agent credentials `obta_<id8>_<secret>`: looked up by id, compared by HMAC, kept as a hash, renewed, revoked.

An agent that the sync answer asks to renews its credential (`renew`). The new one waits beside the one in use and takes
its place when it is first used; until then the old one works, so that a crash of either side at any moment leaves one
that works. A new one that nobody used within `CREDENTIAL_OVERLAP` lapses, and the agent is asked again.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.conf import settings

from agents import events
from agents.documents import Client
from agents.presence import REVOKED, Presence
from benchmarks import live
from obt_site import actor, audit
from obt_site.clock import now
from obt_site.errors import Conflict, Unauthenticated

PREFIX = "obta"
ID_BYTES = 4
SECRET_BYTES = 32
LONGEST = 200
ID_TRIES = 100
# What the check itself and every answer about the caller need of a client; other fields are asked for by name.
FIELDS = (
    "name",
    "credential_id",
    "credential_hash",
    "credential_at",
    "credential_revoked_at",
    "next_credential_id",
    "next_credential_hash",
    "next_credential_at",
    "created_at",
)
# What a client has once no renewed credential waits any more.
NONE_WAITING = {"next_credential_id": None, "next_credential_hash": None, "next_credential_at": None}


class Issued(NamedTuple):
    """A new credential: the text to hand over once, and what is kept of it."""

    text: str
    id: str
    hash: str

    def stored(self, moment: datetime) -> dict[str, Any]:
        """The fields of a client that make this its one credential from now on."""
        return {
            "credential_id": self.id,
            "credential_hash": self.hash,
            "credential_at": moment,
            "credential_revoked_at": None,
            **NONE_WAITING,
        }


def issue() -> Issued:
    """Make a credential under an id that no machine has; its secret exists nowhere else."""
    for _ in range(ID_TRIES):
        identity = secrets.token_hex(ID_BYTES)
        if Client.objects(credential_id=identity).only("name").first() is None and _waiting(identity) is None:
            break
    secret = secrets.token_urlsafe(SECRET_BYTES)
    return Issued(f"{PREFIX}_{identity}_{secret}", identity, keyed_hash(secret))


def keyed_hash(secret: str) -> str:
    """HMAC-SHA256 of a secret under the server's key, hex: a stolen database alone proves nothing."""
    return hmac.new(settings.SECRET_KEY.encode(), secret.encode(), hashlib.sha256).hexdigest()


# -- checking --------------------------------------------------------------------------------------------------------


def authenticate(header: str | None, *fields: str) -> Client:
    """The client an `Authorization: Bearer obta_…` header belongs to; raises Unauthenticated with what to do.

    With `fields` only these are read of it, beside those every check needs: a whole client is a large document.
    """
    identity, secret = read_header(header)
    given = keyed_hash(secret)
    client = _of_credential(identity, fields)
    if client is None and _take_place(identity, given):
        client = _of_credential(identity, fields)
    return check(client, given)


def _of_credential(identity: str, fields: Sequence[str]) -> Client | None:
    """One cheap read, as every call of every agent begins with it."""
    only = dict.fromkeys((*FIELDS, *fields), 1) if fields else None
    found = Client._get_collection().find_one({"credential_id": identity}, only)
    return Client._from_son(found) if found else None  # type: ignore[no-any-return]


def read_header(header: str | None) -> tuple[str, str]:
    """Id and secret of an `Authorization` header; raises Unauthenticated for one that holds no credential."""
    scheme, _, text = (header or "").partition(" ")
    parts = text.strip().split("_", 2)
    if scheme.lower() != "bearer" or len(parts) != 3 or parts[0] != PREFIX or len(text) > LONGEST:
        raise Unauthenticated("This path takes an agent's credential: Authorization: Bearer obta_….")
    return parts[1], parts[2]


def check(client: Client | None, given: str) -> Client:
    """The client, if this is the hash of its credential and that was not revoked; raises Unauthenticated."""
    expected = client.credential_hash if client else keyed_hash("")
    if not hmac.compare_digest(expected, given) or client is None:
        raise Unauthenticated("This credential is not known or was replaced. Enrol the machine again with a new token.")
    if client.credential_revoked_at is not None:
        raise Unauthenticated("This machine's credential was revoked. Enrol it again with a new token from its page.")
    return client


def still_good(client: Client, checked: Client) -> None:
    """Raises Unauthenticated when the credential that `checked` came with is no longer the one of `client`."""
    check(client, checked.credential_hash)


# -- renewing --------------------------------------------------------------------------------------------------------


def is_due(client: Client) -> bool:
    """Whether the credential in use is old enough for its agent to be asked to renew it."""
    return bool(now() - made_at(client) >= settings.CREDENTIAL_RENEWED_AFTER)


def made_at(client: Client) -> datetime:
    """When the credential in use was made."""
    return client.credential_at or client.created_at  # type: ignore[no-any-return]


def renew(client: Client, boot_id: str) -> str:
    """A new credential beside the one in use; asked for again, only the newest one counts. Its text, once.

    `boot_id` is that of the agent that asks, and is only written down.
    """
    issued, moment = issue(), now()
    waiting = {
        "next_credential_id": issued.id,
        "next_credential_hash": issued.hash,
        "next_credential_at": moment,
    }
    # Only beside the credential that asked: one that was revoked or replaced meanwhile gets nothing.
    asked_with = {"_id": client.id, "credential_id": client.credential_id, "credential_revoked_at": None}
    if not Client._get_collection().update_one(asked_with, {"$set": waiting}).matched_count:
        raise Unauthenticated("This credential was revoked or replaced just now.")
    audit.record(
        "credential.issue",
        f"{client.name} was given a new credential; the one before works until the new one is used",
        about=("machine", client.id, client.name),
        after={"credential": issued.id, "boot_id": boot_id},
    )
    return issued.text


def _waiting(identity: str) -> Client | None:
    client: Client | None = Client.objects(next_credential_id=identity).only(*FIELDS).first()
    return client


def _take_place(identity: str, given: str) -> bool:
    """A renewed credential is used for the first time: from now on it is the machine's, and the old one is none."""
    client = _waiting(identity)
    if client is None or not hmac.compare_digest(client.next_credential_hash or "", given):
        return False
    if client.credential_revoked_at or now() - client.next_credential_at > settings.CREDENTIAL_OVERLAP:
        return False
    fields = Issued("", identity, given).stored(client.next_credential_at)
    waiting = {"_id": client.id, "next_credential_id": identity, "credential_revoked_at": None}
    if Client._get_collection().update_one(waiting, {"$set": fields}).modified_count:
        # Another thread may have been faster with the same credential; one of them tells it.
        events.report("credential_renewed", f"The agent of {client.name} renewed its credential", client=client)
        audit.record(
            "credential.renew",
            f"{client.name} uses its new credential; the one before works no more",
            about=("machine", client.id, client.name),
            before={"credential": client.credential_id},
            after={"credential": identity},
            by=actor.Actor(actor.AGENT, client.name, str(client.id), actor.current().address),
        )
    return True


# -- revoking --------------------------------------------------------------------------------------------------------


def revoke(client: Client) -> Client:
    """From now on no call of the machine's agent is answered. Its jobs wait until it is enrolled again, or fail.

    Raises Conflict when it was revoked before.
    """
    moment = now()
    fields = {
        "credential_revoked_at": moment,
        **NONE_WAITING,
        "state": Presence.OFFLINE.value,
        "reason": REVOKED,
        "state_since": moment,
    }
    still_there = {"_id": client.id, "credential_revoked_at": None}
    if not Client._get_collection().update_one(still_there, {"$set": fields}).modified_count:
        raise Conflict("This credential was revoked before, or the machine was removed.")
    who = actor.current().name
    events.report("credential_revoked", f"The credential of {client.name} was revoked by {who}", client=client)
    audit.record(
        "credential.revoke",
        f"The credential of {client.name} works no more",
        about=("machine", client.id, client.name),
        before={"credential": client.credential_id},
    )
    live.fleet_changed()
    live.wake(client.id)  # the poll that its agent waits in ends with the refusal
    return Client.objects.get(id=client.id)  # type: ignore[no-any-return]
