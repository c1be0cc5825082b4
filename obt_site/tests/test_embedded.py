"""obt_site/embedded.py: the embedded database as a real process."""

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pymongo
import pytest

from obt_site import embedded, env, mongo
from obt_site.embedded import EmbeddedDatabase
from obt_site.up.errors import CannotStart, ChildEnded

STARTER = """
import sys; sys.path.insert(0, {root!r})
from pathlib import Path
from obt_site.embedded import EmbeddedDatabase
database = EmbeddedDatabase(Path({data!r}))
print(database.start(), database.child.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def database(tmp_path):
    found = EmbeddedDatabase(tmp_path / "data")
    yield found
    found.stop()


@contextlib.contextmanager
def connected(uri):
    with pymongo.MongoClient(uri, serverSelectionTimeoutMS=3000) as client:
        yield client.get_default_database()


def fake_program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


def gone_within(seconds: float, pid: int) -> bool:
    deadline = time.monotonic() + seconds
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_it_answers_on_loopback_only_and_names_the_database(database):
    uri = database.start()
    with connected(uri) as opened:
        opened.things.insert_one({"_id": 1})
        assert opened.name == "obt"
        assert opened.things.find_one() == {"_id": 1}
    process = psutil.Process(database.child.pid)
    listening = [each.laddr.ip for each in process.net_connections() if each.status == psutil.CONN_LISTEN]
    assert listening == ["127.0.0.1"]


def test_what_is_stored_outlives_a_stop_and_a_kill(database):
    with connected(database.start()) as opened:
        opened.things.insert_one({"_id": "before the stop"})
    database.stop()
    with connected(database.start()) as opened:
        opened.things.insert_one({"_id": "before the kill"})
    os.kill(database.child.pid, signal.SIGKILL)
    assert database.child.wait(5).code == -signal.SIGKILL
    with connected(database.start()) as opened:
        assert sorted(each["_id"] for each in opened.things.find()) == ["before the kill", "before the stop"]


def test_stopping_is_kind_quick_and_leaves_no_process_and_no_port(database):
    database.start()
    pid, started = database.child.pid, time.monotonic()
    database.stop()
    assert time.monotonic() - started < 2
    assert database.child.ended().code == 0
    assert not psutil.pid_exists(pid)
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", database.port), timeout=1):
        pass


def test_commands_beside_it_find_it_while_it_runs(database):
    assert embedded.running_uri(database.data_dir) is None
    uri = database.start()
    path = database.data_dir / embedded.URI_FILE
    assert embedded.running_uri(database.data_dir) == mongo.embedded_uri(database.data_dir) == uri
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    with embedded.running(database.data_dir) as found:
        assert found == uri
    assert database.child.ended() is None
    database.stop()
    assert not path.exists()


def test_a_command_gets_one_of_its_own_when_none_runs(tmp_path):
    with embedded.running(tmp_path) as uri, connected(uri) as opened:
        opened.things.insert_one({"_id": 1})
    assert embedded.running_uri(tmp_path) is None
    assert not embedded.answers(uri)


def test_an_address_left_by_a_killed_one_counts_as_none(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / embedded.URI_FILE).write_text(f"mongodb://127.0.0.1:{embedded.free_port()}/obt", encoding="utf-8")
    assert embedded.running_uri(tmp_path) is None


def test_two_data_folders_have_two_databases(tmp_path):
    with embedded.running(tmp_path / "a") as first, embedded.running(tmp_path / "b") as second:
        with connected(first) as opened:
            opened.things.insert_one({"_id": 1})
        with connected(second) as opened:
            assert opened.things.find_one() is None


def test_a_port_that_somebody_took_first_is_given_up_for_another(database, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = iter([taken.getsockname()[1], embedded.free_port()])
        monkeypatch.setattr(embedded, "free_port", lambda: next(ports))
        uri = database.start()
        assert str(taken.getsockname()[1]) not in uri
        with connected(uri) as opened:
            assert opened.command("ping")["ok"] == 1


def test_another_database_on_the_same_port_is_not_taken_for_this_one(database, tmp_path, monkeypatch):
    with embedded.running(tmp_path / "other") as other:
        ports = iter([int(other.rpartition(":")[2].partition("/")[0]), embedded.free_port()])
        monkeypatch.setattr(embedded, "free_port", lambda: next(ports))
        assert database.start() != other


@pytest.mark.parametrize("tied_by", ["0", "1"])
def test_it_does_not_outlive_a_parent_that_is_killed(tmp_path, tied_by):
    code = STARTER.format(root=str(env.ROOT), data=str(tmp_path))
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OBT_PARENT_PIPE": tied_by},
    )
    _uri, pid = parent.stdout.readline().split()
    family = [int(pid), *(each.pid for each in psutil.Process(int(pid)).children(recursive=True))]
    assert len(family) == 1 + int(tied_by)
    parent.kill()
    parent.wait()
    assert all(gone_within(8, each) for each in family)
    with embedded.running(tmp_path) as uri_again, connected(uri_again) as opened:
        assert opened.command("ping")["ok"] == 1


def test_waiting_ends_when_somebody_asks_to_stop(database):
    database.launch()
    started = time.monotonic()
    database.wait_until_ready(lambda: True)
    assert time.monotonic() - started < 0.5


# --- which program ---------------------------------------------------------------------------------------------------


def test_a_new_folder_prefers_mongod_then_the_rust_one_then_ours(tmp_path, monkeypatch):
    tools = tmp_path / "tools"
    monkeypatch.setenv("PATH", str(tools))
    assert embedded.find_program(tmp_path).kind == "secantusd-py"
    fake_program(tools, "secantusd-rs", "true")
    assert embedded.find_program(tmp_path).kind == "secantusd-rs"
    fake_program(tools, "mongod", "true")
    assert embedded.find_program(tmp_path) == embedded.Program("mongod", str(tools / "mongod"))


def test_a_folder_keeps_to_the_kind_that_made_it(tmp_path, monkeypatch):
    fake_program(tmp_path / "tools", "mongod", "true")
    monkeypatch.setenv("PATH", str(tmp_path / "tools"))
    (tmp_path / "db-secantusd-py").mkdir()
    assert embedded.find_program(tmp_path).kind == "secantusd-py"


def test_a_folder_of_a_program_that_is_gone_says_which(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "db-mongod").mkdir()
    with pytest.raises(CannotStart, match="made by mongod, which is not on PATH now"):
        embedded.find_program(tmp_path)


def test_a_folder_of_two_kinds_is_not_guessed_about(tmp_path):
    (tmp_path / "db-mongod").mkdir()
    (tmp_path / "db-secantusd-py").mkdir()
    with pytest.raises(CannotStart, match="two databases, db-mongod and db-secantusd-py"):
        embedded.find_program(tmp_path)


def test_a_system_without_any_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(CannotStart, match=r"install MongoDB .* OBT_MONGODB_URI"):
        embedded.find_program(tmp_path)


def test_a_program_that_cannot_run_here_is_quoted_and_does_not_claim_the_folder(tmp_path, monkeypatch, database):
    fake_program(tmp_path / "tools", "mongod", "echo this CPU has no AVX; exit 3")
    monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}:{os.environ['PATH']}")
    with pytest.raises(ChildEnded, match=r"exit code 3.*this CPU has no AVX"):
        database.start()
    (tmp_path / "tools" / "mongod").unlink()
    database.start()
    assert database.kind == "secantusd-py"


def test_a_program_that_fails_on_old_data_leaves_the_data(tmp_path, monkeypatch, database):
    folder = database.data_dir / "db-mongod"
    folder.mkdir(parents=True)
    (folder / "precious").touch()
    fake_program(tmp_path / "tools", "mongod", "exit 3")
    monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}:{os.environ['PATH']}")
    with pytest.raises(ChildEnded):
        database.start()
    assert (folder / "precious").exists()
