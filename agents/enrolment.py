"""Enrolment: one-use tokens, and what an agent gets for one. Tokens are made, listed and revoked here, and only here.

A token makes its bearer a new machine, or, made for a machine that there is, the one agent of that machine: its history
stays, and the credential it had works no more.
"""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from bson import ObjectId
from django.conf import settings
from mongoengine.errors import NotUniqueError

from agent.obt_agent import contract
from agents import credentials, events
from agents.documents import Client, EnrolmentToken
from agents.verbs import NAME_LENGTH, NAME_TRIES, check_labels, check_name
from benchmarks import live
from obt_site import actor, audit
from obt_site.ceilings import full
from obt_site.clock import now
from obt_site.errors import Conflict, NotFound, Unauthenticated
from obt_site.text import one_line

TOKEN_PREFIX = "obte"  # noqa: S105  (a prefix, not a secret)
TOKEN_BYTES = 24
KEPT_FOR = timedelta(days=90)  # after a token has expired; then nothing is known of it any more


class TokenState(StrEnum):
    """What became of a token."""

    OPEN = "open"
    USED = "used"
    EXPIRED = "expired"
    REVOKED = "revoked"


# -- tokens ----------------------------------------------------------------------------------------------------------


def create_token(
    name: str | None = None,
    by: str = "system",
    lifetime: timedelta | None = None,
    labels: Sequence[str] = (),
    client: Client | None = None,
) -> tuple[str, datetime]:
    """A one-use token and when it expires. The text is returned once; only its hash is kept.

    `name` and `labels` are those its machine will have; with a `client` it enrols that machine again, as it is.
    """
    text = f"{TOKEN_PREFIX}_{secrets.token_urlsafe(TOKEN_BYTES)}"
    moment = now()
    token = EnrolmentToken(
        id=token_id(text),
        name=check_name(name) if name else None,
        labels=check_labels(labels),
        created_by=by,
        expires_at=moment + (lifetime or settings.ENROLMENT_TOKEN_LIFETIME),
        for_client=client.id if client else None,
    ).save(force_insert=True)
    EnrolmentToken._get_collection().delete_many({"expires_at": {"$lt": moment - KEPT_FOR}})
    audit.record(
        "enrolment.create",
        f"A token was made to enrol {client.name} again" if client else "A token was made to enrol a machine",
        about=("enrolment", token.id, client.name if client else token.name),
        after={"expires_at": token.expires_at, "name": token.name, "labels": list(token.labels)},
    )
    return text, token.expires_at


def token_id(text: str) -> str:
    """Under what an enrolment token is kept: its sha256, hex. Who knows it cannot enrol with it."""
    return hashlib.sha256(text.encode()).hexdigest()


def find_token(identity: str) -> EnrolmentToken:
    """The token kept under this id, or NotFound."""
    token: EnrolmentToken | None = EnrolmentToken.objects(id=identity).first()
    if token is None:
        raise NotFound("There is no such enrolment token. It may have been removed.")
    return token


def tokens() -> list[EnrolmentToken]:
    """All that are known, the newest first: they are few, and those long over are forgotten."""
    known = EnrolmentToken.objects(expires_at__gt=now() - KEPT_FOR)
    return sorted(known, key=lambda token: (token.created_at, token.id), reverse=True)


def state_of(token: EnrolmentToken) -> TokenState:
    """What became of it, up to now."""
    if token.used_at is not None:
        return TokenState.USED
    if token.revoked_at is not None:
        return TokenState.REVOKED
    return TokenState.EXPIRED if token.expires_at < now() else TokenState.OPEN


def revoke(token: EnrolmentToken) -> EnrolmentToken:
    """It enrols nothing from now on; again changes nothing. Raises Conflict when a machine has used it already."""
    unused = {"_id": token.id, "used_at": None, "revoked_at": None}
    stored = EnrolmentToken._get_collection().update_one(unused, {"$set": {"revoked_at": now()}})
    token = find_token(token.id)
    if token.used_at is not None:
        raise Conflict("A machine has used this token already. Revoke the machine's credential instead.")
    if stored.modified_count:
        audit.record(
            "enrolment.revoke",
            "An enrolment token works no more",
            about=("enrolment", token.id, token.name),
            before={"expires_at": token.expires_at},
        )
    return token


# -- registration ----------------------------------------------------------------------------------------------------


