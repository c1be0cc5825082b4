"""/sign-in: name and password, then back to where the person wanted to go."""

import pytest
from django.test import Client

from obt_site.access import Role
from obt_site.accounts import setup
from obt_site.tests.people import PASSWORD, by_id, person, signed_in, words

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _database(database):
    """Every page asks the database what runs."""


def test_a_stranger_is_sent_to_sign_in_and_then_where_they_wanted_to_go():
    person("jo", Role.VIEWER)
    browser = Client()

    asked = browser.get("/models?q=llama")
    answer = browser.post("/sign-in", {"username": "jo", "password": PASSWORD, "next": "/models?q=llama"})

    assert asked.url == "/sign-in?next=/models%3Fq%3Dllama"
    assert answer.url == "/models?q=llama"


def test_without_a_place_to_go_it_leads_to_the_fleet():
    person("jo", Role.VIEWER)

    assert Client().post("/sign-in", {"username": "jo", "password": PASSWORD}).url == "/fleet"


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_it_leads_to_no_other_site(elsewhere):
    person("jo", Role.VIEWER)

    answer = Client().post("/sign-in", {"username": "jo", "password": PASSWORD, "next": elsewhere})

    assert answer.url == "/fleet"


def test_a_wrong_password_keeps_the_name_and_says_so_beside_the_field():
    person("jo", Role.VIEWER)

    page = Client().post("/sign-in", {"username": "jo", "password": "wrong"})

    assert page.status_code == 422
    assert by_id(page, "username")["value"] == "jo"
    assert "do not go together" in words(page)


def test_an_unknown_name_reads_the_same_as_a_wrong_password():
    person("jo", Role.VIEWER)

    unknown = Client().post("/sign-in", {"username": "nobody", "password": "wrong"})

    assert "do not go together" in words(unknown)


def test_it_says_where_the_set_up_link_is_while_there_is_nobody():
    assert "set-up link" in words(Client().get("/sign-in"))

    setup.create_administrator("jo", PASSWORD)

    assert "set-up link" not in words(Client().get("/sign-in"))


def test_who_is_signed_in_already_goes_on():
    assert signed_in().get("/sign-in").url == "/fleet"


def test_someone_without_a_role_is_told_so():
    page = signed_in(role=None).get("/fleet")

    assert page.status_code == 403
    assert "role" in words(page)
