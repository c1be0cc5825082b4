"""/settings/tokens: one's own tokens, shown once, ended with a click; everybody's for administrators."""

import re

import pytest
from django.test import Client

from obt_site.access import Role
from obt_site.errors import Unauthenticated
from obt_site.tests.people import by_id, links, person, signed_in, tags, words
from obt_site.tokens import ApiToken, create_token, token_holder

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("database")]


def make(browser, **fields):
    return browser.post("/settings/tokens", {"name": "dashboard", "role": "viewer", "days": "90", **fields})


def text_of(page):
    return re.search(r"obtu_[0-9a-f]{8}_[\w-]{20,}", words(page))[0]


def test_a_person_without_tokens_sees_how_to_make_one():
    page = signed_in().get("/settings/tokens")

    assert "None works at the moment." in words(page)
    assert "/settings/tokens" in links(signed_in(name="al").get("/settings"))


def test_a_new_token_is_shown_once_with_a_line_to_try_it():
    browser = signed_in()

    page = make(browser)
    text = text_of(page)

    assert token_holder(text).role is Role.VIEWER
    assert f"curl -H 'Authorization: Bearer {text}' http://testserver/api/v1/clients" in words(page)
    assert page["Cache-Control"].find("no-store") >= 0
    assert text not in browser.get("/settings/tokens").content.decode()


@pytest.mark.parametrize("role", list(Role))
def test_only_roles_up_to_ones_own_are_offered_and_taken(role):
    browser = signed_in(role)
    offered = [tag["value"] for tag in tags(browser.get("/settings/tokens"), "input") if tag.get("name") == "role"]
    refused = [each for each in Role if each > role and make(browser, role=each.word).status_code == 403]

    assert offered == [each.word for each in Role if each <= role]
    assert refused == [each for each in Role if each > role]
    assert ApiToken.objects.count() == 0


@pytest.mark.parametrize("wrong", [{"name": " "}, {"name": "x" * 101}, {"role": "root"}, {"days": "8"}])
def test_what_is_wrong_is_said_beside_the_field_and_what_was_typed_stays(wrong):
    page = make(signed_in(), **wrong)

    assert page.status_code == 422
    assert by_id(page, "token-e") is not None
    assert by_id(page, "token-name")["value"] == {"name": "dashboard", **wrong}["name"]
    assert ApiToken.objects.count() == 0


def test_a_revoked_token_opens_nothing_and_is_said_to_work_no_more():
    browser = signed_in()
    text = text_of(make(browser))

    page = browser.post(f"/settings/tokens/{text.split('_')[1]}/revoke", follow=True)

    assert "The token “dashboard” works no more." in words(page)
    assert "1 that work no more" in words(page)
    with pytest.raises(Unauthenticated):
        token_holder(text)


def test_people_see_and_end_their_own_and_administrators_everybodys():
    of_ann = create_token("of ann", Role.VIEWER, person("ann2", Role.VIEWER))
    create_token("of nobody", Role.VIEWER)
    jo, ann = signed_in(), signed_in(Role.ADMIN, "ann")
    make(jo, name="of jo")

    assert "of ann" not in words(jo.get("/settings/tokens"))
    assert "of nobody" not in words(jo.get("/settings/tokens"))
    assert all(name in words(ann.get("/settings/tokens")) for name in ("of ann", "of jo", "of nobody", "ann2"))
    refused = jo.post(f"/settings/tokens/{of_ann.split('_')[1]}/revoke", follow=True)
    assert "There is no such token" in words(refused)
    assert token_holder(of_ann)


def test_a_stranger_is_sent_to_sign_in():
    assert Client().get("/settings/tokens").url == "/sign-in?next=/settings/tokens"
    assert Client().post("/settings/tokens", {"name": "a"}).status_code == 302
    assert ApiToken.objects.count() == 0
