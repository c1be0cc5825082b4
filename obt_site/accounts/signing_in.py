"""Signing in: by name and password with a brake on guessing, and what every way in has in common."""

from django.contrib.auth import authenticate, get_user_model, login
from django.contrib.auth.models import User
from django.http import HttpRequest

from obt_site import actor, audit
from obt_site.access import person
from obt_site.accounts import browsers, throttle
from obt_site.accounts.sessions import SessionStore
from obt_site.address import address_of
from obt_site.errors import Invalid

BACKEND = "django.contrib.auth.backends.ModelBackend"
NAME_LENGTH = 150  # characters; longer names belong to nobody
NOBODY = "someone who is not signed in"


def sign_in(request: HttpRequest, username: str, password: str) -> User:
    """Sign this browser in. Raises TooMany, and Invalid for a name and password that do not go together.

    A name that nobody has takes as long as a wrong password: Django hashes for both, and both are counted alike.
    """
    username = username.replace("\0", "")[: NAME_LENGTH + 1]
    counts = throttle.counts_for(request, username, address_of(request))
    throttle.admit(counts)
    user = authenticate(request, username=username, password=password)
    if not isinstance(user, User):
        _refused(request, username)
        raise Invalid("This name and password do not go together.")
    throttle.succeeded(counts)
    enter(request, user, "with name and password")
    return user


def enter(request: HttpRequest, user: User, how: str) -> None:
    """Let this browser in as this person, note which browser it is, and write it down."""
    login(request, user, backend=BACKEND)
    browsers.seen(request)
    SessionStore.clear_expired()
    words = f"{user.get_username()} signed in {how}"
    about = ("person", user.pk, user.get_username())
    audit.record("person.sign_in", words, about=about, by=person(request))


def _refused(request: HttpRequest, username: str) -> None:
    """Only names of accounts are written down: what else stands in that field may be a password."""
    user = get_user_model().objects.filter(username=username).first()
    name = user.get_username() if user else "a name that nobody has"
    stranger = actor.Actor(actor.STRANGER, NOBODY, None, address_of(request))
    about = ("person", user.pk, name) if user else None
    audit.record("person.sign_in_refused", f"A try to sign in as {name} was refused", about=about, by=stranger)
