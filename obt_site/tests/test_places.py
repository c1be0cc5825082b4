"""The table of places: bar, menu and palette lead where it says."""

import pytest

from obt_site import places
from obt_site.access import Role
from obt_site.styleguide import ICONS
from obt_site.tests.people import links, signed_in

pytestmark = pytest.mark.django_db
ALL = (*places.BAR, *places.MORE, *places.ACTIONS)


@pytest.mark.parametrize("place", ALL, ids=lambda place: place.word)
def test_every_place_opens_for_its_role_and_has_its_icon(database, place):
    assert signed_in(place.role).get(place.url, follow=True).status_code == 200
    assert place.icon in ICONS


def test_no_key_leads_to_two_places():
    keys = [place.key for place in (*places.BAR, *places.MORE) if place.key]

    assert len(keys) == len(set(keys))


def test_every_page_leads_to_every_place_of_bar_and_menu(database):
    found = links(signed_in(Role.ADMIN).get("/settings"))

    assert {place.url for place in places.open_to((*places.BAR, *places.MORE), Role.VIEWER)} <= set(found)


def test_a_viewer_is_not_led_to_what_only_others_may_do():
    words = [place.word for place in places.open_to(places.ACTIONS, Role.VIEWER)]

    assert "Add a machine" not in words
    assert "Change the theme" in words
