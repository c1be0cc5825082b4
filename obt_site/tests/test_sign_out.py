"""/sign-out: ends this browser's session."""

import pytest
from django.test import Client

from obt_site.tests.people import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _database(database):
    """Every page asks the database what runs."""


def test_it_ends_the_session_and_leads_to_sign_in():
    browser = signed_in()

    answer = browser.post("/sign-out")

    assert answer.url == "/sign-in"
    assert browser.get("/fleet").status_code == 302


def test_a_link_cannot_sign_anybody_out():
    browser = signed_in()

    assert browser.get("/sign-out").status_code == 405
    assert browser.get("/fleet").status_code == 200


def test_it_needs_its_csrf_token():
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = signed_in().cookies

    assert browser.post("/sign-out").status_code == 403
    assert browser.get("/fleet").status_code == 200
