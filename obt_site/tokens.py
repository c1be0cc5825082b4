"""User API tokens `obtu_<id>_<secret>`: made, listed, checked and revoked here, and only here.

A token belongs to a person and can never do more than that person can at the moment it is used; one made at the
terminal belongs to nobody and can do what it was made for. What a token makes is below itself: no higher role, no
later end. Only a keyed hash of the secret is kept.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.contrib.auth import get_user_model
from mongoengine import DateTimeField, Document, IntField, StringField

from agents.credentials import keyed_hash
from obt_site import audit
from obt_site.access import Role, role_of
from obt_site.clock import now
from obt_site.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, Unauthenticated

PREFIX = "obtu"
ID_BYTES = 4
SECRET_BYTES = 32
LONGEST = 200
NAME_LENGTH = 100
DAYS_MAXIMUM = 3650
LIVE_MAXIMUM = 50  # tokens of one person that work
USE_NOTED_EVERY = timedelta(minutes=1)


class ApiToken(Document):
    """A token. `user_id` is the person's key in Django's table, None for one made at the terminal."""

    meta = {"collection": "api_tokens", "auto_create_index": False}
    id = StringField(primary_key=True)
    schema = IntField(default=1)
    name = StringField(required=True, max_length=100)
    role = StringField(required=True)
    user = StringField()  # the person's name when it was made
    user_id = IntField()
    made_by = StringField()  # id of the token that made it
    secret_hash = StringField(required=True)
    created_at = DateTimeField(default=now)
    expires_at = DateTimeField()
    revoked_at = DateTimeField()
    last_used_at = DateTimeField()  # within a minute


class TokenState(StrEnum):
    """Whether a token works, and why not."""

    WORKS = "works"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True)
class Holder:
    """Who comes with a token: what the two of them may do now, and the name that is kept with what they start."""

    token: ApiToken
    role: Role
    name: str
    user: Any = None


@dataclass(frozen=True)
class Maker:
    """Who makes, sees and revokes tokens: someone of a role, a person or a token of one or of nobody."""

    role: Role
    user: Any = None
    token: ApiToken | None = None

    @property
    def user_id(self) -> int | None:
        return None if self.user is None else self.user.pk


# -- making ----------------------------------------------------------------------------------------------------------


def create_token(name: str, role: Role, user: Any = None, days: int | None = None) -> str:
    """A token for this person, or for nobody, as whoever has the terminal may make it; its text, once."""
    held = Role.ADMIN if user is None else role_of(user)
    if held is None:
        raise Forbidden(f"{user.get_username()} has no role, so a token of theirs could do nothing.")
    return create(Maker(held, user), name, role, days)[0]


def create(maker: Maker, name: str, role: Role, days: int | None) -> tuple[str, ApiToken]:
    """Make a token that ends after `days` (None: never); its text is returned once and kept nowhere.

    Raises Invalid for a name or a number of days that is none, Forbidden for more than the maker has, and Conflict when
    the person has as many as a person may.
    """
    if role > maker.role:
        raise Forbidden(f"A token can do no more than who makes it: at most {maker.role.word}, not {role.word}.")
    moment = now()
    fields: dict[str, Any] = {
        "name": checked_name(name),
        "role": role.word,
        "user": maker.user.get_username() if maker.user is not None else None,
        "user_id": maker.user_id,
        "made_by": maker.token.id if maker.token else None,
        "created_at": moment,
        "expires_at": _end(maker, moment, days),
    }
    _room_for_one(maker)
    identity, secret = secrets.token_hex(ID_BYTES), secrets.token_urlsafe(SECRET_BYTES)
    token = ApiToken(id=identity, secret_hash=keyed_hash(secret), **fields).save(force_insert=True)
    audit.record(
        "token.create",
        f"The API token “{token.name}” was made",
        about=("token", token.id, token.name),
        after={"role": token.role, "user": token.user, "expires_at": token.expires_at, "made_by": token.made_by},
    )
    return f"{PREFIX}_{identity}_{secret}", token


def checked_name(name: str) -> str:
    """A token's name, trimmed; raises Invalid for one that is none."""
    name = name.strip()
    if not name or len(name) > NAME_LENGTH or not name.isprintable():
        message = f"A token's name has 1 to {NAME_LENGTH} printable characters."
        raise Invalid(message, [FieldError("name", message)])
    return name


def _end(maker: Maker, moment: datetime, days: int | None) -> datetime | None:
    """When the token ends; never after the one that makes it."""
    if days is not None and not 1 <= days <= DAYS_MAXIMUM:
        message = f"A token works for 1 to {DAYS_MAXIMUM} days, or without end."
        raise Invalid(message, [FieldError("days", message)])
    wanted = None if days is None else moment + timedelta(days=days)
    latest = maker.token.expires_at if maker.token else None
    if latest is not None and (wanted is None or wanted > latest):
        return latest  # type: ignore[no-any-return]
    return wanted


