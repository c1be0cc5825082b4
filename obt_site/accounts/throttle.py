"""How often one may try to sign in: a few times at once, then after a delay that doubles with each further try.

Tries are counted per account and per address, in the database, so that all processes count together, and before the
password is looked at, so that many tries at once do not all get through. Names that nobody has count like others. A
browser that has signed in to an account before has a count of its own for it (a signed cookie says so): whoever
hammers at an account from elsewhere cannot keep its owner out. What was counted is forgotten after a quiet hour.
"""

import ipaddress
import math
import secrets
import unicodedata
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from mongoengine import DateTimeField, Document, IntField, NotUniqueError, StringField

from agents.credentials import keyed_hash
from obt_site.clock import now
from obt_site.errors import TooMany
from obt_site.formatting import duration

PER_ACCOUNT = 5  # tries before the first delay
PER_ADDRESS = 30  # many people may share one
LONGEST_FOR_ACCOUNT = timedelta(minutes=5)
LONGEST_FOR_ADDRESS = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(hours=1)
FAMILIAR_FOR = timedelta(days=180)
FAMILIAR_COOKIE = f"obt_known_{settings.ENVIRONMENT.port}"
SALT = "obt.familiar-browser"
ROUNDS = 20  # tries to be counted among others at the same moment
IPV6_NETWORK = 64  # bits: one household has all addresses of such a network


class SignInTries(Document):
    """The tries for one account, browser or address. `blocked_until`: no further one is looked at before."""

    meta = {"collection": "sign_in_tries", "auto_create_index": False}
    id = StringField(primary_key=True)
    schema = IntField(default=1)
    tries = IntField(required=True)
    last_at = DateTimeField(required=True)
    blocked_until = DateTimeField()


class Count(NamedTuple):
    """What is counted: under which name, how many tries are free, and how long a delay grows."""

    key: str
    free: int
    longest: timedelta


def counts_for(request: HttpRequest, username: str, address: str | None) -> list[Count]:
    """What a try to sign in with this name counts for: its address, and the account or the familiar browser."""
    known = _familiar(request, username)
    who = f"browser:{known}" if known else f"account:{_name_hash(username)}"
    return [
        Count(f"address:{_network(address)}", PER_ADDRESS, LONGEST_FOR_ADDRESS),
        Count(who, PER_ACCOUNT, LONGEST_FOR_ACCOUNT),
    ]


def of_change(person_id: int) -> Count:
    """What a try to change one's password, which asks for the old one, counts for."""
    return Count(f"change:{person_id}", PER_ACCOUNT, LONGEST_FOR_ACCOUNT)


def admit(counts: list[Count]) -> None:
    """Count one try; raises TooMany, with how long to wait, and then nothing was counted that is refused again."""
    moment = now()
    waits = [_wait(SignInTries.objects(id=count.key).first(), moment) for count in counts]
    if (longest := max(waits)) > timedelta():
        raise _too_many(longest)
    for count in counts:
        _count(count, moment)


def succeeded(counts: list[Count]) -> None:
    """The try was good: its account starts anew. Its address only gets that one try back, or whoever has an account
    could clear the way for guessing others'."""
    for count in counts:
        if count.key.startswith("address:"):
            SignInTries.objects(id=count.key).update_one(dec__tries=1)
        else:
            SignInTries.objects(id=count.key).delete()


def remember(request: HttpRequest, response: HttpResponse, username: str) -> None:
    """Make this browser familiar to the account that has just signed in with it."""
    known = {"name": _name_hash(username), "browser": _familiar(request, username) or secrets.token_hex(8)}
    response.set_cookie(
        FAMILIAR_COOKIE,
        signing.dumps(known, salt=SALT),
        max_age=FAMILIAR_FOR,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure(),
        path="/sign-in",
    )


def delay(tries: int, count: Count) -> timedelta:
    """How long nothing is looked at after so many tries: nothing, then 1 s, 2 s, 4 s, …"""
    over = tries - count.free
    return min(timedelta(seconds=2 ** min(over, 20)), count.longest) if over >= 0 else timedelta()


def _count(count: Count, moment: datetime) -> None:
    for _ in range(ROUNDS):
        found = SignInTries.objects(id=count.key).first()
        if found is None:
            if _first(count, moment):
                return
            continue
        if (wait := _wait(found, moment)) > timedelta():
            raise _too_many(wait)
        tries = 1 if moment - found.last_at > FORGOTTEN_AFTER else found.tries + 1
        until = moment + delay(tries, count)
        mine = SignInTries.objects(id=count.key, tries=found.tries, last_at=found.last_at)
        if mine.update_one(set__tries=tries, set__last_at=moment, set__blocked_until=until):
            return
    raise _too_many(timedelta(seconds=1))


def _first(count: Count, moment: datetime) -> bool:
    """Whether it was this process that began to count; what is long over goes at such a moment."""
    SignInTries.objects(last_at__lt=moment - FORGOTTEN_AFTER).delete()
    try:
        SignInTries(id=count.key, tries=1, last_at=moment).save(force_insert=True)
    except NotUniqueError:
        return False
    return True


def _wait(found: SignInTries | None, moment: datetime) -> timedelta:
    if found is None or found.blocked_until is None:
        return timedelta()
    left: timedelta = found.blocked_until - moment
    return max(left, timedelta())


def _too_many(wait: timedelta) -> TooMany:
    seconds = max(math.ceil(wait.total_seconds()), 1)
    words = f"{seconds} s" if seconds < 60 else duration(seconds)
    return TooMany(f"That was tried too often. Wait {words}, then try again.", retry_after_s=seconds)


def _familiar(request: HttpRequest, username: str) -> str | None:
    """The browser's id, when it has signed in to this account before."""
    try:
        known = signing.loads(request.COOKIES.get(FAMILIAR_COOKIE, ""), salt=SALT, max_age=FAMILIAR_FOR)
    except signing.BadSignature:
        return None
    return known["browser"] if known["name"] == _name_hash(username) else None


def _name_hash(username: str) -> str:
    """The account as it is counted, however its name is written; nobody reads from it what was typed."""
    return keyed_hash(f"account {unicodedata.normalize('NFKC', username).casefold().strip()}")[:32]


def _network(address: str | None) -> str:
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, IPV6_NETWORK), strict=False))
