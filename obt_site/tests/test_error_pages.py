"""Pages of what went wrong: in the look of all others, with the request id, and each says what to do."""

import re

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import AnonymousUser
from django.test import Client, RequestFactory

from obt_site import errors, mongo
from obt_site.access import Role
from obt_site.came_from import came_from
from obt_site.tests.people import links, person, signed_in, tags, words

pytestmark = pytest.mark.django_db

KINDS = {400: errors.Malformed, 403: errors.Forbidden, 404: errors.NotFound, 429: errors.TooMany,
         500: errors._Broken, 503: errors.Unavailable}  # fmt: skip


@pytest.fixture(autouse=True)
def _database(database):
    """Every page asks the database what runs."""


def request_for(path="/x", **headers):
    request = RequestFactory().get(path, headers=headers)
    request.user, request.request_id = AnonymousUser(), "0123456789abcdef"
    return request


@pytest.mark.parametrize(("status", "kind"), KINDS.items())
def test_each_says_what_happened_what_to_do_and_its_request_id(status, kind):
    page = errors.respond(request_for(), kind("Because of this."))

    shown = words(page)
    assert page.status_code == status
    for piece in (errors.TITLES[status], "Because of this.", errors.NEXT_STEPS[status], "0123456789abcdef"):
        assert piece in shown
    assert "/" in links(page)
    assert len(tags(page, "h1")) == 1


@pytest.mark.parametrize("status", errors.TRY_AGAIN)
def test_what_may_work_later_can_be_tried_again(status):
    assert "/results?q=x" in links(errors.respond(request_for("/results?q=x"), KINDS[status]("Later.")))


def test_an_address_that_is_none_leads_on():
    page = signed_in().get("/nothing/here")

    assert page.status_code == 404
    assert {"/", "/palette"} <= set(links(page))
    assert re.search(r"Request [0-9a-f]{16}", words(page))


def test_a_database_that_is_away_is_said_without_asking_it_again():
    browser = signed_in()
    mongo.connect(mongo.NOWHERE)

    page = browser.get("/fleet")

    assert page.status_code == 503
    assert "The database is away" in words(page)
    assert "Machines go on measuring" in words(page)


def test_a_defect_in_the_frame_of_every_page_still_gives_a_page(monkeypatch):
    monkeypatch.setattr("obt_site.context.role_of", lambda user: 1 / 0)

    page = errors.server_error(request_for())

    assert page.status_code == 500
    assert "Something broke" in words(page)


def test_htmx_gets_the_sentence_to_show():
    answer = signed_in().get("/sessions/ffffffffffffffffffffffff", headers={"HX-Request": "true"})

    assert answer.status_code == 404
    assert "no such session" in answer.json()["detail"]


def test_a_sign_in_that_ended_is_said_and_leads_back():
    browser = Client()
    browser.cookies[django_settings.SESSION_COOKIE_NAME] = "gone"

    page = browser.get(browser.get("/models?q=llama").url)

    assert "Your sign-in has ended" in words(page)
    assert {"type": "hidden", "name": "next", "value": "/models?q=llama"} in tags(page, "input")
    assert "has ended" not in words(Client().get("/sign-in?next=/models"))


def test_a_form_sent_after_the_sign_in_ended_leads_back_to_its_page_and_not_to_its_action():
    answer = Client().post("/sessions/x/cancel", headers={"Referer": "http://testserver/sessions/x?a=1"})

    assert answer.url == "/sign-in?next=/sessions/x%3Fa%3D1"


def test_htmx_without_a_sign_in_moves_the_whole_page():
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/models?q=x"}

    answer = Client().get("/palette?q=x", headers=headers)

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer["HX-Redirect"] == "/sign-in?next=/models%3Fq%3Dx"


@pytest.mark.parametrize("elsewhere", ["https://evil.example/x", "//evil.example", "javascript:alert(1)", ""])
def test_no_way_back_leads_to_another_site(elsewhere):
    assert came_from(request_for(Referer=elsewhere)) is None


def test_a_role_that_is_too_low_says_which_it_needs():
    browser = Client()
    browser.force_login(person("vi", Role.VIEWER))

    page = browser.get("/machines/add")

    assert page.status_code == 403
    assert "needs the role" in words(page)
