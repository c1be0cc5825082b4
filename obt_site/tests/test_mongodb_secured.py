"""MongoDB with user, password and TLS in the URI, against the embedded database with `--auth` and a certificate.

The right user works, `up`, pages and a sync; a wrong password and a way without TLS are refused at the start in a
sentence, and no password is printed anywhere.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_plus

import pymongo
import pytest
import requests
from django.test import Client
from pymongo.errors import OperationFailure, PyMongoError

from agent.obt_agent import wire
from agent.tests.certificates import Authority
from benchmarks.tests import world
from obt_site import embedded, env, mongo
from obt_site.tests.up_process import sentence, starting
from obt_site.up import given_mongodb
from obt_site.up.errors import CannotStart

USER, PASSWORD = "obt-user", "p:ss/w@rd-that-nobody-may-see"
START_S = 30.0


@dataclass
class Secured:
    """A database that wants a user and TLS. `uri(…)` is its address with parts of it other than right."""

    port: int
    ca: Path

    def uri(self, password: str = PASSWORD, tls: bool = True, user: str | None = USER, ca: bool = True) -> str:
        who = f"{user}:{quote_plus(password)}@" if user else ""
        trust = f"&tlsCAFile={self.ca}" if ca else ""
        return f"mongodb://{who}localhost:{self.port}/obt?authSource=admin" + (f"&tls=true{trust}" if tls else "")


@contextmanager
def database(folder: Path, *options: str) -> Iterator[int]:
    """secantusd on a free port with these options; its port."""
    port, log = embedded.free_port(), folder / "log"
    program = embedded._which("secantusd-py")
    command = [
        program,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--storage-path",
        str(folder / "db"),
        "--standalone",
    ]
    (folder / "none.toml").touch()
    with log.open("ab") as out:
        process = subprocess.Popen([*command, "--config", str(folder / "none.toml"), *options], stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + START_S
        while embedded._is_free(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def secured(tmp_path_factory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    with database(folder, "--sync-on-commit") as port, pymongo.MongoClient(f"mongodb://127.0.0.1:{port}/") as client:
        client.admin.command("createUser", USER, pwd=PASSWORD, roles=[{"role": "readWrite", "db": "obt"}])
    authority = Authority(folder)
    pair = authority.pair("localhost")
    tls = ("--tls-cert-file", str(pair.cert), "--tls-key-file", str(pair.key))
    with database(folder, "--auth", *tls) as port:
        yield Secured(port, authority.cert)


@pytest.fixture
def up(tmp_path):
    with starting(tmp_path / "data") as start:
        yield start


def test_the_database_of_these_tests_really_asks_for_both(secured):
    with pymongo.MongoClient(secured.uri()) as client:
        assert client.obt.meta.find_one({"_id": "nothing"}) is None
    with pytest.raises(OperationFailure), pymongo.MongoClient(secured.uri(user=None)) as client:
        client.obt.meta.find_one({})
    with (
        pytest.raises(PyMongoError),
        pymongo.MongoClient(secured.uri(tls=False), serverSelectionTimeoutMS=1000) as client,
    ):
        client.obt.meta.find_one({})


def test_with_the_right_user_everything_starts_and_a_sync_is_stored(secured, up):
    running = up("--no-agent", OBT_MONGODB_URI=secured.uri()).ready()
    assert f"MongoDB at localhost:{secured.port}" in running.output
    base = f"http://127.0.0.1:{running.port}"

    token = _manage(running, secured.uri(), "enrol_token", "create")
    body = {"token": token, "hostname": "forge", "agent_version": "0.1.0", "protocol": 1}
    machine = requests.post(f"{base}/api/v1/agent/register", json=body, timeout=30).json()
    answer = requests.post(
        f"{base}/api/v1/agent/sync",
        data=wire.dumps(world.sync_request()),
        headers={"Authorization": f"Bearer {machine['credential']}", "Content-Type": "application/json"},
        timeout=30,
    )

    assert answer.status_code == 200
    with pymongo.MongoClient(secured.uri(), tz_aware=True) as client:
        stored = client.obt.clients.find_one({"name": "forge"})
    assert stored["boot_id"] == "boot-1"
    assert stored["last_seen_at"] is not None
    assert running.interrupt() == 0
    assert [log.name for log in (running.data_dir / "logs").iterdir() if PASSWORD in log.read_text()] == []


def _manage(running, uri: str, *words: str) -> str:
    given = {
        "OBT_MONGODB_URI": uri,
        "OBT_DATA_DIR": str(running.data_dir),
        "OBT_PORT": running.port,
        "OBT_NO_VENV": "1",
    }
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=env.ROOT,
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"password": "wrong-and-secret"}, "refused the user or password"),
        ({"user": "somebody"}, "refused the user or password"),
        ({"user": None}, "wants a user and a password, and the URI has none"),
        ({"tls": False}, "add tls=true"),
        ({"ca": False}, "name its authority's file in the URI with tlsCAFile"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence_and_no_password(secured, wrong, hint):
    with pytest.raises(CannotStart) as caught:
        given_mongodb.check(secured.uri(**wrong))

    said = str(caught.value)
    assert f"MongoDB at localhost:{secured.port}" in said
    assert hint in said
    assert not any(secret in said for secret in (PASSWORD, "wrong-and-secret", USER, "somebody"))


def test_up_with_a_wrong_password_does_not_start_and_prints_nothing_of_it(secured, up):
    refused = up("--no-agent", OBT_MONGODB_URI=secured.uri(password="wrong-and-secret"))

    assert refused.ends() == 1
    assert "refused the user or password" in sentence(refused.output)
    assert not any(secret in refused.output for secret in (PASSWORD, "wrong-and-secret", USER))
    assert not (refused.data_dir / "logs" / "server.log").exists()


def test_a_database_without_tls_is_not_spoken_to_by_a_uri_that_wants_it(tmp_path):
    with database(tmp_path) as port, pytest.raises(CannotStart, match="does not speak TLS") as caught:
        given_mongodb.check(f"mongodb://ada:hunter2@localhost:{port}/obt?tls=true")

    assert "hunter2" not in str(caught.value)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("wrong", "answer"),
    [
        ({"password": "wrong"}, "refuses this server"),
        ({"user": None}, "refuses this server"),
        ({"tls": False}, "does not answer"),
    ],
)
def test_health_says_that_it_cannot_work_and_no_more(secured, caplog, wrong, answer):
    mongo.connect(secured.uri(**wrong))

    response = Client().get("/health/ready")

    assert (response.status_code, response.json()["database"]) == (503, answer)
    assert PASSWORD not in response.content.decode() + caplog.text


@pytest.mark.django_db
def test_health_is_well_with_the_right_user(secured):
    mongo.connect(secured.uri())

    assert Client().get("/health/ready").status_code == 200
