"""/setup: the one-use link that makes the first administrator."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from obt_site.accounts import setup
from obt_site.tests.people import PASSWORD, by_id, tags, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def token(database):
    link = setup.link("http://testserver")
    return link.split("token=")[1]


def test_the_link_asks_for_a_name_and_a_password(token):
    page = Client().get(f"/setup?token={token}")

    assert page.status_code == 200
    assert {"token", "username", "password"} <= {tag.get("name") for tag in tags(page, "input")}


def test_it_makes_an_administrator_who_is_signed_in_and_sees_the_fleet(token):
    browser = Client()

    answer = browser.post("/setup", {"token": token, "username": "jo", "password": PASSWORD})

    assert answer.url == "/fleet"
    assert get_user_model().objects.get(username="jo").is_superuser
    assert "Measure your first machine" in words(browser.get("/fleet"))


def test_it_works_once(token):
    Client().post("/setup", {"token": token, "username": "jo", "password": PASSWORD})

    answer = Client().post("/setup", {"token": token, "username": "eve", "password": PASSWORD})

    assert answer.url == "/sign-in"
    assert get_user_model().objects.count() == 1


def test_a_wrong_token_is_refused_with_what_to_do_and_makes_nobody(token):
    page = Client().post("/setup", {"token": "x" * 32, "username": "eve", "password": PASSWORD})

    assert page.status_code == 403
    assert "make up" in words(page)
    assert not get_user_model().objects.exists()


def test_what_was_typed_stays_and_the_problem_stands_beside_its_field(token):
    page = Client().post("/setup", {"token": token, "username": "jo", "password": "123"})

    assert page.status_code == 422
    assert by_id(page, "username")["value"] == "jo"
    assert by_id(page, "password")["aria-invalid"] == "true"
    assert "value" not in by_id(page, "password")
    assert "too short" in words(page)


def test_an_impossible_name_is_said_beside_the_name(token):
    page = Client().post("/setup", {"token": token, "username": "a b<script>", "password": PASSWORD})

    assert by_id(page, "username-e")["class"] == "err"
    assert "letters, digits" in words(page)


def test_the_form_needs_its_csrf_token(token):
    answer = Client(enforce_csrf_checks=True).post("/setup", {"token": token, "username": "jo", "password": PASSWORD})

    assert answer.status_code == 403
    assert not get_user_model().objects.exists()
