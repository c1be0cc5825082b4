"""Signing in by the word of a reverse proxy: the header that OBT_PROXY_USER_HEADER names, from OBT_TRUSTED_PROXY only.

For those who have single sign-on (OIDC and the like) in the proxy. Whoever it names is signed in; somebody unknown gets
an account with the role viewer. A sign-in of that kind ends as soon as a request comes without the header, so its
cookie is worth nothing past the proxy. The header of anybody else never gets here (`obt_site/address.py`).
"""

from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.backends import RemoteUserBackend
from django.contrib.auth.middleware import RemoteUserMiddleware
from django.contrib.auth.models import User
from django.http import HttpRequest

from obt_site import actor, audit
from obt_site.access import Role
from obt_site.accounts import people, setup
from obt_site.accounts.setup import name_problems
from obt_site.address import address_of, is_from_the_proxy

THE_PROXY = "the reverse proxy"


class ProxyUser(RemoteUserMiddleware):
    """Signs in whom the proxy names, where it may name anybody."""

    @property
    def header(self) -> str:  # type: ignore[override]  # Django has a constant there
        """Where Django looks for the name."""
        return "HTTP_" + (settings.PROXY_USER_HEADER or "").upper().replace("-", "_")

    def process_request(self, request: HttpRequest) -> None:
        """Nothing is done where no header is named."""
        if not settings.PROXY_USER_HEADER:
            return
        if not is_from_the_proxy(request):
            request.META.pop(self.header, None)
        super().process_request(request)

    async def aprocess_request(self, request: HttpRequest) -> None:
        """The same, in a thread that may ask the database."""
        if settings.PROXY_USER_HEADER:
            await sync_to_async(self.process_request, thread_sensitive=True)(request)


class ProxyUserBackend(RemoteUserBackend):
    """Finds the account, or makes it. Accounts that are out of use stay so."""

    def authenticate(self, request: HttpRequest | None, remote_user: str | None) -> Any:  # type: ignore[override]
        """The person, None for a name that cannot be one, and before there is an administrator: the set-up link makes
        that one, and it dies with the first account."""
        if request is None or not remote_user or name_problems(remote_user) or setup.needed():
            return None
        user = super().authenticate(request, remote_user)
        if isinstance(user, User):
            by = actor.Actor(actor.PERSON, user.get_username(), str(user.pk), address_of(request))
            words = f"{user.get_username()} was signed in by {THE_PROXY}"
            audit.record("person.sign_in", words, about=("person", user.pk, user.get_username()), by=by)
        return user

    def configure_user(self, request: HttpRequest | None, user: Any, created: bool = True) -> Any:
        """Somebody new reads, and an administrator may let them do more."""
        if created and request is not None:
            user.set_unusable_password()
            user.save(update_fields=["password"])
            people.set_role(user, Role.VIEWER)
            by = actor.Actor(actor.SYSTEM, THE_PROXY, None, address_of(request))
            words = f"{user.get_username()} was added as viewer: {THE_PROXY} named them"
            about = ("person", user.pk, user.get_username())
            audit.record("person.add", words, about=about, after={"role": Role.VIEWER.word}, by=by)
        return user
