"""The part of `up` that runs inside Django: bring what is stored to this version, and look up what the block says."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from obt_site.env import Environment
from obt_site.up.errors import CannotStart

if TYPE_CHECKING:
    from agents.documents import Client

LOCAL_TOKEN_LIFETIME = timedelta(minutes=10)
CREDENTIAL_FILE = "credential.json"


def load_django(data_dir: Path) -> None:
    """Imports the project. Its log lines go to a file: the terminal is for the person."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "obt_site.settings")
    import django  # noqa: PLC0415  (everything of Django waits until the folder and the port are ours)

    django.setup()
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    (data_dir / "logs").mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(data_dir / "logs" / "up.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root.addHandler(handler)


def bring_forward(environment: Environment, mongodb_uri: str) -> None:
    """Migrations, schema steps, indexes, first administrator. Raises CannotStart, before writing, for newer data."""
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import Error as DjangoDatabaseError  # noqa: PLC0415
    from pymongo.errors import PyMongoError  # noqa: PLC0415

    from obt_site import indexes, mongo, schema  # noqa: PLC0415

    mongo.connect(mongodb_uri)
    try:
        schema.check()
        _refuse_newer_tables()
        _refuse_exposed_without_administrator(environment)
        call_command("migrate", verbosity=0, interactive=False, skip_checks=True)
        schema.upgrade()
        indexes.ensure()
        _make_first_administrator(environment)
    except schema.NewerDatabase as error:
        raise CannotStart(str(error)) from None
    except DjangoDatabaseError as error:
        where = "The database of DATABASE_URL" if environment.database_url else f"{environment.data_dir}/django.sqlite3"
        raise CannotStart(f"{where} cannot be used ({type(error).__name__}); nothing more was changed.") from error
    except PyMongoError as error:
        raise CannotStart(f"The database stopped answering while it was prepared ({type(error).__name__}).") from error


def _refuse_newer_tables() -> None:
    """Django's own tables: a migration later than the last one known here was made by a newer OBT."""
    from django.db import connection  # noqa: PLC0415
    from django.db.migrations.loader import MigrationLoader  # noqa: PLC0415

    loader = MigrationLoader(connection)
    known = loader.disk_migrations
    for app, name in loader.applied_migrations or ():
        names = [each for label, each in known if label == app]
        if names and (app, name) not in known and name > max(names):
            raise CannotStart(
                f"The stored users and sign-ins were written by a newer OBT ({app}.{name}). "
                "Use that OBT again, or another OBT_DATA_DIR. Nothing was changed."
            )


def _refuse_exposed_without_administrator(environment: Environment) -> None:
    if environment.is_loopback or environment.admin_username or _has_administrator():
        return
    raise CannotStart(
        f"OBT_HOST={environment.host} lets other machines in and there is no administrator yet: set OBT_ADMIN_USERNAME "
        "and OBT_ADMIN_PASSWORD, or start once without OBT_HOST and use the set-up link."
    )


def _has_administrator() -> bool:
    from django.contrib.auth import get_user_model  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415

    users = get_user_model()
    tables = connection.introspection.table_names()
    return users._meta.db_table in tables and users.objects.filter(is_superuser=True, is_active=True).exists()


def _make_first_administrator(environment: Environment) -> None:
    from obt_site import actor  # noqa: PLC0415
    from obt_site.accounts import setup  # noqa: PLC0415
    from obt_site.errors import Conflict, Invalid  # noqa: PLC0415

    if not (environment.admin_username and environment.admin_password and setup.needed()):
        return
    try:
        with actor.acting(actor.command("up")):
            setup.create_administrator(environment.admin_username, environment.admin_password)
    except Invalid as error:
        raise CannotStart(f"OBT_ADMIN_USERNAME and OBT_ADMIN_PASSWORD cannot be used: {error.detail}") from None
    except Conflict:
        return  # another process was faster


def setup_link(base_url: str) -> str | None:
    """The one-use set-up address, None when there is a user."""
    from obt_site.accounts import setup  # noqa: PLC0415

    return setup.link(base_url)


# --- this machine's agent --------------------------------------------------------------------------------------------


def enrolment_token(state_dir: Path) -> str | None:
    """A token for the local agent; None when the credential it has is good.

    One that the server no longer takes (another database, a removed machine, revoked) is put aside, so that it enrols
    again: as the machine it was, where that is still known.
    """
    from agents import credentials, enrolment  # noqa: PLC0415
    from obt_site import actor  # noqa: PLC0415
    from obt_site.errors import Unauthenticated  # noqa: PLC0415

    stored = _stored(state_dir)
    for credential in filter(None, (stored.get("newer"), stored.get("credential"))):
        with contextlib.suppress(Unauthenticated):
            credentials.authenticate(f"Bearer {credential}")
            return None
    if stored:
        path = state_dir / CREDENTIAL_FILE
        path.replace(path.with_suffix(".json.refused"))
    client = _client_of(stored)
    with actor.acting(actor.command("up")):
        token, _ = enrolment.create_token(by="up", lifetime=LOCAL_TOKEN_LIFETIME, client=client)
    return token


def local_client(state_dir: Path, seen_since: datetime) -> LocalClient | None:
    """What the local agent has reported since then; None until its report is whole."""
    from agents.documents import HardwareConfig  # noqa: PLC0415

    client = _client_of(_stored(state_dir))
    if client is None or client.last_seen_at is None or client.last_seen_at < seen_since or not client.ollama:
        return None
    config = HardwareConfig.objects(id=client.hardware_config).first() if client.hardware_config else None
    if config is None or (
        client.ollama.get("reachable") and (client.models_at is None or client.models_at < seen_since)
    ):
        return None
    gpus = [_gpu(each) for each in config.content.get("gpus") or []]
    return LocalClient(client.name, client.ollama.get("version"), client.models_count, gpus)


class LocalClient:
    """This machine as the server sees it: its name, Ollama's version (None: not reachable), models, GPUs in words."""

    def __init__(self, name: str, ollama_version: str | None, models: int | None, gpus: list[str]) -> None:
        self.name = name
        self.ollama_version = ollama_version
        self.models = models
        self.gpus = gpus


def disconnect() -> None:
    """Ends the connections that only the start needed, so that watching costs nothing."""
    import mongoengine  # noqa: PLC0415
    from django.db import connections  # noqa: PLC0415

    connections.close_all()
    mongoengine.disconnect()


def _client_of(stored: dict[str, str]) -> Client | None:
    """The machine that this enrolment is of, if this database knows it."""
    from bson import ObjectId  # noqa: PLC0415

    from agents.documents import Client  # noqa: PLC0415

    identity = stored.get("client", "")
    client: Client | None = Client.objects(id=identity).first() if ObjectId.is_valid(identity) else None
    return client


def _stored(state_dir: Path) -> dict[str, str]:
    with contextlib.suppress(OSError, ValueError):
        content = json.loads((state_dir / CREDENTIAL_FILE).read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return {key: value for key, value in content.items() if isinstance(value, str)}
    return {}


def _gpu(content: dict[str, object]) -> str:
    memory = content.get("memory_total_bytes")
    return str(content.get("name") or "unnamed") + (f", {memory / 2**30:.0f} GB" if isinstance(memory, int) else "")
