"""The browsers a person is signed in with: which, from where, last used when; and ending them.

What is known of a browser lies in its own session and is brought up to date at most once a minute, so that reading
pages writes next to nothing. A session's key is a secret; pages name it by a keyed hash.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from agents.credentials import keyed_hash
from obt_site import audit
from obt_site.accounts.sessions import BrowserSession
from obt_site.address import address_of
from obt_site.clock import now
from obt_site.errors import NotFound
from obt_site.text import one_line

KNOWN = "browser"  # the session's entry
NOTED_EVERY = timedelta(minutes=1)
AGENT_LENGTH = 300
HANDLE_LENGTH = 16
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
BROWSERS = (  # the first that fits: all the others call themselves Mozilla, and most of them Safari
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True)
class Browser:
    """One browser that is signed in. `is_this`: the one that asks."""

    handle: str
    words: str
    agent: str
    address: str | None
    since: datetime | None
    used_at: datetime | None
    is_this: bool


def seen(request: HttpRequest) -> None:
    """Note that the signed-in browser behind this request is in use, at most once a minute."""
    known = request.session.get(KNOWN) or {}
    moment = now()
    if known and moment - datetime.fromisoformat(known["used_at"]) < NOTED_EVERY:
        return
    request.session[KNOWN] = {
        "since": known.get("since") or moment.isoformat(),
        "used_at": moment.isoformat(),
        "address": address_of(request),
        "agent": one_line(request.headers.get("User-Agent", ""))[:AGENT_LENGTH],
    }


def of(user: User, this: str | None = None) -> list[Browser]:
    """Where the person is signed in, the newest use first. `this` is the asking browser's session key."""
    expected = user.get_session_auth_hash()
    found = []
    for row in BrowserSession.objects.filter(person=user.pk, expire_date__gt=timezone.now()):
        data = row.get_decoded()
        if constant_time_compare(data.get(HASH_SESSION_KEY, ""), expected):  # else a password ago, and of no use
            found.append(_browser(row.session_key, data.get(KNOWN) or {}, this))
    return sorted(found, key=lambda one: (one.is_this, one.used_at or LONG_AGO), reverse=True)


def end(user: User, handle: str) -> Browser:
    """Sign one of the person's browsers out; raises NotFound when it is no longer signed in."""
    for row in BrowserSession.objects.filter(person=user.pk):
        if constant_time_compare(_handle(row.session_key), handle):
            browser = _browser(row.session_key, row.get_decoded().get(KNOWN) or {}, None)
            row.delete()
            _record(user, f"Signed out a browser of {user.get_username()}: {browser.words}")
            return browser
    raise NotFound("That browser is no longer signed in.")


def end_all(user: User, but: str | None = None) -> int:
    """Sign all of the person's browsers out, `but` the one with this session key; how many there were."""
    count = close(user, but)
    if count:
        _record(user, f"Signed out {count} browser{'' if count == 1 else 's'} of {user.get_username()}")
    return count


def close(user: User, but: str | None = None) -> int:
    """The same as a part of something else, which is written down as that."""
    rows = BrowserSession.objects.filter(person=user.pk)
    count, _ = (rows.exclude(session_key=but) if but else rows).delete()
    return count


def words_of(agent: str) -> str:
    """`Firefox on Linux` for what a browser says of itself; its own words, cut, when they are none we know."""
    browser = next((word for mark, word in BROWSERS if mark in agent), None)
    system = next((word for mark, word in SYSTEMS if mark in agent), None)
    if browser and system:
        return f"{browser} on {system}"
    return browser or re.split(r"[\s/]", agent)[0][:40] or "A browser without a name"


def _browser(key: str, known: dict[str, Any], this: str | None) -> Browser:
    agent = known.get("agent") or ""
    return Browser(
        handle=_handle(key),
        words=words_of(agent),
        agent=agent,
        address=known.get("address"),
        since=_moment(known.get("since")),
        used_at=_moment(known.get("used_at")),
        is_this=key == this,
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _handle(key: str) -> str:
    return keyed_hash(f"session {key}")[:HANDLE_LENGTH]


def _record(user: User, words: str) -> None:
    audit.record("person.sign_out", words, about=("person", user.pk, user.get_username()))
