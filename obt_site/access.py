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

from obt_site import actor, limits
from obt_site.came_from import came_from
from obt_site.errors import Forbidden


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


def person(request: HttpRequest) -> actor.Actor:
    """The signed-in person behind a request."""
    return actor.Actor(actor.PERSON, request.user.get_username(), str(request.user.pk), request.META.get("REMOTE_ADDR"))


def requires(role: Role) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """A page view for people of at least this role: strangers are sent to sign in, others are told."""

    def wrap(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            held = role_of(request.user)
            if held is None and not request.user.is_authenticated:
                return _to_sign_in(request)
            if held is None or held < role:
                raise Forbidden(f"This needs the role {role.word}; you have {held.word if held else 'none'}.")
            request.role = held  # type: ignore[attr-defined]
            actor.acts(person(request))
            limits.spend(request, f"person:{request.user.pk}")
            return view(request, *args, **kwargs)

        return guarded

    return wrap
