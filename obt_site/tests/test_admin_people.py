"""People and roles in Django's admin: changes are written down with before and after, and never a password."""

import pytest
from django.contrib.auth.models import Group, User

from obt_site.accounts import setup
from obt_site.audit import AuditEntry
from obt_site.tests.people import person, words
from obt_site.tests.test_admin_documents import browser_of_superuser

pytestmark = [pytest.mark.django_db]


@pytest.fixture
def root(database):
    return browser_of_superuser()


@pytest.fixture
def post(root, django_capture_on_commit_callbacks):
    def send(address, values):
        with django_capture_on_commit_callbacks(execute=True):
            answer = root.post(address, values)
        assert answer.status_code == 302, words(answer)

    return send


def form(user, **changes):
    values = {"username": user.username, "is_active": "on", "date_joined_0": "2026-01-31", "date_joined_1": "12:00:00"}
    return {**values, **changes}


def only(action):
    (entry,) = AuditEntry.objects(action=action)
    return entry


def test_a_person_who_is_added_is_written_down_without_the_password(post):
    post(
        "/admin/auth/user/add/",
        {"username": "jo", "usable_password": "true", "password1": "a-long-one-7", "password2": "a-long-one-7"},
    )

    entry = only("person.create")
    assert (entry.actor_name, entry.about_name, entry.after["username"]) == ("root", "jo", "jo")
    assert "a-long-one-7" not in str(entry.to_mongo())
    assert "pbkdf2" not in str(entry.to_mongo())


def test_another_role_is_written_down_with_before_and_after(post):
    setup.ensure_roles()
    jo = person("jo", None)
    operator = Group.objects.get(name="operator")

    post(f"/admin/auth/user/{jo.pk}/change/", form(jo, groups=[operator.pk]))

    assert (only("person.edit").before, only("person.edit").after) == ({"roles": []}, {"roles": ["operator"]})


def test_saving_without_a_change_writes_nothing(post):
    jo = person("jo", None)

    post(f"/admin/auth/user/{jo.pk}/change/", form(jo))

    assert AuditEntry.objects(action__startswith="person").count() == 0


def test_a_password_that_an_administrator_sets_is_only_said_to_be_another(post):
    jo = person("jo", None)

    post(
        f"/admin/auth/user/{jo.pk}/password/",
        {"usable_password": "true", "password1": "a-long-one-7", "password2": "a-long-one-7"},
    )

    assert only("person.password").words == "jo was given another password"
    assert "a-long-one-7" not in str(only("person.password").to_mongo())
    assert User.objects.get(pk=jo.pk).check_password("a-long-one-7")


def test_a_person_who_is_removed_is_written_down_by_name(post):
    jo = person("jo", None)

    post(f"/admin/auth/user/{jo.pk}/delete/", {"post": "yes"})

    assert only("person.remove").before["username"] == "jo"


def test_several_removed_at_once_are_an_entry_each(post):
    people = [person(name, None) for name in ("jo", "al")]

    post(
        "/admin/auth/user/",
        {"action": "delete_selected", "_selected_action": [each.pk for each in people], "post": "yes"},
    )

    assert {entry.about_name for entry in AuditEntry.objects(action="person.remove")} == {"jo", "al"}


def test_a_role_that_is_added_is_written_down(post):
    post("/admin/auth/group/add/", {"name": "guests"})

    assert only("group.create").after == {"name": "guests"}


def test_the_admins_own_way_in_and_password_page_lead_to_the_products(root, client):
    assert client.get("/admin/login/?next=/admin/").headers["Location"].startswith("/sign-in?next=")
    assert root.get("/admin/password_change/").headers["Location"] == "/settings"
