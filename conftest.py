"""Test parts shared by all rooms: the real embedded database, and one rule: CI skips nothing.

The `database` fixture gives each test worker a database process of its own and each test an empty database in it.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from obt_site.tests.server import RunningServer

pytest_plugins = ["agent.real_ollama.fixtures", "obt_site.tests.browser"]


@pytest.fixture(scope="session")
def database_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real database process for this worker."""
    from obt_site.embedded import EmbeddedDatabase

    embedded = EmbeddedDatabase(tmp_path_factory.mktemp("database"))
    yield embedded.start()
    embedded.stop()


@pytest.fixture
def database(database_uri: str) -> str:
    """An empty, indexed database; its address. Django's own tables come with the `db` mark."""
    return emptied(database_uri)


def emptied(uri: str) -> str:
    """Connect to this database and make it empty and indexed; returns its address."""
    from obt_site import indexes, mongo, schema

    mongo.connect(uri)
    for name in mongo.database().list_collection_names():
        mongo.database()[name].delete_many({})
    indexes.ensure()
    schema.upgrade()
    return uri


@pytest.fixture(scope="session")
def server_process(database_uri: str, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[RunningServer]":
    """A real server process for this worker, on a database of its own: its sweeper sweeps nobody else's."""
    from obt_site.tests.server import RunningServer

    uri = urlsplit(database_uri)._replace(path="/served").geturl()
    with RunningServer(uri, tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def server(server_process: "RunningServer") -> "RunningServer":
    """The worker's server on its database, emptied; started again when the test before stopped it."""
    emptied(server_process.mongodb_uri)
    if not server_process.ready():
        server_process.start()
    return server_process


@pytest.fixture(autouse=True)
def _nobody_acts() -> Iterator[None]:
    """Who acted in the test before acts no more."""
    from obt_site import actor

    with actor.acting(actor.THE_SERVER):
        yield


@pytest.fixture(scope="session", autouse=True)
def _data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing a test does touches the person's own data folder."""
    from django.conf import settings

    path = tmp_path_factory.mktemp("data")
    settings.DATA_DIR = path
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # a real one takes a second each
    return path


@pytest.fixture(scope="session", autouse=True)
def _no_rate_limits() -> None:
    """In this process no test slows another down or asks the database about it; servers of tests have limits."""
    from django.conf import settings

    settings.RATES, settings.RATES_BY_ADDRESS = {}, {}


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI a skipped test is a failure: a part is missing that CI must have."""
    if os.environ.get("CI") != "true" or hasattr(session.config, "workerinput"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = len(reporter.stats.get("skipped", [])) if reporter else 0
    if skipped and exitstatus == 0:
        reporter.write_line(f"{skipped} tests were skipped; CI skips nothing.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