def _room_for_one(maker: Maker) -> None:
    """A person has only so many, and so has a token that belongs to nobody."""
    if maker.user is not None:
        theirs = of_user(maker.user.pk)
    else:
        theirs = list(ApiToken.objects(made_by=maker.token.id)) if maker.token else []
    if sum(state_of(token) is TokenState.WORKS for token in theirs) >= LIVE_MAXIMUM:
        raise Conflict(f"There are {LIVE_MAXIMUM} tokens that work, the most there may be. Revoke one of them first.")


# -- seeing and revoking ---------------------------------------------------------------------------------------------


def state_of(token: ApiToken) -> TokenState:
    """Whether its text still opens anything, but for its person."""
    if token.revoked_at is not None:
        return TokenState.REVOKED
    return TokenState.EXPIRED if token.expires_at is not None and token.expires_at <= now() else TokenState.WORKS


def of_user(user_id: int) -> list[ApiToken]:
    """A person's tokens, the newest first."""
    return _newest_first(ApiToken.objects(user_id=user_id))


def seen_by(maker: Maker) -> list[ApiToken]:
    """Their own; all there are for an administrator; itself for a token that belongs to nobody. The newest first."""
    if maker.role >= Role.ADMIN:
        return _newest_first(ApiToken.objects(created_at__lte=now()))
    if maker.user is not None:
        return of_user(maker.user.pk)
    return [maker.token] if maker.token else []


def _newest_first(found: Any) -> list[ApiToken]:
    return sorted(found, key=lambda token: (token.created_at, token.id), reverse=True)


def find(maker: Maker, identity: str) -> ApiToken:
    """The token, if they may see it; NotFound otherwise."""
    token = ApiToken.objects(id=identity).first()
    owns = token is not None and (
        maker.role >= Role.ADMIN
        or (maker.user is not None and token.user_id == maker.user.pk)
        or (maker.token is not None and token.id == maker.token.id)
    )
    if not owns:
        raise NotFound("There is no such token, or it is somebody else's.")
    return token  # type: ignore[no-any-return]


def revoke(maker: Maker, identity: str) -> ApiToken:
    """From now on its text opens nothing, in every process; again changes nothing. Raises NotFound, Forbidden."""
    token = find(maker, identity)
    if maker.token is not None and Role[token.role.upper()] > maker.role:
        raise Forbidden("A token ends no other that can do more than it can itself.")
    stored = ApiToken._get_collection().update_one(
        {"_id": token.id, "revoked_at": None}, {"$set": {"revoked_at": now()}}
    )
    if stored.modified_count:
        audit.record(
            "token.revoke",
            f"The API token “{token.name}” works no more",
            about=("token", token.id, token.name),
            before={"role": token.role, "user": token.user, "expires_at": token.expires_at},
        )
    return find(maker, identity)


# -- checking --------------------------------------------------------------------------------------------------------


def token_holder(text: str) -> Holder:
    """Who comes with this text. Raises Unauthenticated when it is unknown, over, or its person is gone or locked out,
    and Forbidden when the person has no role any more."""
    parts = text.split("_", 2)
    if len(parts) != 3 or parts[0] != PREFIX or len(text) > LONGEST:
        raise Unauthenticated("Send a user API token: Authorization: Bearer obtu_….")
    token = ApiToken.objects(id=parts[1]).first()
    expected = token.secret_hash if token else keyed_hash("")
    if not hmac.compare_digest(expected, keyed_hash(parts[2])) or token is None:
        raise Unauthenticated("This token is not known.")
    if state_of(token) is not TokenState.WORKS:
        raise Unauthenticated("This token was revoked or has expired. Make a new one.")
    holder = _holder(token)
    _note_use(token)
    return holder


def _holder(token: ApiToken) -> Holder:
    role = Role[token.role.upper()]
    if token.user_id is None:
        return Holder(token, role, token.name)
    user = get_user_model().objects.filter(pk=token.user_id, is_active=True).first()
    if user is None:
        raise Unauthenticated("The person this token belongs to was removed or can no longer sign in.")
    held = role_of(user)
    if held is None:
        raise Forbidden("The person this token belongs to has no role any more.")
    return Holder(token, min(role, held), user.get_username(), user)


def _note_use(token: ApiToken) -> None:
    """At most one write a minute, however often it is used."""
    moment = now()
    if token.last_used_at is None or moment - token.last_used_at >= USE_NOTED_EVERY:
        ApiToken.objects(id=token.id).update_one(set__last_used_at=moment)
