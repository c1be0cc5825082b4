"""A person may save so many views of the results."""

import pytest

from benchmarks import saved_views
from obt_site.errors import Invalid


@pytest.fixture(autouse=True)
def _two(settings, database):
    settings.SAVED_VIEWS_MAXIMUM = 2
    for name in ("v1", "v2"):
        saved_views.save("1", name, "")


def test_one_too_many_is_refused_with_the_number_and_how_to_raise_it():
    with pytest.raises(Invalid) as refusal:
        saved_views.save("1", "v3", "")

    assert refusal.value.detail == (
        "A person has at most 2 saved views; with this one it would be 3. "
        "Remove one first, or raise OBT_VIEWS_PER_PERSON and start the server again."
    )
    assert refusal.value.errors[0].field == "name"
    assert len(saved_views.of("1")) == 2


def test_a_view_in_the_place_of_another_and_somebody_else_s_are_saved():
    saved_views.save("1", "v1", "page=2", replace=True)
    saved_views.save("2", "somebody else's", "")

    assert len(saved_views.of("2")) == 1
