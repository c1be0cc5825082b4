"""Who may do what: three roles, and the tokens that scripts use.

A viewer reads; an operator also queues, cancels and retries; an admin also enrols, manages and deletes. Roles are
Django groups of those names; a superuser is an admin.
"""

import hmac
import secrets
from collections.abc import Callable
from enum import IntEnum
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from mongoengine import DateTimeField, Document, IntField, StringField

from agents.credentials import keyed_hash
from obt_site import actor, publishing
from obt_site.accounts import browsers
from obt_site.address import address_of
from obt_site.came_from import came_from
from obt_site.clock import now
from obt_site.errors import FieldError, Forbidden, Invalid, Unauthenticated

TOKEN_PREFIX = "obtu"  # noqa: S105  (a prefix, not a secret)
ID_BYTES = 4
SECRET_BYTES = 32
LONGEST = 200
NAME_LENGTH = 100
View = Callable[..., HttpResponseBase]


class Role(IntEnum):
    """Each role may do what the ones below it may."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        return self.name.lower()


class ApiToken(Document):
    """A user API token `obtu_<id>_<secret>`; only a keyed hash of the secret is kept."""

    meta = {"collection": "api_tokens", "auto_create_index": False}
    id = StringField(primary_key=True)
    schema = IntField(default=1)
    name = StringField(required=True, max_length=100)
    role = StringField(required=True)
    user = StringField()
    secret_hash = StringField(required=True)
    created_at = DateTimeField(default=now)
    expires_at = DateTimeField()
    revoked_at = DateTimeField()


def role_of(user: Any) -> Role | None:
    """The highest role of a signed-in user; None for strangers and for people without one."""
    if user is None or not user.is_authenticated or not user.is_active:
        return None
    if user.is_superuser:
        return Role.ADMIN
    names = set(user.groups.values_list("name", flat=True))
    return max((role for role in Role if role.word in names), default=None)


def create_token(name: str, role: Role, user: str | None = None) -> str:
    """Make a token; its text is returned once and kept nowhere. Raises Invalid for a name that is none."""
    name = name.strip()
    if not name or len(name) > NAME_LENGTH or not name.isprintable():
        message = f"A token's name has 1 to {NAME_LENGTH} printable characters."
        raise Invalid(message, [FieldError("name", message)])
    identity, secret = secrets.token_hex(ID_BYTES), secrets.token_urlsafe(SECRET_BYTES)
    ApiToken(id=identity, name=name, role=role.word, user=user, secret_hash=keyed_hash(secret)).save(force_insert=True)
    return f"{TOKEN_PREFIX}_{identity}_{secret}"


def token_holder(text: str) -> ApiToken:
    """The token with this text; raises Unauthenticated when it is unknown, revoked or too old."""
    parts = text.split("_", 2)
    if len(parts) != 3 or parts[0] != TOKEN_PREFIX or len(text) > LONGEST:
        raise Unauthenticated("Send a user API token: Authorization: Bearer obtu_….")
    token = ApiToken.objects(id=parts[1]).first()
    expected = token.secret_hash if token else keyed_hash("")
    if not hmac.compare_digest(expected, keyed_hash(parts[2])) or token is None:
        raise Unauthenticated("This token is not known.")
    if token.revoked_at or (token.expires_at and token.expires_at < now()):
        raise Unauthenticated("This token was revoked or has expired. Make a new one.")
    return token  # type: ignore[no-any-return]


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    """To the sign-in page, and from there back to the page; what was being sent is not sent again."""
    is_page = request.method in ("GET", "HEAD") and "HX-Request" not in request.headers
    answer = redirect_to_login(request.get_full_path() if is_page else came_from(request) or "/")
    if "HX-Request" not in request.headers:
        return answer
    # htmx would put the sign-in page into a part of this one.
    return HttpResponse(status=204, headers={"HX-Redirect": answer.url})


def let_in(request: HttpRequest) -> None:
    """From here on the signed-in person behind this request acts, and this browser of theirs is in use."""
    actor.acts(person(request))
    browsers.seen(request)


def let_stranger_in(request: HttpRequest) -> None:
    """From here on somebody unknown reads, where that is allowed."""
    actor.acts(actor.Actor(actor.STRANGER, "somebody unknown", None, address_of(request)))


def person(request: HttpRequest) -> actor.Actor:
    """The signed-in person behind a request."""
    return actor.Actor(actor.PERSON, request.user.get_username(), str(request.user.pk), address_of(request))


def requires(role: Role, public: bool = False) -> Callable[[View], View]:
    """A page view for people of at least this role: strangers are sent to sign in, others are told.

    `public`: where OBT_PUBLIC_READ is on, strangers read it too, as viewers do.
    """

    def wrap(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                if not (public and publishing.is_on()):
                    return _to_sign_in(request)
                let_stranger_in(request)
                request.role = Role.VIEWER  # type: ignore[attr-defined]
                return view(request, *args, **kwargs)
            held = role_of(request.user)
            if held is None or held < role:
                raise Forbidden(f"This needs the role {role.word}; you have {held.word if held else 'none'}.")
            request.role = held  # type: ignore[attr-defined]
            let_in(request)
            return view(request, *args, **kwargs)

        return guarded

    return wrap
