"""Each answer carries the id that the log has beside its lines; what goes wrong under /api/ has one shape."""

import io
import logging
import re
from collections.abc import Iterator

import pytest
from django.test import Client

from benchmarks.tests.api_calls import Api, problem
from obt_site.access import Role
from obt_site.logs import TextFormatter

pytestmark = pytest.mark.django_db


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the server writes while a test runs, as it writes it."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(TextFormatter())
    logging.getLogger("django.request").addHandler(handler)
    yield written
    logging.getLogger("django.request").removeHandler(handler)


def test_what_broke_is_in_the_log_under_the_id_that_was_answered(database, log, monkeypatch):
    monkeypatch.setattr("benchmarks.api.clients.shapes", lambda found: 1 / 0)

    body = problem(Api().get("clients"), 500)

    line = next(line for line in log.getvalue().splitlines() if "Internal Server Error" in line)
    assert f"[{body['request_id']}]" in line
    assert "ZeroDivisionError" not in str(body)


def test_two_answers_never_have_the_same_id(database):
    ids = {Api().get("clients")["X-Request-ID"] for _ in range(5)}

    assert len(ids) == 5
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in ids)


def test_an_id_that_comes_with_a_request_is_not_taken_over(database):
    answer = Client().get("/api/v1/clients", headers={"X-Request-ID": "forged"})

    assert answer["X-Request-ID"] != "forged"


@pytest.mark.parametrize(
    "path", ["/api/", "/api/v1/", "/api/v1/nope", "/api/v2/clients", "/api/v1/clients/x/y", "/api/v1/agent/nope"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_what_is_not_there_is_a_problem_for_everybody(database, path, method):
    for headers in ({}, Api(Role.ADMIN).headers):
        problem(Client().generic(method, path, headers=headers), 404)


@pytest.mark.parametrize("path", ["clients", "results", "openapi.json", "docs", "sessions", "agent/sync"])
@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS"])
def test_a_method_that_an_address_does_not_take_is_a_problem_with_those_it_takes(database, path, method):
    answer = Client().generic(method, f"/api/v1/{path}")

    if answer.status_code == 405:
        assert answer["Allow"]
        assert method not in answer["Allow"].split(", ")
        assert answer["Content-Type"] == "application/problem+json"
    else:
        assert answer.status_code in (302, 401), answer.status_code  # HEAD, where it is read
