"""What `manage.py up` refuses: one sentence, an exit code that is not 0, nothing touched."""

import os
import re
import signal
import socket
import sqlite3
from pathlib import Path

import pymongo
import pytest

from obt_site import embedded, schema
from obt_site.tests.up_process import STOP_WITHIN_S, sentence, starting


@pytest.fixture
def up(tmp_path):
    with starting(tmp_path / "data") as start:
        yield start


def test_a_taken_port_names_who_has_it_and_another_and_leaves_no_folder(up, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = up(OBT_PORT=str(taken.getsockname()[1]))
        assert refused.ends() == 1
    said = sentence(refused.output)
    assert f"process {os.getpid()}" in said
    assert re.search(r"OBT_PORT=\d+ make up", said)
    assert not refused.data_dir.exists()


def test_a_data_folder_that_cannot_be_written_is_named(up, tmp_path):
    (tmp_path / "file").write_text("kept", encoding="utf-8")
    for data_dir in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/obt")):
        refused = up(data_dir=data_dir)
        assert refused.ends() == 1
        assert str(data_dir) in sentence(refused.output)
        assert "OBT_DATA_DIR" in refused.output
    assert (tmp_path / "file").read_text(encoding="utf-8") == "kept"


def test_a_redis_that_does_not_answer_is_said_before_anything_starts(up):
    refused = up("--no-agent", OBT_REDIS_URL=f"redis://:hunter2@127.0.0.1:{embedded.free_port()}/0")
    assert refused.ends() == 1
    assert "check OBT_REDIS_URL" in sentence(refused.output)
    assert "hunter2" not in refused.output


def test_a_second_one_on_the_same_folder_is_refused_and_the_first_goes_on(up):
    first = up("--no-agent").ready()
    second = up("--no-agent")
    assert second.ends() == 1
    assert f"process {first.process.pid}" in sentence(second.output)
    assert first.get("/health/ready") == 200
    assert first.interrupt() == 0


def test_one_started_while_the_other_stops_waits_for_it(up):
    first = up().ready()
    first.process.send_signal(signal.SIGINT)
    first.wait_for("Stopping")
    assert up("--no-agent", OBT_PORT=first.port).ready().interrupt() == 0
    assert first.ends(STOP_WITHIN_S) == 0


def test_two_instances_with_their_own_folder_and_port_run_side_by_side(up, tmp_path):
    first, second = up("--no-agent"), up("--no-agent", data_dir=tmp_path / "other")
    assert first.ready().get("/health/ready") == second.ready().get("/health/ready") == 200


def test_data_of_a_newer_version_is_refused_and_stays_as_it_is(up, tmp_path):
    data_dir = tmp_path / "data"
    up("--no-agent").ready().interrupt()
    with embedded.running(data_dir) as uri, pymongo.MongoClient(uri) as client:
        database = client.get_default_database()
        database.meta.update_one({"_id": "schema"}, {"$set": {"version": schema.VERSION + 1}})
        before = sorted(database.list_collection_names())
    refused = up("--no-agent")
    assert refused.ends() == 1
    assert f"schema {schema.VERSION + 1}" in sentence(refused.output)
    with embedded.running(data_dir) as uri, pymongo.MongoClient(uri) as client:
        database = client.get_default_database()
        assert database.meta.find_one({"_id": "schema"})["version"] == schema.VERSION + 1
        assert sorted(database.list_collection_names()) == before


def test_users_and_sign_ins_of_a_newer_version_are_refused_too(up, tmp_path):
    up("--no-agent").ready().interrupt()
    with sqlite3.connect(tmp_path / "data" / "django.sqlite3") as tables:
        tables.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('auth', '9999_later', '2099-01-01')")
    refused = up("--no-agent")
    assert refused.ends() == 1
    assert "newer OBT (auth.9999_later)" in sentence(refused.output)


def test_a_bad_variable_is_named_and_the_exit_code_is_two(up):
    refused = up(OBT_PORT="eighty")
    assert refused.ends() == 2
    assert sentence(refused.output).startswith("OBT_PORT")
    assert not refused.data_dir.exists()


def test_a_database_that_does_not_answer_is_named_without_its_password(up):
    refused = up(OBT_MONGODB_URI=f"mongodb://ada:hunter2@127.0.0.1:{embedded.free_port()}/obt")
    assert refused.ends() == 1
    assert "MongoDB at 127.0.0.1:" in sentence(refused.output)
    assert not re.search("hunter2|ada", refused.output)


def test_a_given_mongodb_is_used_and_not_stopped(up, tmp_path):
    with embedded.running(tmp_path / "elsewhere") as uri:
        running = up("--no-agent", OBT_MONGODB_URI=uri).ready()
        assert sorted(running.parts()) == ["server"]
        assert running.interrupt() == 0
        assert embedded.answers(uri)


@pytest.mark.parametrize(
    ("given", "need"),
    [
        ({}, "OBT_SECRET_KEY must be set, with 32 characters or more; OBT_ALLOWED_HOSTS"),
        ({"OBT_SECRET_KEY": "k" * 50, "OBT_ALLOWED_HOSTS": "bench.example", "OBT_DEBUG": "1"}, "OBT_DEBUG must be off"),
        ({"OBT_SECRET_KEY": "k" * 50, "OBT_ALLOWED_HOSTS": "bench.example"}, "OBT_ADMIN_USERNAME"),
    ],
)
def test_listening_for_others_without_what_makes_it_safe_is_refused(up, given, need):
    refused = up("--no-agent", OBT_HOST="0.0.0.0", **given)
    assert refused.ends() == 1
    assert need in sentence(refused.output)


def test_listening_for_others_works_with_all_of_it_and_the_local_agent_gets_through(up):
    given = {"OBT_SECRET_KEY": "k" * 50, "OBT_ALLOWED_HOSTS": "bench.example"}
    given |= {"OBT_ADMIN_USERNAME": "ada", "OBT_ADMIN_PASSWORD": "lovelace-1843"}
    running = up(OBT_HOST="0.0.0.0", **given).ready()
    assert "6 models" in running.output
    assert running.interrupt() == 0


def test_an_administrator_that_cannot_be_made_is_refused_with_the_reason(up):
    refused = up("--no-agent", OBT_ADMIN_USERNAME="ada", OBT_ADMIN_PASSWORD="123")
    assert refused.ends() == 1
    assert "too short" in sentence(refused.output)
