"""The one-use set-up link: whoever has it makes the first administrator. It dies with the first user.

The token lies in the data folder, mode 0600, so that several server processes and `up` agree on it.
"""

import hmac
import os
import secrets
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, User
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.db import transaction

from obt_site import audit
from obt_site.access import Role
from obt_site.errors import Conflict, FieldError, Forbidden, Invalid

TOKEN_BYTES = 24
TOKEN_FILE = "setup-token"  # noqa: S105  (a file's name)
MODE = 0o600
NAME_LENGTH = 150


def needed() -> bool:
    """Whether there is no user yet."""
    return not get_user_model().objects.exists()


def link(base_url: str) -> str | None:
    """The set-up address, making its token if there is none; None once there is a user."""
    if not needed():
        return None
    path = _path()
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(TOKEN_BYTES))
    return f"{base_url.rstrip('/')}/setup?token={path.read_text().strip()}"


def check(token: str) -> None:
    """Raises Conflict when set-up is over, Forbidden when the token is not the one that was printed."""
    if not needed():
        raise Conflict("This OBT is already set up. Sign in instead.")
    path = _path()
    if not path.exists() or not hmac.compare_digest(path.read_text().strip().encode(), token.encode()):
        raise Forbidden("This set-up link is not the current one. `make up` prints it when it starts.")


def create_first_administrator(token: str, username: str, password: str) -> User:
    """Make the first administrator and use the link up; raises Invalid with an error per field."""
    check(token)
    user = create_administrator(username, password)
    _path().unlink(missing_ok=True)
    return user


def create_administrator(username: str, password: str) -> User:
    """A superuser with this name and password, if there is no user yet."""
    user = _create(username, password)
    made = {"name": user.username, "role": Role.ADMIN.word}
    words = f"{user.username} was made the first administrator"
    audit.record("person.create", words, about=("person", user.pk, user.username), after=made)
    return user


@transaction.atomic
def _create(username: str, password: str) -> User:
    if not needed():
        raise Conflict("This OBT is already set up. Sign in instead.")
    problems = [*name_problems(username), *password_problems(username, password)]
    if problems:
        raise Invalid(problems[0].message, problems)
    ensure_roles()
    return User.objects.create_superuser(username=username.strip(), password=password)


def ensure_roles() -> None:
    """The groups that stand for roles."""
    for role in Role:
        Group.objects.get_or_create(name=role.word)


def name_problems(username: str) -> list[FieldError]:
    """What keeps this from being somebody's name; nothing when it can be one."""
    try:
        UnicodeUsernameValidator()(username.strip())
    except ValidationError:
        return [FieldError("username", "A name has letters, digits and @ . + - _ only.")]
    if len(username.strip()) > NAME_LENGTH:
        return [FieldError("username", f"A name has at most {NAME_LENGTH} characters.")]
    return []


def password_problems(username: str, password: str) -> list[FieldError]:
    """What keeps this from being that person's password, by Django's rules."""
    try:
        validate_password(password, get_user_model()(username=username))
    except ValidationError as error:
        return [FieldError("password", message) for message in error.messages]
    return []


def _path() -> Path:
    return Path(settings.DATA_DIR) / TOKEN_FILE
