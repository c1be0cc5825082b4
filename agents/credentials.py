"""Agent credentials `obta_<id8>_<secret>`: made at registration, looked up by id, compared by HMAC, kept as a hash."""

import hashlib
import hmac
import secrets
from typing import NamedTuple

from django.conf import settings

from agents.documents import Client
from obt_site.errors import Unauthenticated

PREFIX = "obta"
ID_BYTES = 4
SECRET_BYTES = 32
LONGEST = 200


class Issued(NamedTuple):
    """A new credential: the text to hand over once, and what is kept of it."""

    text: str
    id: str
    hash: str


def issue() -> Issued:
    """Make a credential; its secret exists nowhere else."""
    identity, secret = secrets.token_hex(ID_BYTES), secrets.token_urlsafe(SECRET_BYTES)
    return Issued(f"{PREFIX}_{identity}_{secret}", identity, keyed_hash(secret))


def keyed_hash(secret: str) -> str:
    """HMAC-SHA256 of a secret under the server's key, hex: a stolen database alone proves nothing."""
    return hmac.new(settings.SECRET_KEY.encode(), secret.encode(), hashlib.sha256).hexdigest()


def authenticate(header: str | None) -> Client:
    """The client an `Authorization: Bearer obta_…` header belongs to; raises Unauthenticated with what to do."""
    scheme, _, text = (header or "").partition(" ")
    parts = text.strip().split("_", 2)
    if scheme.lower() != "bearer" or len(parts) != 3 or parts[0] != PREFIX or len(text) > LONGEST:
        raise Unauthenticated("This path takes an agent's credential: Authorization: Bearer obta_….")
    client = _of_credential(parts[1])
    expected = client.credential_hash if client else keyed_hash("")
    if not hmac.compare_digest(expected, keyed_hash(parts[2])) or client is None:
        raise Unauthenticated("This credential is not known or was revoked. Enrol the machine again with a new token.")
    return client


def _of_credential(identity: str) -> Client | None:
    """One cheap read, as every call of every agent begins with it."""
    found = Client._get_collection().find_one({"credential_id": identity})
    return Client._from_son(found) if found else None  # type: ignore[no-any-return]
