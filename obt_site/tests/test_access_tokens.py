"""User API tokens and roles: what is kept of a token, which ones open, who has which role."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.test import override_settings

from obt_site.access import ApiToken, Role, create_token, role_of, token_holder
from obt_site.clock import now
from obt_site.errors import Unauthenticated


def test_a_new_token_opens_as_what_it_was_made_for(database):
    holder = token_holder(create_token("dashboard", Role.OPERATOR, "jo"))

    assert (holder.name, holder.role, holder.user) == ("dashboard", "operator", "jo")


def test_only_a_keyed_hash_of_the_secret_is_kept(database):
    text = create_token("dashboard", Role.VIEWER)
    secret = text.split("_", 2)[2]

    stored = ApiToken.objects.first().to_mongo().to_dict()

    assert secret not in str(stored)
    assert len(stored["secret_hash"]) == 64


def test_two_tokens_of_one_name_are_two_tokens(database):
    assert create_token("a", Role.VIEWER) != create_token("a", Role.VIEWER)
    assert ApiToken.objects.count() == 2


def test_under_another_server_key_no_token_opens(database):
    text = create_token("dashboard", Role.VIEWER)

    with override_settings(SECRET_KEY="another key"), pytest.raises(Unauthenticated):
        token_holder(text)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text[:-1],
        lambda text: text + "x",
        lambda text: text.replace("obtu_", "obta_"),
        lambda text: "obtu_00000000_" + text.split("_", 2)[2],
        lambda text: text.upper(),
        lambda text: f"{text} ",
        lambda text: "obtu_" + "x" * 300,
        lambda text: "obtu_\0_\0",
    ],
)
def test_a_text_that_is_almost_a_token_does_not_open(database, change):
    text = create_token("dashboard", Role.ADMIN)

    with pytest.raises(Unauthenticated):
        token_holder(change(text))


def test_a_revoked_token_does_not_open(database):
    text = create_token("dashboard", Role.ADMIN)
    ApiToken.objects.update(set__revoked_at=now())

    with pytest.raises(Unauthenticated, match="revoked or has expired"):
        token_holder(text)


def test_a_token_opens_until_it_expires(database):
    text = create_token("dashboard", Role.ADMIN)
    ApiToken.objects.update(set__expires_at=now() + timedelta(minutes=1))
    assert token_holder(text).name == "dashboard"

    ApiToken.objects.update(set__expires_at=now() - timedelta(seconds=1))
    with pytest.raises(Unauthenticated):
        token_holder(text)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("groups", "role"),
    [
        ((), None),
        (("visitors",), None),
        (("viewer",), Role.VIEWER),
        (("operator",), Role.OPERATOR),
        (("viewer", "admin"), Role.ADMIN),
    ],
)
def test_a_persons_role_is_the_highest_of_their_groups(groups, role):
    user = User.objects.create_user("jo")
    user.groups.set([Group.objects.get_or_create(name=name)[0] for name in groups])

    assert role_of(user) == role


@pytest.mark.django_db
def test_a_superuser_is_an_admin_until_they_are_locked_out():
    user = User.objects.create_superuser("root")
    assert role_of(user) is Role.ADMIN

    user.is_active = False
    assert role_of(user) is None


def test_strangers_have_no_role():
    assert role_of(None) is None
    assert role_of(AnonymousUser()) is None
