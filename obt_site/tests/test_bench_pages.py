"""The proof about pages: what it weighs, what it compares, and when it says no."""

import pytest

from agent.bench import PROOFS
from obt_site.access import Role
from obt_site.bench import pages
from obt_site.bench.pages import Questions, Seen
from obt_site.tests.people import signed_in

pytestmark = pytest.mark.django_db


def test_it_is_one_of_the_proofs() -> None:
    assert "obt_site.bench.pages" in [proof.module for proof in PROOFS]


@pytest.mark.parametrize(
    ("few", "many", "met"),
    [
        (Seen(40, 8), Seen(50, 8), True),
        (Seen(40, 8), Seen(70, 8), False),
        (Seen(40, 8), Seen(40, 9), False),
        (Seen(4, 8), Seen(8, 8), True),  # too little to be felt
    ],
)
def test_a_page_is_met_when_much_takes_about_as_long_as_little(few: Seen, many: Seen, met: bool) -> None:
    row = pages.compared("/results", few, many, 5000)

    assert row.ok is met
    assert f"{many.asked} questions" in row.measured


def test_every_page_is_light_and_all_it_loads_may_be_kept(database: str) -> None:
    weight, files = list(pages.weights(signed_in(Role.ADMIN)))

    assert weight.ok, weight.measured
    assert files.ok, files.measured
    assert set(weight.details) == set(pages.LISTS)


def test_it_counts_the_questions_of_the_last_time_only(database: str) -> None:
    questions = Questions()
    questions.asked["find"] = 1000

    seen = pages.look(signed_in(Role.ADMIN), "/styleguide", questions, times=2)

    assert seen.took_ms > 0
    assert seen.asked < 1000


def test_a_page_that_fails_ends_the_proof(database: str) -> None:
    with pytest.raises(RuntimeError, match="/nowhere answered 404"):
        pages.look(signed_in(Role.ADMIN), "/nowhere", Questions(), times=1)
