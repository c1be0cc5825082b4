"""Who has which role."""

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User

from obt_site.access import Role, role_of


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
