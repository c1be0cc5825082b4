"""/password: a one-use link, good for a day, by which somebody chooses a password."""

from datetime import timedelta

import pytest
from django.contrib.auth.tokens import default_token_generator
from django.test import Client

from obt_site.access import Role
from obt_site.accounts import links, people
from obt_site.audit import AuditEntry
from obt_site.errors import Conflict, Forbidden
from obt_site.tests.people import PASSWORD, by_id, person, words

pytestmark = pytest.mark.django_db
GOOD = "another good horse 12"


@pytest.fixture
def bo(database):
    return person("bo", Role.OPERATOR)


def choose(secret, password=GOOD, browser=None):
    return (browser or Client()).post("/password", {"token": secret, "password": password})


def test_it_says_whose_password_is_chosen_and_looking_does_not_use_it_up(bo):
    secret = links.make(bo)

    for _ in range(2):
        page = Client().get(f"/password?token={secret}")
        assert page.status_code == 200
        assert "For bo" in words(page)


def test_choosing_signs_in_and_is_written_down(bo):
    browser = Client()

    assert choose(links.make(bo), browser=browser).url == "/"

    assert browser.get("/sessions/new").status_code == 200
    assert Client().post("/sign-in", {"username": "bo", "password": GOOD}).status_code == 302
    assert AuditEntry.objects.get(action="person.password").actor_name == "bo"
    assert GOOD not in " ".join(entry.to_json() for entry in AuditEntry.objects)


def test_it_works_once(bo):
    secret = links.make(bo)
    choose(secret)

    page = choose(secret, "a third good horse 13")

    assert page.status_code == 403
    assert "used already" in words(page)
    assert Client().post("/sign-in", {"username": "bo", "password": GOOD}).status_code == 302


def test_of_two_who_use_it_at_once_one_is_too_late(bo, monkeypatch):
    secret = links.make(bo)
    problems = links.password_problems

    def overtaken(*arguments):
        monkeypatch.setattr(links, "password_problems", problems)
        links.use(secret, GOOD)  # the other one, just before this one stores
        return []

    monkeypatch.setattr(links, "password_problems", overtaken)

    with pytest.raises(Conflict, match="used already"):
        links.use(secret, "a third good horse 13")


def test_it_is_good_for_a_day(bo, monkeypatch):
    secret = links.make(bo)
    now = default_token_generator._now

    monkeypatch.setattr(default_token_generator, "_now", lambda: now() + timedelta(hours=23, minutes=59))
    assert links.owner(secret) == bo
    monkeypatch.setattr(default_token_generator, "_now", lambda: now() + timedelta(hours=24, minutes=1))
    with pytest.raises(Forbidden):
        links.owner(secret)


def test_a_newer_link_ends_the_older_one(bo):
    older, newer = links.make(bo), links.make(bo)

    assert choose(older).status_code == 403
    assert choose(newer).status_code == 302


def test_an_account_out_of_use_has_no_link(bo):
    person("ann", None)
    secret = links.make(bo)
    people.deactivate(bo)

    assert choose(secret).status_code == 403


def test_the_link_of_one_does_not_open_anothers_account(bo):
    other = person("cy", Role.ADMIN)
    token = links.make(bo).partition(".")[2]

    assert choose(f"{other.pk}.{token}").status_code == 403
    assert Client().post("/sign-in", {"username": "cy", "password": PASSWORD}).status_code == 302


@pytest.mark.parametrize(
    "secret",
    ["", ".", "1", "1.", "x.y", "1.x-y", "٣.a-b", "9" * 30 + ".a-b", "1.a-b" * 50, "1\0.a", "-1.a-b", "1e3.a-b"],
)
def test_what_is_no_link_is_refused_with_what_to_do(bo, secret):
    page = choose(secret)

    assert page.status_code == 403
    assert "Ask an administrator" in words(page)


def test_a_password_that_is_too_weak_is_said_beside_it_and_the_link_stays_good(bo):
    secret = links.make(bo)

    page = choose(secret, "12345678")

    assert page.status_code == 422
    assert by_id(page, "password")["aria-invalid"] == "true"
    assert "value" not in by_id(page, "password")
    assert choose(secret).status_code == 302


def test_the_form_needs_its_csrf_token(bo):
    secret = links.make(bo)

    assert choose(secret, browser=Client(enforce_csrf_checks=True)).status_code == 403
    assert choose(secret).status_code == 302


def test_the_page_sends_its_address_to_nobody_and_is_not_kept(bo):
    page = Client().get(f"/password?token={links.make(bo)}")

    assert page["Referrer-Policy"] == "same-origin"
    assert "no-store" in page["Cache-Control"]
