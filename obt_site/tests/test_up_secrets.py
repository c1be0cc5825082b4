"""Secrets of a running OBT: in no process list, no log, no page, no terminal, and only where they are needed."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import requests

from obt_site import env
from obt_site.tests.up_process import starting

KEY, PASSWORD = "key-that-nobody-may-see-" * 3, "password-that-nobody-may-see"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """One `up` that is given its secrets by files, beside a plain one in the environment."""
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "key").write_text(KEY + "\n")
    (folder / "password").write_text(PASSWORD + "\n")
    given = {"OBT_SECRET_KEY_FILE": str(folder / "key"), "OBT_ADMIN_PASSWORD_FILE": str(folder / "password")}
    with starting(folder / "data") as start:
        yield start(OBT_ADMIN_USERNAME="ada", OBT_LOG_LEVEL="DEBUG", **given).ready()


def family(running) -> list[psutil.Process]:
    top = psutil.Process(running.process.pid)
    return [top, *top.children(recursive=True)]


def environment_of(process: psutil.Process) -> dict[str, str]:
    return process.environ()


def enrolment_token(running) -> str:
    return environment_of(running.parts()["agent"])["OBT_ENROL_TOKEN"]


def secrets_of(running) -> list[str]:
    credential = (running.data_dir / "agent" / "credential.json").read_text()
    return [KEY, PASSWORD, enrolment_token(running), credential.split('"credential": "')[1].split('"')[0]]


def test_it_started_with_them_and_the_administrator_can_sign_in(running):
    with requests.Session() as browser:
        url = f"http://127.0.0.1:{running.port}/sign-in"
        token = browser.get(url, timeout=30).text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
        form = {"username": "ada", "password": PASSWORD, "csrfmiddlewaretoken": token}

        assert browser.post(url, form, timeout=30, allow_redirects=False).status_code == 302


def test_no_command_line_of_any_part_shows_one(running):
    lines = [" ".join(process.cmdline()) for process in family(running)]

    assert len(lines) >= 5
    assert [line for line in lines for secret in secrets_of(running) if secret in line] == []


def test_no_log_and_no_terminal_shows_one(running):
    logs = {file.name: file.read_text(errors="replace") for file in (running.data_dir / "logs").iterdir()}

    assert {"server.log", "agent.log", "database.log"} <= set(logs)
    assert [name for name, text in logs.items() for secret in secrets_of(running) if secret in text] == []
    assert [secret for secret in secrets_of(running) if secret in running.output] == []


def test_agent_simulator_and_database_are_not_even_told_where_they_are(running):
    for name in ("agent", "simulator", "database"):
        told = environment_of(running.parts()[name])
        assert [each for each in told if each.startswith(("OBT_SECRET_KEY", "OBT_ADMIN_PASSWORD"))] == []


def test_the_files_with_secrets_are_their_owners_only(running):
    kept = [running.data_dir / "agent" / "credential.json", running.data_dir / "django.sqlite3"]

    assert [file for file in kept if file.stat().st_mode & 0o077] == []


def test_no_page_for_strangers_shows_one(running):
    for path in ("/sign-in", "/health/live", "/health/ready", "/nope", "/setup", "/api/v1/nope"):
        text = requests.get(f"http://127.0.0.1:{running.port}{path}", timeout=30).text
        assert [secret for secret in secrets_of(running) if secret in text] == []


def test_a_secret_of_both_kinds_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "key").write_text(KEY)
    with starting(tmp_path / "data") as start:
        refused = start(OBT_SECRET_KEY=KEY, OBT_SECRET_KEY_FILE=str(tmp_path / "key"))
        assert refused.ends() == 2
    assert "OBT_SECRET_KEY and OBT_SECRET_KEY_FILE are both set" in refused.output
    assert KEY not in refused.output
    assert not Path(refused.data_dir).exists()


def test_a_command_that_cannot_work_leaves_no_data_folder(tmp_path):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OBT_", "DATABASE_URL"))}
    done = subprocess.run(
        [sys.executable, "manage.py", "api_token", "create", "dashboard", "--role", "viewer"],
        cwd=env.ROOT,
        env={**clean, "OBT_DATA_DIR": str(tmp_path / "data"), "OBT_NO_VENV": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "make up" in done.stderr
    assert not (tmp_path / "data").exists()
