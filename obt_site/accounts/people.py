"""The people of this OBT: who there is, adding one, changing roles, taking accounts out of use, new passwords.

Nobody is deleted: what people did stays under their names, and an account that is out of use opens nothing. The last
administrator who can sign in keeps that role.
"""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from obt_site import audit
from obt_site.access import Role
from obt_site.accounts import browsers, links
from obt_site.accounts.sessions import BrowserSession
from obt_site.accounts.setup import ensure_roles, name_problems
from obt_site.errors import Conflict, FieldError, Invalid, NotFound

LAST_ADMINISTRATOR = "{name} is the last administrator who can sign in. Make somebody else one first."


@dataclass(frozen=True)
class Person:
    """One account as it is listed. `role` is what it had when it was last in use; `browsers`: signed in now."""

    id: int
    name: str
    role: Role | None
    is_active: bool
    has_password: bool
    last_sign_in: datetime | None
    browsers: int

    @property
    def role_word(self) -> str:
        return self.role.word if self.role else "none"


def listed() -> list[Person]:
    """Everybody, by name; who is out of use comes last."""
    users = get_user_model().objects.prefetch_related("groups").order_by("-is_active", "username")
    rows = BrowserSession.objects.filter(person__isnull=False, expire_date__gt=timezone.now())
    signed_in = dict(rows.values_list("person").annotate(Count("pk")).order_by())
    return [_shown(user, signed_in.get(user.pk, 0)) for user in users]


def find(person_id: int) -> User:
    """The account with this id; raises NotFound."""
    user = get_user_model().objects.filter(pk=person_id).first()
    if user is None:
        raise NotFound("There is no such person.")
    return user


def shown(user: User) -> Person:
    """One account as it is listed."""
    return _shown(user, len(browsers.of(user)))


def add(username: str, role: Role) -> tuple[User, str]:
    """A new account, and the secret part of the one-use link by which its owner chooses a password.

    Raises Invalid for a name that is none or is taken, however it is written.
    """
    username = User.normalize_username(username.strip())
    problems = name_problems(username)
    if not problems and get_user_model().objects.filter(username__iexact=username).exists():
        problems = [FieldError("username", "Somebody has this name already.")]
    if problems:
        raise Invalid(problems[0].message, problems)
    with transaction.atomic():
        user = get_user_model().objects.create_user(username=username)
        set_role(user, role)
    audit.record("person.add", f"{username} was added as {role.word}", about=_about(user), after={"role": role.word})
    return user, links.make(user)


def change_role(user: User, role: Role) -> None:
    """Another role, from the person's next click on; raises Conflict for the last administrator."""
    before = _stored_role(user)
    if before is role:
        return
    with transaction.atomic():
        if role is not Role.ADMIN:
            _keep_an_administrator(user)
        set_role(user, role)
    words = f"{user.get_username()} is {role.word} now"
    had = before.word if before else "none"
    audit.record("person.role", words, about=_about(user), before={"role": had}, after={"role": role.word})


def deactivate(user: User) -> None:
    """Take the account out of use and sign its browsers out; raises Conflict for the last administrator."""
    with transaction.atomic():
        _keep_an_administrator(user)
        user.is_active = False
        user.save(update_fields=["is_active"])
        browsers.close(user)
    words = f"The account of {user.get_username()} was taken out of use"
    audit.record("person.deactivate", words, about=_about(user), before={"active": True}, after={"active": False})


def activate(user: User) -> None:
    """Put the account into use again, with its role and password as they were."""
    user.is_active = True
    user.save(update_fields=["is_active"])
    words = f"The account of {user.get_username()} was put into use again"
    audit.record("person.activate", words, about=_about(user), before={"active": False}, after={"active": True})


def reset_password(user: User) -> str:
    """Take the password away, sign all browsers out, and return the secret part of a link to choose another.

    Raises Conflict for the last administrator and for an account that is out of use.
    """
    if not user.is_active:
        raise Conflict(f"The account of {user.get_username()} is out of use. Put it into use first.")
    with transaction.atomic():
        _keep_an_administrator(user)
        secret = links.make(user)
        browsers.close(user)
    words = f"The password of {user.get_username()} was taken away, and a link to choose another was made"
    audit.record("person.password_reset", words, about=_about(user))
    return secret


def set_role(user: User, role: Role) -> None:
    """Store the role: the one group of that name. An administrator also is one to Django's own administration."""
    ensure_roles()
    user.groups.set(Group.objects.filter(name=role.word))
    user.is_staff = user.is_superuser = role is Role.ADMIN
    user.save(update_fields=["is_staff", "is_superuser"])


def _keep_an_administrator(user: User) -> None:
    """Raises Conflict when nobody else could administer. Inside a transaction, and with all accounts locked, so that
    of two administrators who take the role from each other one is refused."""
    users = get_user_model().objects.filter(is_active=True)
    list(users.select_for_update().order_by("pk").values_list("pk", flat=True))
    is_admin = Q(is_superuser=True) | Q(groups__name=Role.ADMIN.word)
    able = users.filter(is_admin)
    if not settings.PROXY_USER_HEADER:  # there people sign in without one
        able = able.exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX)
    if set(able.values_list("pk", flat=True)) == {user.pk}:
        raise Conflict(LAST_ADMINISTRATOR.format(name=user.get_username()))


def _shown(user: User, count: int) -> Person:
    return Person(
        id=user.pk,
        name=user.get_username(),
        role=_stored_role(user),
        is_active=user.is_active,
        has_password=user.has_usable_password(),
        last_sign_in=user.last_login,
        browsers=count if user.is_active else 0,
    )


def _stored_role(user: User) -> Role | None:
    """The role whether or not the account is in use; from groups that were read beforehand, in a list."""
    names = {group.name for group in user.groups.all()}
    return Role.ADMIN if user.is_superuser else max((role for role in Role if role.word in names), default=None)


def _about(user: User) -> tuple[str, int, str]:
    return ("person", user.pk, user.get_username())
