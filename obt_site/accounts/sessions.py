"""Django's sessions with one column more: whose they are, so that a person's can be listed and ended.

`settings.SESSION_ENGINE` names this module. Ending a session deletes its row, and the browser is signed out with it.
"""

from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models


class BrowserSession(AbstractBaseSession):
    """One browser's session; `person` is the id of who is signed in there, None for nobody."""

    person = models.BigIntegerField(null=True, db_index=True)

    class Meta:
        app_label = "obt_site"
        db_table = "browser_sessions"
        verbose_name = "session of a browser"
        verbose_name_plural = "sessions of browsers"

    @classmethod
    def get_session_store_class(cls) -> type["SessionStore"]:
        """How its data is read."""
        return SessionStore


class SessionStore(DatabaseStore):
    """The sessions in that table."""

    @classmethod
    def get_model_class(cls) -> type[BrowserSession]:
        """Where they are kept."""
        return BrowserSession

    def create_model_instance(self, data: dict[str, Any]) -> BrowserSession:
        """The row, with whose it is."""
        return _of(super().create_model_instance(data), data)

    async def acreate_model_instance(self, data: dict[str, Any]) -> BrowserSession:
        """The same for async code."""
        return _of(await super().acreate_model_instance(data), data)


def _of(row: Any, data: dict[str, Any]) -> BrowserSession:
    found: BrowserSession = row
    found.person = int(data[SESSION_KEY]) if SESSION_KEY in data else None
    return found
