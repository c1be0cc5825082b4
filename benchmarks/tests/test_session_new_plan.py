"""/sessions/new: what the plan says before anything is started, several prompts, and where the cursor goes."""

from dataclasses import replace
from datetime import timedelta

import pytest

from agents import verbs
from agents.documents import Client as Machine
from benchmarks.documents import Session
from benchmarks.tests import world
from benchmarks.tests.new_session import ADDRESS, pick, post
from obt_site.clock import now
from obt_site.tests.people import all_tags, by_id, signed_in, tags, words

pytestmark = pytest.mark.django_db

LLAMA, QWEN, _ = world.MODELS


@pytest.fixture
def forge(database):
    return world.machine("forge")


def focused(page):
    return [tag.get("id") or tag.get("value") for _, tag in all_tags(page) if "autofocus" in tag]


# -- the plan ----------------------------------------------------------------------------------------------------------


def test_a_budget_known_to_be_too_small_is_said_before_anything_is_started(forge):
    offer = world.running(forge, LLAMA, cells=["pp512", "tg128"])
    slow = [replace(run, took_s=700.0) for run in world.body(offer).cells]
    world.deliver(forge, offer, world.body(offer, cells=slow))

    page = words(signed_in().get(ADDRESS, {"pick": pick(forge), "cells": ["pp512", "tg128"], "budget": "quick"}))

    assert "pp512 and tg128 always run and need about 800 s" in page
    assert "Choose a larger one." in page


def test_chosen_machines_with_different_models_of_one_name_are_said(forge):
    atlas = world.machine("atlas", models=[])
    verbs.take_in(atlas, world.sync_request(models=[world.model(LLAMA, digest="sha256:abc")], models_hash="other"))
    browser = signed_in()

    both = words(browser.get(ADDRESS, {"pick": [pick(forge), pick(atlas)]}))
    one = words(browser.get(ADDRESS, {"pick": [pick(forge)]}))

    assert f"{LLAMA} is not the same model everywhere: abc on atlas; 3b on forge" in both
    assert "is not the same model" not in one


def test_cells_that_measure_nothing_of_a_model_are_said_beforehand(forge):
    page = words(signed_in().get(ADDRESS, {"pick": pick(forge), "cells": ["embed256x1"]}))

    assert f"{LLAMA} generates text, and none of the chosen cells measures that." in page


def test_how_long_other_sessions_take_is_said_where_it_is_known(forge):
    world.result(forge, LLAMA)
    world.session(forge, LLAMA)

    page = words(signed_in().get(ADDRESS, {"pick": pick(forge)}))

    assert "1 job of other sessions comes first: about" in page


def test_it_warns_of_a_machine_whose_report_is_overdue(forge, settings):
    silent = now() - settings.LATE_AFTER - timedelta(seconds=1)
    Machine.objects(id=forge.id).update_one(set__last_seen_at=silent)

    assert "Its last report is overdue." in words(signed_in().get(ADDRESS, {"pick": pick(forge)}))


def test_more_jobs_than_a_session_has_are_said_beforehand(forge, settings):
    settings.SESSION_JOBS_MAXIMUM = 1

    page = words(signed_in().get(ADDRESS, {"pick": [pick(forge), pick(forge, QWEN)]}))

    assert "A session has at most 1 jobs; these are 2." in page


def test_a_name_in_the_address_that_means_nothing_here_is_said(forge):
    assert "“colour”: this page has no such filter." in words(signed_in().get(ADDRESS, {"colour": "red"}))


# -- several prompts ---------------------------------------------------------------------------------------------------


def test_another_prompt_can_be_added_without_losing_what_was_typed(forge):
    browser = signed_in()
    typed = {"prompts": "2", "prompt_name": "one", "prompt_text": "Why?", "name": "Mine"}

    answer = browser.post(ADDRESS, {"pick": [pick(forge)], **typed})
    page = browser.get(answer.url)

    assert by_id(page, "prompt_name")["value"] == "one"
    assert by_id(page, "prompt_name_2") is not None
    assert by_id(page, "prompt_name_3") is None
    assert by_id(page, "name")["value"] == "Mine"
    assert "3" in [tag.get("value") for tag in tags(page, "button") if tag.get("name") == "prompts"]


def test_several_prompts_start_as_one_cell_each_and_empty_ones_are_left_out(forge):
    typed = {
        "prompts": "3",
        "prompt_name": "one",
        "prompt_text": "Why?",
        "prompt_name_3": "three",
        "prompt_text_3": "So?",
    }

    post(forge, **typed, prompt_output_3="32")

    assert [cell["name"] for cell in Session.objects.get().cells] == ["prompt-one/128", "prompt-three/32"]


def test_what_is_wrong_with_a_later_prompt_is_said_beside_it(forge):
    typed = {"prompt_name": "one", "prompt_text": "Why?", "prompt_name_3": "three", "prompt_text_3": "a\x07b"}

    page = post(forge, **typed)

    assert page.status_code == 422
    assert by_id(page, "prompt_text_3")["aria-invalid"] == "true"
    assert by_id(page, "prompt_text").get("aria-invalid") is None


def test_no_more_prompts_than_a_session_has_are_offered(forge):
    page = signed_in().get(ADDRESS, {"pick": pick(forge), "prompts": "99"})

    assert by_id(page, "prompt_name_10") is not None
    assert [tag for tag in tags(page, "button") if tag.get("name") == "prompts"] == []


# -- errors ------------------------------------------------------------------------------------------------------------


def test_the_cursor_goes_to_the_first_thing_that_is_wrong(forge):
    page = post(forge, sweep_num_ctx="abc", slo_ttft_ms="-5", option_seed="1.5")

    assert focused(page) == ["sweep_num_ctx"]
    assert "Nothing was started. 3 things must be put right first" in words(page)


def test_a_wrong_model_is_described_by_its_sentence(forge):
    verbs.take_in(forge, world.sync_request(models=[world.model("sees:1b", capabilities=["vision"])], models_hash="v"))

    page = signed_in().post(ADDRESS, {"do": "start", "pick": [pick(forge, "sees:1b")]})

    box = next(tag for tag in tags(page, "input") if tag.get("name") == "pick" and "checked" in tag)
    assert "autofocus" in box
    assert by_id(page, box["aria-describedby"]) is not None
    assert "1 thing must be put right first" in words(page)


def test_a_page_without_errors_moves_no_cursor(forge):
    assert focused(signed_in().get(ADDRESS, {"pick": pick(forge)})) == []
