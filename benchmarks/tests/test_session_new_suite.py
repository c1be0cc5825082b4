"""/sessions/new: the standard suite, or cells of one's own."""

import pytest

from benchmarks import suites
from benchmarks.documents import Session
from benchmarks.presenters.session_form import is_whole_suite
from benchmarks.tests import world
from benchmarks.tests.new_session import ADDRESS, pick, post
from obt_site.tests.people import links, signed_in, tags, words

pytestmark = pytest.mark.django_db

WHOLE = list(suites.SUITES["standard"])
GENERATING = [name for name in WHOLE if suites.cell(name).kind != "embed"]


@pytest.fixture
def forge(database):
    return world.machine("forge")


def chosen(page):
    """The suite or one's own, as the page has it."""
    (value,) = [tag["value"] for tag in tags(page, "input") if tag.get("name") == "measure" and "checked" in tag]
    return value


def ticked(page):
    return [tag["value"] for tag in tags(page, "input") if tag.get("name") == "cells" and "checked" in tag]


def cells():
    return [cell["name"] for cell in Session.objects.get().cells]


def test_without_a_word_about_cells_it_is_the_standard_suite(forge):
    page = signed_in().get(ADDRESS, {"pick": pick(forge)})

    assert chosen(page) == "suite"
    assert ticked(page) == WHOLE


@pytest.mark.parametrize(
    "asked", [{"cells": ["tg128"]}, {"other_cells": "tg64"}, {"prompt_name": "p", "prompt_text": "Why?"}]
)
def test_some_cells_in_the_address_are_ones_own(forge, asked):
    assert chosen(signed_in().get(ADDRESS, {"pick": pick(forge), **asked})) == "own"


def test_all_cells_of_the_suite_are_the_suite(forge):
    assert chosen(signed_in().get(ADDRESS, {"pick": pick(forge), "cells": WHOLE})) == "suite"


def test_beside_the_suite_what_was_ticked_before_counts_for_nothing(forge):
    post(forge, measure="suite", cells=["tg128"], other_cells="tg64")

    assert cells() == GENERATING


def test_a_prompt_comes_beside_the_suite_that_was_chosen(forge):
    post(forge, measure="suite", prompt_name="mine", prompt_text="Why?")

    assert cells() == [*GENERATING, "prompt-mine/128"]


def test_ones_own_cells_are_the_ticked_ones_and_those_by_name(forge):
    post(forge, measure="own", cells=["tg128"], other_cells="tg64")

    assert cells() == ["tg128", "tg64"]


def test_ones_own_without_any_is_said_and_starts_nothing(forge):
    page = post(forge, measure="own")

    assert page.status_code == 422
    assert "Choose between 1 and" in words(page)
    assert (chosen(page), ticked(page)) == ("own", [])
    assert Session.objects.count() == 0


def test_the_choice_is_in_the_address_of_the_plan(forge):
    browser = signed_in()

    answer = post(forge, "plan", browser, measure="own", cells=WHOLE)

    assert chosen(browser.get(answer.url)) == "own"


def test_a_choice_that_is_none_is_said_and_left_out(forge):
    page = signed_in().get(ADDRESS, {"pick": pick(forge), "measure": "all"})

    assert chosen(page) == "suite"
    assert "“measure”: “all” is none of suite, own." in words(page)


def test_a_session_of_the_suite_is_run_again_as_one(forge):
    browser = signed_in()
    post(forge, browser=browser, measure="suite")

    assert chosen(browser.get(ADDRESS, {"again": str(Session.objects.get().id)})) == "suite"


def test_a_result_of_the_suite_leads_to_the_suite_and_another_to_its_cells(forge):
    browser = signed_in()
    post(forge, browser=browser, measure="own", cells=["tg128"])
    (offer,) = world.sync(forge).jobs
    result = world.deliver(forge, offer, world.body(offer))

    again = next(link for link in links(browser.get(f"/results/{result.id}")) if link.startswith(ADDRESS))

    assert (chosen(browser.get(again)), ticked(browser.get(again))) == ("own", ["tg128"])


@pytest.mark.parametrize(
    ("names", "whole"),
    [(WHOLE, True), (GENERATING, True), (sorted(set(WHOLE) - set(GENERATING)), True), (WHOLE[1:], False), ([], False)],
)
def test_the_suite_is_known_by_the_cells_that_models_of_one_kind_get(names, whole):
    assert is_whole_suite(names) is whole
