"""How long a connection may take, against a real daphne with little patience, by raw sockets."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from agents.tests.agent_calls import Machine
from benchmarks.tests import world
from conftest import emptied
from obt_site.tests.raw_http import connect, drip, problem, read_to_end
from obt_site.tests.server import RunningServer

BEGIN = b"POST /api/v1/agent/register HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
POST = BEGIN + b"Content-Length: %d\r\n"


@pytest.fixture(scope="module")
def server(database_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    uri = emptied(urlsplit(database_uri)._replace(path="/impatient").geturl())
    folder: Path = tmp_path_factory.mktemp("impatient")
    with RunningServer(uri, folder, DJANGO_SETTINGS_MODULE="obt_site.tests.impatient") as running:
        yield running


def test_a_head_that_comes_in_drips_is_ended(server):
    with connect(server) as line:
        line.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        answer = drip(line, b"X-Drip: 1\r\n")

    assert problem(answer)["http"] == 408
    assert "did not arrive in time" in problem(answer)["detail"]


def test_a_first_line_that_comes_in_drips_is_ended(server):
    with connect(server) as line:
        answer = drip(line, b"G")

    assert problem(answer)["http"] == 408


def test_a_connection_that_says_nothing_is_closed_without_a_word(server):
    with connect(server) as line:
        assert read_to_end(line) == b""


def test_a_body_that_falls_silent_is_ended(server):
    with connect(server) as line:
        line.sendall(POST % 1000 + b"\r\n{")
        answer = read_to_end(line)

    assert problem(answer)["http"] == 408


def test_a_body_that_comes_in_drips_is_ended_though_it_never_falls_silent(server):
    with connect(server) as line:
        line.sendall(POST % 100_000 + b"\r\n{")
        answer = drip(line, b" ")

    assert problem(answer)["http"] == 408


def test_chunks_in_drips_are_ended_too(server):
    with connect(server) as line:
        line.sendall(BEGIN + b"Transfer-Encoding: chunked\r\n\r\n")
        answer = drip(line, b"1\r\n \r\n")

    assert problem(answer)["http"] == 408


def test_a_body_that_goes_on_at_a_fair_pace_is_taken_however_long_it_takes(server):
    body = b'{"token": "' + b"x" * 100 + b'"}'
    body += b" " * (6000 - len(body))
    with connect(server) as line:
        line.sendall(POST % len(body) + b"Connection: close\r\n\r\n")
        for start in range(0, len(body), 300):  # slower in all than the grace, faster than the least pace
            line.sendall(body[start : start + 300])
            time.sleep(0.2)
        answer = read_to_end(line)

    assert problem(answer)["http"] == 400  # read whole, and found wanting
    assert "hostname" in problem(answer)["detail"]


def test_an_idle_connection_is_closed_after_its_last_answer(server):
    with connect(server) as line:
        line.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        answer = read_to_end(line)

    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"HTTP/1.1") == 1


def test_a_second_request_has_a_deadline_of_its_own(server):
    with connect(server) as line:
        line.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 200")
        answer = drip(line, b"G")

    assert problem(answer)["http"] == 408


def test_an_answer_that_takes_long_is_waited_for(server):
    """A poll that is held is nobody's slowness: patience is for what has to come in."""
    answer = Machine(server, "patient").sync(world.sync_request(hold_s=4.0))

    assert answer.status_code == 200


def test_whoever_does_not_read_is_cut_off(server):
    """Requests without end whose answers nobody takes: the server stops reading, then gives up."""
    request = b"GET /static/vendor/uplot.min.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with connect(server) as line:
        line.setblocking(False)
        with pytest.raises(ConnectionError):  # noqa: PT012  (how much fits before is the system's affair)
            for _ in range(400):
                with contextlib.suppress(BlockingIOError):
                    line.send(request * 50)
                time.sleep(0.1)
