"""The server's own code on a database and a folder that exist for one proof only."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agent.bench.report import CannotRun

if TYPE_CHECKING:
    from django.test import Client

PERSON = "bench"


@contextmanager
def database() -> Iterator[str]:
    """Django in this process and an empty, indexed database behind it; its address. Settings stay: who needs a folder
    of Django's own data has to be the first in a process."""
    with tempfile.TemporaryDirectory(prefix="obt-bench-") as folder:
        os.environ.update(OBT_DATA_DIR=folder, OBT_DEBUG="0")
        os.environ.pop("DATABASE_URL", None)
        os.environ["DJANGO_SETTINGS_MODULE"] = "obt_site.settings"
        from obt_site.embedded import EmbeddedDatabase  # noqa: PLC0415  (settings are read when first imported)

        embedded = EmbeddedDatabase(Path(folder))
        try:
            address = embedded.start()
        except Exception as error:
            raise CannotRun(f"The embedded database does not start: {error}") from error
        try:
            _set_up(address)
            yield address
        finally:
            embedded.stop()


@contextmanager
def browser() -> "Iterator[Client]":
    """A signed-in person's browser in this process, with nothing stored yet."""
    with database():
        from django.conf import settings  # noqa: PLC0415
        from django.contrib.auth import get_user_model  # noqa: PLC0415
        from django.core.management import call_command  # noqa: PLC0415
        from django.test import Client  # noqa: PLC0415

        settings.ALLOWED_HOSTS = ["testserver"]
        settings.RATES, settings.RATES_BY_ADDRESS = {}, {}  # their questions to the database come when they come
        call_command("migrate", verbosity=0, interactive=False, skip_checks=True)
        browser = Client()
        browser.force_login(get_user_model().objects.create_superuser(PERSON))
        yield browser


def _set_up(address: str) -> None:
    import django  # noqa: PLC0415

    django.setup()
    from obt_site import indexes, mongo, schema  # noqa: PLC0415

    mongo.connect(address)
    indexes.ensure()
    schema.upgrade()
