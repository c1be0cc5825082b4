"""/results: filters by address, groups by model, the spread beside every number."""

import pytest
from django.test import override_settings

from agent.obt_agent import contract
from benchmarks.headline import best_cell
from benchmarks.tests import world
from obt_site import formatting
from obt_site.tests.people import links, signed_in, words

pytestmark = pytest.mark.django_db

NOT_UNDERSTOOD = [
    "client=x", "session=%00", "valid=perhaps", "metric=beauty", "page=-5", "simulated=1", "before=7", "sort=beauty",
    "group=colour", "cols=x&cols=n", "since=yesterday", "until=2026-99-01", "since=0001-01-01", "show=7", "chart=pie",
    "x=beauty&y=beauty", "outcome=won", "upto=-1", "runs=some", "density=1", "scale=log", "q=%00", "result=%00",
    "model=" + "m" * 5000, "%F0%9F%92%A5=1", "page=" + "9" * 400,
]  # fmt: skip


@pytest.fixture
def forge(database):
    return world.machine("forge")


def shown(result, metric):
    """The metric of a result as the page writes it."""
    found = best_cell(result.cells, metric)["metrics"][metric]
    return " ".join(f"{formatting.measured(found['median'], found['unit'])} {found['unit']}".split())


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

    assert page.index("90.2 tok/s") < page.index("50.1 tok/s")
    assert page.rindex("qwen3:8b 3.2B") < page.rindex("llama3.2:3b 3.2B")
    assert "llama3.2:3b 3.2B, Q4_K_M 2 results, best 90.2, median 70.2" in page


def test_a_shorter_time_is_the_better_one(forge):
    fast, slow = (shown(world.result(forge, rate=rate), "ttft") for rate in (200.0, 50.0))

    page = words(signed_in().get("/results?metric=ttft&runs=all"))
    reversed_ = words(signed_in(name="al").get("/results?metric=ttft&runs=all&sort=-ttft"))

    assert page.index(fast) < page.index(slow)
    assert reversed_.index(slow) < reversed_.index(fast)


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

    assert "Left out of this view." in page
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

    first = browser.get("/results?runs=all&group=none")
    older = browser.get("/results" + next(link for link in links(first) if "page=2" in link))
    back = browser.get("/results" + next(link for link in links(older) if "page=1" in link))

    assert "10.0 tok/s" not in words(first)
    assert "1–2 of 3" in words(first)
    assert "10.0 tok/s" in words(older)
    assert "30.1 tok/s" in words(back)


@override_settings(PAGE_ITEMS=2)
def test_a_later_page_stays_what_it_was_when_results_come_in(forge):
    for rate in (10.0, 20.0, 30.0):
        world.result(forge, rate=rate)
    browser = signed_in()
    first = browser.get("/results?runs=all&group=none")
    second = next(link for link in links(first) if "page=2" in link)

    world.result(forge, rate=40.0)
    older = words(browser.get("/results" + second))

    assert "10.0 tok/s" in older
    assert "20.1 tok/s" not in older
    assert "1 newer result came in" in older


def test_of_each_model_on_each_machine_the_latest_is_shown_and_every_run_is_a_link_away(forge):
    world.result(forge, rate=50.0)
    world.result(forge, rate=70.0)
    browser = signed_in()

    page = browser.get("/results")
    every = browser.get("/results" + next(link for link in links(page) if "runs=all" in link))

    assert "70.2 tok/s" in words(page)
    assert "50.1 tok/s" not in words(page)
    assert "1 result in this view, of 2" in words(page)
    assert "50.1 tok/s" in words(every)


def test_all_results_of_a_session_are_there_without_asking(forge):
    first = world.result(forge, rate=50.0)
    world.result(forge, rate=70.0)

    page = words(signed_in().get(f"/results?session={first.session}"))

    assert "50.1 tok/s" in page
    assert "70.2 tok/s" not in page


def test_a_menu_says_how_many_each_choice_would_give(forge):
    atlas = world.machine("atlas")
    for machine in (forge, atlas):
        world.result(machine, "llama3.2:3b")
    world.result(forge, "qwen3:8b")

    page = signed_in().get("/results?model=qwen3:8b")

    assert "llama3.2:3b 2" in words(page)
    assert "?model=qwen3%3A8b&model=llama3.2%3A3b" in links(page)


def test_nothing_fits_and_the_filter_to_drop_is_offered(forge):
    world.result(forge, "llama3.2:3b")

    page = signed_in().get("/results?model=llama3.2:3b&suite=other")

    assert "without suite other 1 result" in words(page)
    assert "?model=llama3.2%3A3b" in links(page)


def test_results_of_a_removed_machine_are_still_found(forge):
    world.result(forge)
    forge.delete()

    page = words(signed_in().get(f"/results?client={forge.id}"))

    assert "Machine forge (removed machine)" in page
    assert "100.2 tok/s" in page


def test_other_metrics_stand_beside_it_and_columns_can_be_left_out(forge):
    world.result(forge)

    page = words(signed_in().get("/results?cols=ttft&cols=prefill_rate"))

    assert "TTFT, ms" in page
    assert "Prefill, tok/s" in page
    assert "100.0–100.5" not in page


def test_days_are_both_included(forge):
    result = world.result(forge)
    day = f"{result.created_at:%Y-%m-%d}"
    browser = signed_in()

    assert "100.2" in words(browser.get(f"/results?since={day}&until={day}"))
    assert "No result fits this view." in words(browser.get("/results?until=2020-01-01"))


def test_chosen_rows_lead_to_a_view_of_only_these(forge):
    kept = world.result(forge, rate=50.0)
    world.result(forge, "qwen3:8b", rate=70.0)

    page = words(signed_in().get(f"/results?result={kept.id}"))

    assert "50.1 tok/s" in page
    assert "70.2 tok/s" not in page
    assert "Chosen" in page
