"""Calls that are carried out once, however often they are sent: what `Idempotency-Key` stands for.

A key is its caller's own. The first use claims it with one insert, so that of two calls at a time one works and the
other is told to wait; the answer is kept with the key for a day. A refused call has changed nothing and leaves no key.
What crashed or broke between work and answer leaves a claim without an answer: the next call with the key takes it
over, with the same id for what is made (`Claim.made`), by which a verb finds what the first one got done.
"""

import hashlib
import json
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bson import Binary, ObjectId
from mongoengine import BinaryField, DateTimeField, DictField, Document, IntField, ObjectIdField, StringField
from pymongo.errors import DuplicateKeyError

from obt_site import actor
from obt_site.clock import now
from obt_site.errors import Conflict, FieldError, Invalid

HEADER = "Idempotency-Key"
KEY = re.compile(r"[\x21-\x7e]{1,200}")
KEPT_FOR = timedelta(hours=24)
WORKS_AT_MOST = timedelta(seconds=60)  # after that its process is taken for dead
SECRET = re.compile(rb"\bobt[a-z]_[0-9A-Za-z_-]{16,}")  # tokens and credentials are shown once and kept nowhere


class IdempotentCall(Document):
    """One key of one caller. `status` is None until the call has its answer; `at` is when the key was first used."""

    meta = {"collection": "idempotent_calls", "auto_create_index": False}
    id = StringField(primary_key=True)  # hash of caller and key
    schema = IntField(default=1)
    call = StringField(required=True)  # hash of method, address and body
    holder = StringField(required=True)  # who works on it, random
    made = ObjectIdField(required=True)
    at = DateTimeField(required=True)
    claimed_at = DateTimeField(required=True)
    status = IntField()
    headers = DictField()
    body = BinaryField()


@dataclass(frozen=True)
class Claim:
    """The right to carry a call out. `made`: the id that what it makes gets, the same when it is taken over."""

    id: str
    holder: str
    made: ObjectId


@dataclass(frozen=True)
class Answer:
    """What a call was answered. `body` None: it held a secret, which is kept nowhere."""

    status: int
    headers: dict[str, str]
    body: bytes | None


def claim(key: str, method: str, address: str, body: bytes) -> Claim | Answer:
    """The right to carry out this call of `actor.current()`, or the answer it was given before.

    Raises Invalid for a key that is none or was used for another call, Conflict while the first call is at work.
    """
    if not KEY.fullmatch(key):
        message = "must be 1 to 200 visible ASCII characters, such as a UUID"
        raise Invalid(f"{HEADER} {message}.", [FieldError(HEADER, message)])
    identity = _hash(actor.current().kind, actor.current().id or actor.current().name, key)
    call = _hash(method, address, hashlib.sha256(body).hexdigest())
    collection = IdempotentCall._get_collection()
    mine = Claim(identity, secrets.token_hex(8), ObjectId())
    moment = now()
    fresh = {"schema": 1, "call": call, "holder": mine.holder, "made": mine.made, "at": moment, "claimed_at": moment}
    for _ in range(2):
        try:
            collection.insert_one({"_id": identity, **fresh, "status": None})
            return mine
        except DuplicateKeyError:
            known = collection.find_one({"_id": identity})
        if known is not None and known["at"] < moment - KEPT_FOR:  # the sweeper has not come by yet
            collection.delete_one({"_id": identity, "holder": known["holder"]})
        elif known is not None:
            return _known(known, call, mine, moment)
    raise _at_work()


def _known(known: dict[str, Any], call: str, mine: Claim, moment: datetime) -> Claim | Answer:
    if known["call"] != call:
        message = "was used for another call before; a new call needs a new key"
        raise Invalid(f"This {HEADER} {message}.", [FieldError(HEADER, message)])
    if known.get("status") is not None:
        body = known.get("body")
        return Answer(known["status"], known.get("headers") or {}, None if body is None else bytes(body))
    if known["claimed_at"] > moment - WORKS_AT_MOST:
        raise _at_work()
    taken = IdempotentCall._get_collection().update_one(
        {"_id": mine.id, "holder": known["holder"], "status": None},
        {"$set": {"holder": mine.holder, "claimed_at": moment}},
    )
    if not taken.matched_count:
        raise _at_work()
    return Claim(mine.id, mine.holder, known["made"])


def keep(claim: Claim, answer: Answer) -> None:
    """The call was carried out: from now on its key gives this answer. A secret in it is not kept."""
    body = None if answer.body is None or SECRET.search(answer.body) else Binary(answer.body)
    kept = {"status": answer.status, "headers": answer.headers, "body": body}
    IdempotentCall._get_collection().update_one({"_id": claim.id, "holder": claim.holder}, {"$set": kept})


def release(claim: Claim) -> None:
    """The call was refused and changed nothing: the key is free again."""
    IdempotentCall._get_collection().delete_one({"_id": claim.id, "holder": claim.holder})


def abandon(claim: Claim) -> None:
    """The call broke, nobody knows how far it came: the next one with the key may take it over at once."""
    earlier = now() - WORKS_AT_MOST - timedelta(seconds=1)
    IdempotentCall._get_collection().update_one(
        {"_id": claim.id, "holder": claim.holder}, {"$set": {"claimed_at": earlier}}
    )


def trim() -> int:
    """Forget keys older than a day; returns how many. The sweeper calls this."""
    old = {"at": {"$lt": now() - KEPT_FOR}}
    return int(IdempotentCall._get_collection().delete_many(old).deleted_count)


def _hash(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _at_work() -> Conflict:
    words = f"The first call with this {HEADER} is still being carried out. Send it again in a moment."
    return Conflict(words, retry_after_s=1)
