"""Who calls the user API: the holder of a token, or a person signed in in a browser. Each route names its role.

`open_to(role, shape)` is the one way a route says who may use it and what it answers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja.security import APIKeyCookie
from ninja.security.http import HttpAuthBase
from ninja.utils import check_csrf

from benchmarks.api.shapes import Problem
from obt_site import actor, limits, publishing
from obt_site.access import Role, let_in, let_stranger_in, role_of
from obt_site.address import address_of
from obt_site.errors import Forbidden, Unauthenticated
from obt_site.tokens import ApiToken, Holder, Maker, token_holder

REFUSALS = frozenset({400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503})
WayIn = Callable[[HttpRequest], "Caller | None"]


@dataclass(frozen=True)
class Caller:
    """The person or script behind a request, by the name that is kept with what they start."""

    name: str
    role: Role
    user: Any = None  # None: a token that belongs to nobody
    token: ApiToken | None = None

    @property
    def maker(self) -> Maker:
        """The caller as one who makes, sees and revokes tokens."""
        return Maker(self.role, self.user, self.token)


class BearerToken(HttpAuthBase):
    """`Authorization: Bearer obtu_…`. A header that is there decides: a wrong one never falls back to a cookie."""

    openapi_scheme: str = "bearer"

    def __init__(self, role: Role) -> None:
        self.role = role
        super().__init__()

    def __call__(self, request: HttpRequest) -> Caller | None:
        header = request.headers.get("Authorization")
        if header is None:
            return None
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("Send a user API token: Authorization: Bearer obtu_….")
        holder = token_holder(text.strip())
        token = holder.token
        actor.acts(actor.Actor(actor.TOKEN, _called(holder), token.id, address_of(request)))
        limits.spend(request, f"token:{token.id}")
        return _allowed(Caller(holder.name, holder.role, holder.user, token), self.role)


class BrowserSession(APIKeyCookie):
    """The cookie of a signed-in browser, with the CSRF token on everything that changes something."""

    param_name: str = settings.SESSION_COOKIE_NAME

    def __init__(self, role: Role) -> None:
        self.role = role
        super().__init__(csrf=True)

    def __call__(self, request: HttpRequest) -> Caller | None:
        return self.authenticate(request, request.COOKIES.get(self.param_name))

    def authenticate(self, request: HttpRequest, key: str | None) -> Caller | None:
        """None for strangers; raises Forbidden without the CSRF token or the role. Whom a trusted proxy names needs
        no cookie."""
        if not request.user.is_authenticated:
            return None
        if check_csrf(request) is not None:
            raise Forbidden("This call changes something and lacks the CSRF token of the page it comes from.")
        held = role_of(request.user)
        if held is None:
            raise Forbidden(f"This needs the role {self.role.word}; you have none.")
        let_in(request)
        return _allowed(Caller(request.user.get_username(), held, request.user), self.role)


def _called(holder: Holder) -> str:
    """`dashboard of jo`: a token by its name, and whose it is."""
    return f"{holder.token.name} of {holder.name}" if holder.user is not None else holder.name


def public_reader(request: HttpRequest) -> Caller | None:
    """Nobody in particular, where OBT_PUBLIC_READ is on; for routes that say so, and to read only."""
    if not publishing.is_on() or request.method != "GET":
        return None
    let_stranger_in(request)
    return Caller("somebody unknown", Role.VIEWER)


def _allowed(caller: Caller, role: Role) -> Caller:
    if caller.role < role:
        raise Forbidden(f"This needs the role {role.word}; you have {caller.role.word}.")
    return caller


def needs(role: Role) -> list[WayIn]:
    """The ways in for callers of at least this role."""
    return [BearerToken(role), BrowserSession(role)]


def caller_at(request: HttpRequest, role: Role) -> Caller:
    """Who asks for an address beside the routes; raises Unauthenticated or Forbidden."""
    for way_in in needs(role):
        caller = way_in(request)
        if caller is not None:
            return caller
    raise Unauthenticated("Sign in, or send a user API token: Authorization: Bearer obtu_….")


def open_to(role: Role, shape: Any, status: int = 200, public: bool = False) -> dict[str, Any]:
    """For a route's decorator: who may call it, and the shape of its answer beside the problems it can have.

    `public`: where OBT_PUBLIC_READ is on, anybody may read it.
    """
    return {
        "auth": [*needs(role), public_reader] if public else needs(role),
        "response": {status: shape, REFUSALS: Problem},
        "openapi_extra": {"x-role": role.word},
    }


def caller_of(request: HttpRequest) -> Caller:
    """Who calls; only in routes, which nobody reaches without."""
    caller = request.auth  # type: ignore[attr-defined]
    assert isinstance(caller, Caller)
    return caller
