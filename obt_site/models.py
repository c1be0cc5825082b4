"""What of ours lies in Django's tables: the sessions of signed-in browsers. Everything else is in MongoDB."""

from obt_site.accounts.sessions import BrowserSession

__all__ = ["BrowserSession"]
