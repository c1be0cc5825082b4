"""So many sessions may wait and run at the same time."""

import pytest

from benchmarks import sessions
from benchmarks.documents import Session
from benchmarks.tests import world
from obt_site.access import Role
from obt_site.errors import Invalid
from obt_site.tests.people import signed_in, words


@pytest.fixture
def forge(settings, database):
    settings.SESSIONS_UNDER_WAY_MAXIMUM = 1
    return world.machine("forge")


def test_one_too_many_is_refused_with_the_number_and_how_to_raise_it(forge):
    world.session(forge)

    with pytest.raises(Invalid) as refusal:
        world.session(forge)

    assert refusal.value.detail == (
        "At most 1 sessions may be under way; with this one it would be 2. "
        "Wait until one has ended, or raise OBT_SESSIONS_UNDER_WAY and start the server again."
    )
    assert Session.objects.count() == 1


def test_one_that_has_ended_makes_room(forge):
    sessions.cancel(world.session(forge))

    world.session(forge)

    assert Session.objects.count() == 2


@pytest.mark.django_db
def test_the_form_says_it_and_keeps_what_was_chosen(forge):
    world.session(forge)
    form = {"pick": f"{forge.id}:llama3.2:3b", "budget": "quick", "suite": "standard", "name": "mine", "do": "start"}

    page = signed_in(Role.OPERATOR).post("/sessions/new", form)

    assert page.status_code == 422
    assert "At most 1 sessions may be under way" in words(page)
    assert 'value="mine"' in page.content.decode()
