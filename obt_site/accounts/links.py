"""One-use links by which a person chooses a password: for someone new, or after an administrator took the old one away.

Django's tokens for it: nothing of a link is stored. It is signed, good for a day (PASSWORD_RESET_TIMEOUT), and dies
when the account's password changes: when it is used, and when a newer link is made.
"""

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator

from obt_site import audit
from obt_site.accounts.setup import password_problems
from obt_site.errors import Conflict, Forbidden, Invalid

LONGEST = 100
DEAD = "This link was used already, or is older than a day. Ask an administrator for a new one."


def make(user: User) -> str:
    """Take the password away, with every link from before, and return the new link's secret part. Not stored."""
    user.set_unusable_password()
    user.save(update_fields=["password"])
    return f"{user.pk}.{default_token_generator.make_token(user)}"


def owner(secret: str) -> User:
    """Whose link it is; raises Forbidden for one that is none, was used, or is too old."""
    number, _, token = secret[:LONGEST].partition(".")
    user = get_user_model().objects.filter(pk=number, is_active=True).first() if _is_number(number) else None
    if user is None or not default_token_generator.check_token(user, token):
        raise Forbidden(DEAD)
    return user


def use(secret: str, password: str) -> User:
    """Choose the password; of two who do it at once, one is too late. Raises Invalid for one that is too weak."""
    user = owner(secret)
    problems = password_problems(user.get_username(), password)
    if problems:
        raise Invalid(problems[0].message, problems)
    chosen = get_user_model().objects.filter(pk=user.pk, password=user.password)
    if not chosen.update(password=make_password(password)):
        raise Conflict(DEAD)
    user.refresh_from_db()
    words = f"{user.get_username()} chose a password by a one-use link"
    audit.record("person.password", words, about=("person", user.pk, user.get_username()))
    return user


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
