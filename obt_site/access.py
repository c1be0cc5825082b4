"""Who may do what: three roles.

A viewer reads; an operator also queues, cancels and retries; an admin also enrols, manages and deletes. Roles are
Django groups of those names; a superuser is an admin.
"""

from collections.abc import Callable
from enum import IntEnum
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from obt_site import actor, limits, publishing
from obt_site.accounts import browsers
from obt_site.address import address_of
from obt_site.came_from import came_from
from obt_site.errors import Forbidden

View = Callable[..., HttpResponseBase]


class Role(IntEnum):
    """Each role may do what the ones below it may."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        return self.name.lower()


def role_of(user: Any) -> Role | None:
    """The highest role of a signed-in user; None for strangers and for people without one."""
    if user is None or not user.is_authenticated or not user.is_active:
        return None
    if user.is_superuser:
        return Role.ADMIN
    names = set(user.groups.values_list("name", flat=True))
    return max((role for role in Role if role.word in names), default=None)


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    """To the sign-in page, and from there back to the page; what was being sent is not sent again."""
    is_page = request.method in ("GET", "HEAD") and "HX-Request" not in request.headers
    answer = redirect_to_login(request.get_full_path() if is_page else came_from(request) or "/")
    if "HX-Request" not in request.headers:
        return answer
    # htmx would put the sign-in page into a part of this one.
    return HttpResponse(status=204, headers={"HX-Redirect": answer.url})


def let_in(request: HttpRequest) -> None:
    """From here on the signed-in person behind this request acts, the call counts, and this browser is in use."""
    actor.acts(person(request))
    limits.spend(request, f"person:{request.user.pk}")
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
