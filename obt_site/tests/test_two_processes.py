"""Two server processes on one database, joined by a real Redis: what happens in one is known in the other at once."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from agents.tests.agent_calls import Machine
from benchmarks.tests import world
from conftest import emptied
from obt_site.access import Role
from obt_site.tests.redis_server import redis_url as redis_url
from obt_site.tests.server import RunningServer
from obt_site.tokens import create_token

HELD_S = 10.0


@pytest.fixture
def servers(database_uri: str, redis_url: str, tmp_path: Path) -> Iterator[tuple[RunningServer, RunningServer]]:
    uri = emptied(urlsplit(database_uri)._replace(path="/two").geturl())
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    with (
        RunningServer(uri, folders[0], OBT_REDIS_URL=redis_url) as one,
        RunningServer(uri, folders[1], OBT_REDIS_URL=redis_url) as two,
    ):
        yield one, two


def test_a_session_started_at_one_process_ends_a_poll_held_by_the_other(servers):
    one, two = servers
    forge = Machine(one)
    forge.sync(world.sync_request(models=[world.model("a:1")], models_hash="m1"))
    answers: list[requests.Response] = []
    poll = threading.Thread(target=lambda: answers.append(forge.sync(world.sync_request(hold_s=HELD_S))))
    poll.start()
    time.sleep(0.5)  # the poll must be waiting: there is nothing to await it by
    began = time.monotonic()

    made = requests.post(
        f"{two.url}/api/v1/sessions",
        json={"targets": [{"client": forge.client, "model": "a:1"}], "suite": "standard", "budget": "quick"},
        headers={"Authorization": f"Bearer {create_token('test', Role.OPERATOR)}"},
        timeout=30,
    )
    poll.join()

    assert made.status_code == 201, made.text
    assert len(answers[0].json()["jobs"]) == 1
    assert time.monotonic() - began < HELD_S / 2


def test_a_poll_that_went_to_one_process_is_answered_by_the_other_next_time(servers):
    one, two = servers
    forge = Machine(one)
    forge.sync(world.sync_request(models=[world.model("a:1")], models_hash="m1"))
    offer = world.running(world.verbs.find(forge.client), "a:1")
    forge.server = two

    assert forge.call("PUT", f"jobs/{offer.job}/result", world.body(offer)).status_code == 201
    assert forge.sync(world.sync_request()).status_code == 200
