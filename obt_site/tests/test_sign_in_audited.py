"""/sign-in, as it is written down: who, from where, and never what was typed."""

import pytest
from django.test import Client

from obt_site import actor
from obt_site.access import Role
from obt_site.audit import AuditEntry
from obt_site.tests.people import PASSWORD, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def jo(database):
    return person("jo", Role.VIEWER)


def entry():
    (found,) = AuditEntry.objects
    return found


def test_a_good_sign_in_says_who_and_from_where(jo):
    Client().post("/sign-in", {"username": "jo", "password": PASSWORD}, REMOTE_ADDR="192.0.2.7")

    found = entry()
    assert (found.action, found.actor_kind, found.actor_name) == ("person.sign_in", actor.PERSON, "jo")
    assert (found.actor_id, found.about_id, found.address) == (str(jo.pk), str(jo.pk), "192.0.2.7")


def test_a_wrong_password_says_whose_and_from_where_and_not_what_was_typed(jo):
    Client().post("/sign-in", {"username": "jo", "password": "hunter2-typed"}, REMOTE_ADDR="192.0.2.7")

    found = entry()
    assert (found.action, found.actor_kind, found.about_name) == ("person.sign_in_refused", actor.STRANGER, "jo")
    assert found.address == "192.0.2.7"
    assert "hunter2" not in found.to_json()


def test_a_name_that_nobody_has_is_not_written_down_because_it_may_be_a_password(jo):
    Client().post("/sign-in", {"username": "hunter2-typed", "password": "x"})

    assert entry().action == "person.sign_in_refused"
    assert "hunter2" not in entry().to_json()


def test_someone_whose_account_is_out_of_use_is_refused(jo):
    jo.is_active = False
    jo.save()

    answer = Client().post("/sign-in", {"username": "jo", "password": PASSWORD})

    assert answer.status_code == 422
    assert entry().action == "person.sign_in_refused"


@pytest.mark.parametrize("name", ["jo\0", "\0", "x" * 5000])
def test_a_name_that_cannot_be_one_is_refused_like_others(jo, name):
    assert Client().post("/sign-in", {"username": name, "password": "x"}).status_code == 422
