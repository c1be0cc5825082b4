"""The way in for agents: what holds for every request holds there too, and held polls hold no thread."""

import threading

import psutil
import requests

from agents.tests.agent_calls import Machine
from benchmarks.tests import world
from obt_site.middleware import HEADERS

POLLS = 12


def test_answers_have_the_strict_headers_and_an_id(server):
    answer = Machine(server).sync(world.sync_request())

    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert answer.headers["X-Request-ID"]
    assert answer.headers["Cache-Control"] == "no-store, private"
    assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_a_path_that_is_none_is_a_404_in_the_one_shape(server):
    answer = requests.post(f"{server.url}/api/v1/agent/nothing", json={}, timeout=30)

    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:obt:error:not_found"


def test_a_request_for_a_server_of_another_name_is_refused(server):
    answer = requests.post(
        f"{server.url}/api/v1/agent/sync", json={}, headers={"Host": "elsewhere.example"}, timeout=30
    )

    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:obt:error:malformed"


def test_a_browser_s_cookies_mean_nothing_there(server):
    answer = requests.post(
        f"{server.url}/api/v1/agent/sync", json={}, cookies={"obt_session_8881": "x", "sessionid": "x"}, timeout=30
    )

    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers


def test_held_polls_hold_no_thread(server):
    machines = [Machine(server, f"forge-{i}") for i in range(POLLS)]
    for machine in machines:
        machine.sync(world.sync_request())
    before = psutil.Process(server.process.pid).num_threads()
    polls = [
        threading.Thread(target=machine.sync, args=(world.sync_request(hold_s=3.0),), daemon=True)
        for machine in machines
    ]
    for poll in polls:
        poll.start()
    most = before
    while any(poll.is_alive() for poll in polls):
        most = max(most, psutil.Process(server.process.pid).num_threads())
        polls[0].join(0.05)

    assert most - before < POLLS
