"""/results: filters by address, groups by model, the spread beside every number."""

import pytest
from django.test import override_settings

from agent.obt_agent import contract
from benchmarks.tests import world
from obt_site.tests.people import links, signed_in, words

pytestmark = pytest.mark.django_db

NOT_UNDERSTOOD = ["client=x", "session=%00", "valid=perhaps", "metric=beauty", "before=-5", "simulated=1"]


@pytest.fixture
def forge(database):
    return world.machine("forge")


def test_without_one_it_leads_to_measuring(database):
    page = signed_in().get("/results")

    assert "No results yet" in words(page)
    assert "/models" in links(page)


def test_each_has_median_interval_n_and_leads_to_its_page(forge):
    result = world.result(forge, rate=100.0)

    page = signed_in().get("/results")

    assert "forge RTX 4090 100.2 tok/s 100.0–100.5 6" in words(page)
    assert f"/results/{result.id}" in links(page)


def test_fewer_than_six_samples_are_a_range_and_never_an_interval(forge):
    world.result(forge)

    assert "range 2.00–2.00 3" in words(signed_in().get("/results?metric=load_time"))


def test_they_are_grouped_by_model_the_best_first(forge):
    atlas = world.machine("atlas")
    world.result(forge, world.MODELS[0], rate=50.0)
    world.result(atlas, world.MODELS[0], rate=90.0)
    world.result(forge, world.MODELS[1], rate=70.0)

    page = words(signed_in().get("/results"))

    assert page.index("90.2") < page.index("50.1")
    assert page.rindex("qwen3:8b 3.2B") < page.rindex("llama3.2:3b 3.2B")


def test_a_shorter_time_is_the_better_one(forge):
    world.result(forge, rate=50.0)
    world.result(forge, rate=200.0)

    page = words(signed_in().get("/results?metric=ttft"))

    assert page.index("277 ms") < page.index("1 043") if "1 043" in page else "ms" in page


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("model=qwen3:8b", {"qwen3:8b"}),
        ("valid=false", set()),
        ("valid=true", {"llama3.2:3b", "qwen3:8b"}),
        ("suite=standard", {"llama3.2:3b", "qwen3:8b"}),
        ("suite=other", set()),
        ("session={session}", {"llama3.2:3b"}),
        ("client={client}", {"llama3.2:3b", "qwen3:8b"}),
        ("client=507f1f77bcf86cd799439011", set()),
    ],
)
def test_filters_of_the_address_narrow_it(forge, query, seen):
    first = world.result(forge, "llama3.2:3b")
    world.result(forge, "qwen3:8b")

    page = words(signed_in().get("/results?" + query.format(session=first.session, client=forge.id)))

    assert {model for model in ("llama3.2:3b", "qwen3:8b") if f"{model} 3.2B" in page} == seen
    assert seen or "No result fits this view." in page


def test_an_active_filter_is_a_chip_that_takes_it_away_and_keeps_the_others(forge):
    world.result(forge)

    page = signed_in().get(f"/results?client={forge.id}&suite=standard&metric=ttft")

    assert "Machine forge" in words(page)
    assert "?suite=standard&metric=ttft" in links(page)
    assert f"?client={forge.id}&metric=ttft" in links(page)


@pytest.mark.parametrize("query", NOT_UNDERSTOOD)
def test_what_is_not_understood_is_named_and_left_out(forge, query):
    world.result(forge)

    page = words(signed_in().get(f"/results?{query}"))

    assert "Left out of this view:" in page
    assert "100.2" in page


def test_simulated_ones_are_shown_as_long_as_there_is_nothing_else(forge):
    world.result(forge, rate=321.0, simulated=True)

    page = words(signed_in().get("/results"))

    assert "321" in page
    assert "simulated" in page
    assert "left out" not in page


def test_they_step_back_for_a_real_one_and_the_page_says_so_with_a_way_to_see_them(forge):
    world.result(forge, rate=321.0, simulated=True)
    world.result(forge, rate=100.0)
    browser = signed_in()

    page = browser.get("/results")
    included = browser.get("/results" + next(link for link in links(page) if "simulated=any" in link))

    assert "321" not in words(page)
    assert "Results of the simulator are left out" in words(page)
    assert "321" in words(included)


def test_what_failed_without_a_number_is_not_drawn_as_zero(forge):
    offer = world.running(forge, world.MODELS[0])
    runs = [contract.CellRun(spec, [], skipped="budget: no time was left") for spec in offer.cells]
    world.deliver(forge, offer, world.body(offer, cells=runs))

    page = words(signed_in().get("/results"))

    assert "budget: no time was left" in page
    assert " 0 tok/s" not in page


@override_settings(PAGE_ITEMS=2)
def test_older_ones_are_a_page_away_and_back(forge):
    for rate in (10.0, 20.0, 30.0):
        world.result(forge, rate=rate)
    browser = signed_in()

    first = browser.get("/results?metric=decode_rate")
    older = browser.get("/results" + next(link for link in links(first) if "before=" in link))

    assert "10.0" not in words(first)
    assert "10.0" in words(older)
    assert "metric=decode_rate" in next(link for link in links(older) if link.startswith("?") and "before" not in link)
