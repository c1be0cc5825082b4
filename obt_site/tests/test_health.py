"""GET /health/live and /health/ready: for proxies and `up`, without signing in."""

import pytest
from django.test import Client

from obt_site import mongo

pytestmark = pytest.mark.django_db


def test_the_process_lives_even_without_a_database():
    mongo.connect(mongo.NOWHERE)

    response = Client().get("/health/live")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_it_is_ready_when_the_database_answers(database):
    response = Client().get("/health/ready")

    assert (response.status_code, response.json()) == (200, {"status": "ok", "database": "ok"})


def test_it_is_not_ready_when_the_database_is_away():
    mongo.connect(mongo.NOWHERE)

    response = Client().get("/health/ready")

    assert (response.status_code, response.json()["status"]) == (503, "unavailable")


def test_it_tells_a_stranger_nothing_else(database):
    assert set(Client().get("/health/live").json()) == {"status"}
    assert set(Client().get("/health/ready").json()) == {"status", "database"}
