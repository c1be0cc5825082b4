"""/settings/people: who there is, and adding somebody by a link that is shown once."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from obt_site.access import Role, role_of
from obt_site.accounts import people
from obt_site.audit import AuditEntry
from obt_site.tests.people import PASSWORD, by_id, links, person, signed_in, tags, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(database):
    return signed_in(Role.ADMIN, "ann")


def add(browser, name="bo", role="operator"):
    return browser.post("/settings/people", {"username": name, "role": role})


def link_in(page):
    """The one-use link that the page shows."""
    return re.search(r"/password\?token=[^\s\"<]+", words(page))[0]


def test_it_lists_everybody_with_role_and_state(admin):
    person("bo", Role.OPERATOR)
    gone = person("cy", Role.VIEWER)
    gone.is_active = False
    gone.save()

    page = admin.get("/settings/people")

    shown = words(page)
    assert re.search(r"ann you admin", shown)
    assert re.search(r"bo operator .*in use", shown)
    assert re.search(r"cy viewer .*out of use", shown)
    assert f"/settings/people/{gone.pk}" in links(page)


def test_adding_somebody_shows_a_link_by_which_they_choose_a_password(admin):
    page = add(admin)

    newcomer = Client()
    answer = newcomer.post("/password", {"token": link_in(page).split("=")[1], "password": PASSWORD})

    assert answer.url == "/"
    assert newcomer.get("/fleet").status_code == 200
    assert role_of(get_user_model().objects.get(username="bo")) is Role.OPERATOR


def test_the_link_is_shown_once_and_stored_nowhere(admin):
    link = link_in(add(admin))

    assert link not in words(admin.get("/settings/people"))
    assert link.split("=")[1] not in " ".join(each.to_json() for each in AuditEntry.objects)


def test_nobody_can_sign_in_before_a_password_was_chosen(admin):
    add(admin)

    assert "has to choose a password" in words(admin.get("/settings/people"))
    assert Client().post("/sign-in", {"username": "bo", "password": ""}).status_code == 422
    assert Client().post("/sign-in", {"username": "bo", "password": "!"}).status_code == 422


@pytest.mark.parametrize("taken", ["ann", "ANN", " Ann "])
def test_a_name_that_is_taken_is_said_beside_it_however_it_is_written(admin, taken):
    page = add(admin, taken)

    assert page.status_code == 422
    assert "has this name already" in words(page)
    assert by_id(page, "username")["value"] == taken
    assert get_user_model().objects.count() == 1


@pytest.mark.parametrize("name", ["", "a b", "x<script>", "x" * 151, "a\0b"])
def test_a_name_that_cannot_be_one_is_said_beside_it(admin, name):
    page = add(admin, name)

    assert page.status_code == 422
    assert by_id(page, "username-e") is not None
    assert get_user_model().objects.count() == 1


@pytest.mark.parametrize("role", ["", "root", "ADMIN"])
def test_a_role_that_is_none_adds_nobody(admin, role):
    page = add(admin, role=role)

    assert page.status_code == 422
    assert "Choose a role" in words(page)
    assert get_user_model().objects.count() == 1


def test_the_chosen_role_stays_chosen_when_the_name_is_refused(admin):
    chosen = [tag["value"] for tag in tags(add(admin, "ann", "operator"), "input") if "checked" in tag]

    assert chosen == ["operator"]


def test_an_administrator_who_is_added_also_opens_djangos_administration(admin):
    page = add(admin, role="admin")
    newcomer = Client()
    newcomer.post("/password", {"token": link_in(page).split("=")[1], "password": PASSWORD})

    assert newcomer.get("/admin/").status_code == 200
    assert newcomer.get("/settings/people").status_code == 200


def test_adding_is_written_down(admin):
    add(admin)

    entry = AuditEntry.objects.get(action="person.add")
    assert (entry.actor_name, entry.about_name, entry.after) == ("ann", "bo", {"role": "operator"})


def test_many_people_cost_no_more_questions_than_few(admin, django_assert_max_num_queries):
    for number in range(12):
        people.set_role(person(f"p{number}", None), Role.VIEWER)

    with django_assert_max_num_queries(12):
        assert admin.get("/settings/people").status_code == 200


def test_it_is_for_administrators(database):
    assert signed_in(Role.OPERATOR).get("/settings/people").status_code == 403
    assert Client().get("/settings/people").url == "/sign-in?next=/settings/people"
