"""`manage.py up` as a person runs it: real processes on free ports and folders of their own."""

import json
import os
import re
import threading
import time

import psutil
import pymongo
import pytest

from obt_site import embedded
from obt_site.tests.up_process import STOP_WITHIN_S, all_gone, starting


@pytest.fixture
def up(tmp_path):
    with starting(tmp_path / "data") as start:
        yield start


# --- the good way ----------------------------------------------------------------------------------------------------


def test_it_starts_everything_says_so_in_one_block_and_stops_it_in_order(up):
    running = up().ready()
    assert running.get("/health/ready") == 200
    for row in (f"http://127.0.0.1:{running.port}/setup?token=", "6 models", "marked simulated", "GPUs", "Ctrl-C"):
        assert row in running.output
    assert str(running.data_dir) in running.output
    assert len(running.output.splitlines()) < 25
    parts = running.parts()
    assert sorted(parts) == ["agent", "database", "server", "simulator"]
    order = []
    watchers = [
        threading.Thread(target=lambda each=each, name=name: (all_gone([each]), order.append(name)))
        for name, each in parts.items()
    ]
    for watcher in watchers:
        watcher.start()
    assert running.interrupt() == 0
    assert running.output.rstrip().endswith("stopped")
    for watcher in watchers:
        watcher.join()
    assert order.index("agent") < order.index("server") < order.index("database")
    assert not list((running.data_dir / "run").glob("*.json"))


def test_a_second_start_is_warm_and_knows_the_same_machine(up):
    up().ready().interrupt()
    started = time.monotonic()
    again = up().ready()
    assert time.monotonic() - started < 20  # 8 s on a machine that does nothing else
    assert "not reported yet" not in again.output
    uri = embedded.running_uri(again.data_dir)
    with pymongo.MongoClient(uri) as client:
        assert client.get_default_database().clients.count_documents({}) == 1


def test_a_machine_that_was_removed_from_the_server_enrols_again(up):
    first = up().ready()
    with pymongo.MongoClient(embedded.running_uri(first.data_dir)) as client:
        client.get_default_database().clients.delete_many({})
    first.interrupt()
    assert "not reported yet" not in up().ready().output


def test_no_token_or_password_is_in_a_command_line(up):
    running = up(OBT_ADMIN_USERNAME="ada", OBT_ADMIN_PASSWORD="lovelace-1843").ready()
    for process in [psutil.Process(running.process.pid), *running.parts().values()]:
        assert not re.search(r"obte_|lovelace-1843", " ".join(process.cmdline()))
    assert "setup?token" not in running.output
    assert "lovelace-1843" not in running.output


def test_without_an_agent_there_is_no_simulator_either(up):
    running = up("--no-agent").ready()
    assert sorted(running.parts()) == ["database", "server"]
    assert "--no-agent" in running.output


def test_a_stop_while_it_starts_stops_what_was_started(up):
    running = up().wait_for("Starting the database")
    time.sleep(0.3)  # somewhere in the middle; any moment is a good one
    assert running.interrupt() == 0
    assert running.output.rstrip().endswith("stopped")
    assert running.data_dir.exists()
    assert up("--no-agent").ready().interrupt() == 0


def test_sigterm_passed_on_twice_at_once_is_one_request(up):
    running = up("--no-agent").ready()
    running.process.terminate()
    running.process.terminate()
    assert running.ends(STOP_WITHIN_S) == 0


# --- things die ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["agent", "server", "simulator", "database"])
def test_a_part_that_is_killed_is_named_the_rest_stops_and_the_next_start_works(up, name):
    running = up().ready()
    parts = running.parts()
    parts[name].kill()
    assert running.ends() == 1
    assert f"The {name} ended by itself (killed by SIGKILL)" in running.output
    assert "make up starts again" in running.output
    assert all_gone(list(parts.values()), 0)
    assert up("--no-agent").ready().interrupt() == 0


@pytest.mark.parametrize("tied_by", ["0", "1"])
def test_killed_itself_it_leaves_nothing_that_keeps_a_port_or_a_lock(up, tied_by):
    running = up(OBT_PARENT_PIPE=tied_by).ready()
    parts = list(running.parts().values())
    running.process.kill()
    running.process.wait()
    again = up(OBT_PORT=running.port).ready()  # at once, while the old parts may still be going
    assert all_gone(parts)
    assert again.interrupt() == 0


def test_everything_killed_at_once_starts_again_with_what_was_stored(up):
    running = up().ready()
    with pymongo.MongoClient(embedded.running_uri(running.data_dir)) as client:
        client.get_default_database().keepsakes.insert_one({"_id": "here"})
    for process in [running.process, *running.parts().values()]:
        process.kill()
    running.process.wait()
    again = up("--no-agent").ready()
    with pymongo.MongoClient(embedded.running_uri(again.data_dir)) as client:
        assert client.get_default_database().keepsakes.find_one() == {"_id": "here"}


def test_what_a_run_left_in_its_notes_never_ends_an_innocent_process(up, tmp_path):
    (tmp_path / "data" / "run").mkdir(parents=True)
    note = {"name": "agent", "processes": [{"pid": os.getpid(), "created": 1.0}]}
    (tmp_path / "data" / "run" / "agent.json").write_text(json.dumps(note), encoding="utf-8")
    assert up("--no-agent").ready().interrupt() == 0
