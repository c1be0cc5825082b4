"""The MongoDB of `OBT_MONGODB_URI`, tried before anything is started: does it answer, and does it let us in.

No sentence repeats the URI, which can hold a password; only its hosts are named.
"""

from __future__ import annotations

import re

from obt_site.embedded import DATABASE
from obt_site.up.errors import CannotStart

PROBE_MS = 5_000
AUTHENTICATION_FAILED = 18
EXAMPLE = "mongodb://user:password@host:27017/obt"


def check(uri: str) -> None:
    """Refuses a database that does not answer or does not let us read. Raises CannotStart.

    It reads a document, because MongoDB answers a ping to anybody.
    """
    import pymongo  # noqa: PLC0415  (0.2 s that the other way to start need not wait for)
    from pymongo import errors  # noqa: PLC0415

    try:
        with pymongo.MongoClient[dict[str, object]](uri, serverSelectionTimeoutMS=PROBE_MS) as client:
            client.get_default_database(DATABASE)["meta"].find_one({"_id": "schema"})
    except errors.OperationFailure as error:
        reason = _refusal(error.code, has_user="@" in uri)
    except (errors.InvalidURI, errors.ConfigurationError, ValueError, OSError):
        raise CannotStart(
            f"OBT_MONGODB_URI cannot be understood, or names a file that cannot be read; it has to look like {EXAMPLE}."
        ) from None
    except errors.PyMongoError as error:
        reason = _silence(str(error), wants_tls="tls=true" in uri or "ssl=true" in uri or "+srv://" in uri)
    else:
        return
    raise CannotStart(f"MongoDB at {hosts(uri)} {reason}; check OBT_MONGODB_URI and that it runs.")


def hosts(uri: str) -> str:
    """The hosts of a MongoDB URI without user, password and options."""
    return uri.partition("://")[2].partition("?")[0].partition("/")[0].rpartition("@")[2] or "the given address"


def _refusal(code: int | None, *, has_user: bool) -> str:
    if not has_user:
        return "wants a user and a password, and the URI has none"
    if code == AUTHENTICATION_FAILED:
        return "refused the user or password"
    return "does not let this user read its data, who needs the role readWrite"


def _silence(text: str, *, wants_tls: bool) -> str:
    """Why no answer came, by the driver's words."""
    if "certificate verify failed" in text or "CERTIFICATE_VERIFY_FAILED" in text:
        return "shows a certificate that is not trusted: name its authority's file in the URI with tlsCAFile"
    if "SSL handshake failed" in text and wants_tls:
        return "does not speak TLS, or not as the URI wants it"
    if re.search("connection closed|reset by peer|forcibly closed", text) and not wants_tls:
        return "ends each connection without a word, as one that wants TLS does: add tls=true to the URI"
    return f"did not answer within {PROBE_MS // 1000} s"