def register(request: contract.RegisterRequest) -> contract.RegisterResponse:
    """Make the machine a client, once per token. Raises Unauthenticated when the token is no longer good."""
    if not contract.OLDEST_PROTOCOL <= request.protocol <= contract.PROTOCOL:
        raise Conflict(
            f"This server speaks agent protocol {contract.OLDEST_PROTOCOL} to {contract.PROTOCOL}, the agent"
            f" {request.protocol}. Install the agent that came with this server."
        )
    token: EnrolmentToken | None = EnrolmentToken.objects(id=token_id(request.token)).first()
    if token is None or state_of(token) is not TokenState.OPEN:
        raise Unauthenticated(_why_not(token))
    if token.for_client is None:
        _check_room()
    issued, identity = credentials.issue(), token.for_client or ObjectId()
    moment = now()
    unused = {"_id": token.id, "used_at": None, "revoked_at": None}
    used = {"$set": {"used_at": moment, "client": identity}}
    if not EnrolmentToken._get_collection().update_one(unused, used).modified_count:
        raise Unauthenticated(_why_not(EnrolmentToken.objects(id=token.id).first()))
    client = (_again if token.for_client else _insert)(identity, token, request, issued)
    live.fleet_changed()
    return contract.RegisterResponse(str(client.id), client.name, issued.text, moment.isoformat())


def _check_room() -> None:
    """Raises Conflict when there are as many machines as there may be. The token stays good."""
    most, would_be = settings.MACHINES_MAXIMUM, Client.objects.count() + 1
    if would_be > most:
        rule = "There are at most {} machines; with this one it would be"
        raise Conflict(full(rule, most, would_be, "Remove one", "OBT_MACHINES"))


def _why_not(token: EnrolmentToken | None) -> str:
    if token is None:
        return "This enrolment token is not known. Make a new one on the fleet page."
    if token.used_at:
        return "This enrolment token was already used; each works once. Make a new one on the fleet page."
    if token.revoked_at:
        return "This enrolment token was revoked. Make a new one on the fleet page."
    return "This enrolment token has expired; each works for an hour. Make a new one on the fleet page."


def _insert(
    identity: ObjectId, token: EnrolmentToken, request: contract.RegisterRequest, issued: credentials.Issued
) -> Client:
    """A new machine. Two of one name become `name` and `name-2`."""
    wanted = one_line(token.name or request.name or request.hostname)[: NAME_LENGTH - 5].strip() or "machine"
    for i in range(1, NAME_TRIES):
        client = Client(
            id=identity,
            name=wanted if i == 1 else f"{wanted}-{i}",
            hostname=request.hostname,
            labels=token.labels,
            credential_id=issued.id,
            credential_hash=issued.hash,
            credential_at=now(),
            agent_version=request.agent_version,
            protocol=request.protocol,
        )
        try:
            client.save(force_insert=True)
        except NotUniqueError:
            continue
        events.report("machine_registered", f"{client.name} was added by {token.created_by}", client=client)
        _write_down("machine.enrol", f"{client.name} was enrolled", client, token, issued)
        return client
    raise Conflict(f"There are too many machines called “{wanted}”. Give this one a name with --name.")


def _again(
    identity: ObjectId, token: EnrolmentToken, request: contract.RegisterRequest, issued: credentials.Issued
) -> Client:
    """The machine the token is for gets a new credential, and stays what it is: its name, results and jobs."""
    fields = {
        **issued.stored(now()),
        "hostname": request.hostname,
        "agent_version": request.agent_version,
        "protocol": request.protocol,
        "boots": [],
        "boot_returns": [],
        "boot_id": None,
        "doubled_at": None,
    }
    before: Client | None = Client.objects(id=identity).first()
    if before is None or not Client._get_collection().update_one({"_id": identity}, {"$set": fields}).matched_count:
        raise Unauthenticated("The machine that this token is for was removed. Make a new token on the fleet page.")
    client: Client = Client.objects.get(id=identity)
    words = f"{client.name} was enrolled again by {token.created_by}"
    events.report("machine_enrolled_again", words, client=client)
    _write_down("machine.enrol_again", f"{client.name} was enrolled again", client, token, issued, before)
    live.wake(identity)  # whoever still polls with the credential before is told so
    return client


def _write_down(
    action: str,
    words: str,
    client: Client,
    token: EnrolmentToken,
    issued: credentials.Issued,
    before: Client | None = None,
) -> None:
    audit.record(
        action,
        f"{words} with a token made by {token.created_by}",
        about=("machine", client.id, client.name),
        before={"credential": before.credential_id} if before else None,
        after={"name": client.name, "credential": issued.id, "enrolment": token.id},
        by=actor.Actor(actor.AGENT, client.name, str(client.id), actor.current().address),
    )
