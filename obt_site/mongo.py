"""The MongoDB connection: named by OBT_MONGODB_URI, or the embedded database that `up` runs.

Connecting is lazy and cheap; the first query finds out whether the database is there. Times are read as aware UTC.
"""

from pathlib import Path
from typing import Any

import mongoengine
import pymongo
from django.conf import settings
from pymongo.uri_parser import parse_uri

DEFAULT_DATABASE = "obt"
SERVER_SELECTION_MS = 4000
NOWHERE = "mongodb://127.0.0.1:9/"  # the discard port: every query answers "the database does not answer"
EMBEDDED_FILE = "run/mongodb-uri"  # written by `up` while its embedded database runs


def uri() -> str:
    """Where MongoDB is. A page asked for while no database runs gets 503, not a traceback at start-up."""
    return settings.MONGODB_URI or embedded_uri(settings.DATA_DIR) or NOWHERE


def embedded_uri(data_dir: Path) -> str | None:
    """The running embedded database's address, None when `up` is not running."""
    try:
        return (data_dir / EMBEDDED_FILE).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def connect(address: str | None = None, **options: Any) -> None:
    """Point every document at the database; replaces an earlier connection (tests, `up`). `options`: of MongoClient."""
    address = address or uri()
    mongoengine.disconnect()
    mongoengine.connect(
        db=parse_uri(address)["database"] or DEFAULT_DATABASE,
        host=address,
        tz_aware=True,
        uuidRepresentation="standard",
        serverSelectionTimeoutMS=SERVER_SELECTION_MS,
        connectTimeoutMS=SERVER_SELECTION_MS,
        **options,
    )


def database() -> "pymongo.database.Database[dict[str, Any]]":
    """The raw database, for what MongoEngine has no word for."""
    return mongoengine.get_db()  # type: ignore[no-any-return]


def ping() -> None:
    """Raises a PyMongoError when the database does not answer, or does not let this server read.

    A real read, as MongoDB answers the command `ping` to anybody.
    """
    database()["meta"].find_one({"_id": "schema"})
