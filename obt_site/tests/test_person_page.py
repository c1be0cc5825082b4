"""/settings/people/<id>: role, account, password and browsers of one person."""

import re

import pytest
from django.test import Client

from obt_site.access import Role, role_of
from obt_site.accounts import people
from obt_site.audit import AuditEntry
from obt_site.errors import Conflict
from obt_site.tests.people import PASSWORD, person, signed_in, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(database):
    return signed_in(Role.ADMIN, "ann")


@pytest.fixture
def bo(database):
    return person("bo", Role.OPERATOR)


def post(browser, user, what, **sent):
    return browser.post(f"/settings/people/{user.pk}/{what}", sent)


def signed_in_as(user, agent="Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"):
    browser = Client(headers={"User-Agent": agent})
    assert browser.post("/sign-in", {"username": user.username, "password": PASSWORD}).status_code == 302
    return browser


def fresh(user):
    return type(user).objects.get(pk=user.pk)


# -- role ------------------------------------------------------------------------------------------------------------


def test_another_role_holds_from_the_next_click_on(admin, bo):
    theirs = signed_in_as(bo)

    assert post(admin, bo, "role", role="viewer").url == f"/settings/people/{bo.pk}"

    assert role_of(fresh(bo)) is Role.VIEWER
    assert theirs.get("/sessions/new").status_code == 403
    assert theirs.get("/fleet").status_code == 200


def test_an_administrator_who_is_one_no_longer_has_no_rights_left(admin, bo):
    post(admin, bo, "role", role="admin")
    assert fresh(bo).is_superuser

    post(admin, bo, "role", role="viewer")

    assert role_of(fresh(bo)) is Role.VIEWER
    assert not fresh(bo).is_superuser
    assert not fresh(bo).is_staff


def test_the_change_is_written_down_with_before_and_after(admin, bo):
    post(admin, bo, "role", role="viewer")

    entry = AuditEntry.objects.get(action="person.role")
    assert (entry.actor_name, entry.about_id) == ("ann", str(bo.pk))
    assert (entry.before, entry.after) == ({"role": "operator"}, {"role": "viewer"})


def test_the_same_role_again_is_no_change(admin, bo):
    post(admin, bo, "role", role="operator")

    assert not AuditEntry.objects(action="person.role")


def test_a_role_that_is_none_is_refused(admin, bo):
    assert post(admin, bo, "role", role="root").status_code == 422
    assert role_of(fresh(bo)) is Role.OPERATOR


# -- the last administrator ------------------------------------------------------------------------------------------


def test_the_last_administrator_keeps_the_role(admin):
    ann = people.find(int(admin.session["_auth_user_id"]))

    page = post(admin, ann, "role", role="viewer")

    assert page.status_code == 409
    assert "last administrator" in words(page)
    assert role_of(fresh(ann)) is Role.ADMIN


def test_with_two_administrators_one_may_go(admin, bo):
    ann = people.find(int(admin.session["_auth_user_id"]))
    people.set_role(bo, Role.ADMIN)

    post(admin, ann, "role", role="viewer")

    assert role_of(fresh(ann)) is Role.VIEWER
    with pytest.raises(Conflict, match="last administrator"):
        people.deactivate(fresh(bo))
    with pytest.raises(Conflict, match="last administrator"):
        people.reset_password(fresh(bo))


def test_someone_who_never_chose_a_password_is_no_administrator_to_rely_on(admin):
    ann = people.find(int(admin.session["_auth_user_id"]))
    people.add("cy", Role.ADMIN)

    assert post(admin, ann, "role", role="viewer").status_code == 409


# -- account ---------------------------------------------------------------------------------------------------------


def test_an_account_out_of_use_is_signed_out_everywhere_and_signs_in_no_more(admin, bo):
    theirs = signed_in_as(bo)

    post(admin, bo, "active", active="0")

    assert theirs.get("/fleet").url == "/sign-in?next=/fleet"
    assert Client().post("/sign-in", {"username": "bo", "password": PASSWORD}).status_code == 422
    assert AuditEntry.objects.get(action="person.deactivate").about_name == "bo"


def test_put_into_use_again_it_has_its_role_and_password(admin, bo):
    post(admin, bo, "active", active="0")
    assert "out of use" in words(admin.get(f"/settings/people/{bo.pk}"))

    post(admin, bo, "active", active="1")

    assert signed_in_as(bo).get("/sessions/new").status_code == 200
    assert AuditEntry.objects.get(action="person.activate").about_name == "bo"


def test_one_does_not_take_ones_own_account_out_of_use(admin, bo):
    people.set_role(bo, Role.ADMIN)
    ann = people.find(int(admin.session["_auth_user_id"]))

    page = post(admin, ann, "active", active="0")

    assert page.status_code == 409
    assert "your own account" in words(page)
    assert fresh(ann).is_active


# -- password --------------------------------------------------------------------------------------------------------


def test_a_password_that_is_taken_away_works_no_more_and_a_link_to_choose_another_is_shown(admin, bo):
    theirs = signed_in_as(bo)

    page = post(admin, bo, "password")

    token = re.search(r"/password\?token=([^\s\"<]+)", words(page))[1]
    assert theirs.get("/fleet").status_code == 302
    assert Client().post("/sign-in", {"username": "bo", "password": PASSWORD}).status_code == 422
    assert Client().post("/password", {"token": token, "password": "another good one 3"}).url == "/"
    entry = AuditEntry.objects.get(action="person.password_reset")
    assert entry.about_name == "bo"
    assert token not in entry.to_json()


def test_ones_own_password_is_changed_on_the_settings_page_and_not_here(admin, bo):
    people.set_role(bo, Role.ADMIN)
    ann = people.find(int(admin.session["_auth_user_id"]))

    assert post(admin, ann, "password").status_code == 409
    assert fresh(ann).has_usable_password()


def test_an_account_out_of_use_gets_no_link(admin, bo):
    post(admin, bo, "active", active="0")

    assert post(admin, bo, "password").status_code == 409


# -- browsers --------------------------------------------------------------------------------------------------------


def test_an_administrator_sees_and_ends_somebodys_browsers(admin, bo):
    theirs = signed_in_as(bo)
    page = admin.get(f"/settings/people/{bo.pk}")
    assert "Firefox on Linux" in words(page)
    assert theirs.session.session_key not in page.content.decode()

    post(admin, bo, "sessions/end")

    assert theirs.get("/fleet").status_code == 302
    entry = AuditEntry.objects.get(action="person.sign_out")
    assert (entry.actor_name, entry.about_name) == ("ann", "bo")


def test_somebody_who_is_not_there_is_not_found(admin):
    assert admin.get("/settings/people/999999").status_code == 404
    assert admin.post("/settings/people/999999/role", {"role": "admin"}).status_code == 404


def test_it_is_for_administrators(bo, database):
    browser = signed_in(Role.OPERATOR, "cy")

    for what in ("role", "active", "password", "sessions/end"):
        assert post(browser, bo, what, role="viewer", active="0").status_code == 403
    assert role_of(fresh(bo)) is Role.OPERATOR
