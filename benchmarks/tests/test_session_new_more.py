"""/sessions/new: the folded part (cells by name, sweep, a prompt, limits, options) and the expected time."""

import pytest

from benchmarks import sessions
from benchmarks.documents import Session
from benchmarks.tests import world
from benchmarks.tests.new_session import ADDRESS, pick, post
from obt_site.clock import now
from obt_site.tests.people import by_id, signed_in, tags, words

pytestmark = pytest.mark.django_db

LLAMA = world.MODELS[0]
TEXT = "\nWrite a haiku\r\n  about “benchmarks” 🥊\r\n"


@pytest.fixture
def forge(database):
    return world.machine("forge")


def is_open(page):
    return "open" in next(tag for tag in tags(page, "details") if tag.get("id") == "more")


def test_it_is_folded_until_something_is_in_it(forge):
    browser = signed_in()

    assert not is_open(browser.get(ADDRESS, {"pick": pick(forge)}))
    assert is_open(browser.get(ADDRESS, {"pick": pick(forge), "sweep_num_thread": "4, 8"}))


def test_everything_that_can_be_asked_for_starts_a_session(forge):
    typed = {
        "cells": ["tg128"],
        "other_cells": "tg64@1024, c16 pp256[num_gpu=0,num_batch=64]",
        "sweep_num_thread": "4, 8",
        "prompt_name": "My haiku",
        "prompt_text": TEXT,
        "prompt_output": "64",
        "slo_ttft_ms": "500",
        "slo_itl_ms": "12.5",
        "option_seed": "7",
        "option_temperature": "0.5",
    }

    answer = post(forge, **typed)

    session = Session.objects.get()
    (offer,) = world.sync(forge).jobs
    assert answer.url == f"/sessions/{session.id}"
    assert [cell.name for cell in offer.cells if cell.num_thread == 4] == [
        "tg128[num_thread=4]",
        "tg64@1024[num_thread=4]",
        "c16[num_thread=4]",
        "pp256[num_gpu=0,num_thread=4,num_batch=64]",
        "prompt-my-haiku/64[num_thread=4]",
    ]
    assert len(offer.cells) == 10
    assert offer.cells[4].text == TEXT.replace("\r\n", "\n")
    assert (offer.cells[2].slo.ttft_ms, offer.cells[2].slo.itl_ms) == (500, 12.5)
    assert (offer.options.seed, offer.options.temperature) == (7, 0.5)


def test_a_prompt_alone_is_measured_alone(forge):
    post(forge, prompt_name="mine", prompt_text="Why?")

    assert [cell["name"] for cell in Session.objects.get().cells] == ["prompt-mine/128"]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("other_cells", "warp9", "There is no cell “warp9”"),
        ("other_cells", "tg128[num_thread=0]", "it can be 1 to 1024"),
        ("sweep_num_ctx", "4096, abc", "“abc” is not a whole number"),
        ("sweep_num_ctx", "128", "is too small for"),
        ("sweep_num_ctx", "999999", "the chosen models have at most 131072"),
        ("sweep_num_gpu", "-1", "it can be 0 to 1000"),
        ("sweep_num_thread", "0", "it can be 1 to 1024"),
        ("sweep_num_batch", "1e3", "“1e3” is not a whole number"),
        ("prompt_name", "!!", "A prompt needs a name"),
        ("prompt_text", "a\x07b", "control character (U+0007)"),
        ("slo_ttft_ms", "-5", "more than 0"),
        ("slo_itl_ms", "nan", "“nan” is not a number."),
        ("slo_e2e_ms", "inf", "“inf” is not a number."),
        ("option_seed", "1.5", "seed must be a whole number."),
        ("option_num_gpu", "99999", "it can be 0 to 1000"),
        ("option_num_thread", "٤", "is not a number."),
        ("option_num_batch", "0", "it can be 1 to 65536"),
        ("option_temperature", "3", "it can be 0 to 2"),
    ],
)
def test_what_is_wrong_is_said_beside_its_input_which_keeps_what_was_typed(forge, name, value, sentence):
    page = post(forge, **({"prompt_name": "p", "prompt_text": "Why?", "cells": ["tg128", "c1"]} | {name: value}))

    field = by_id(page, name)
    assert page.status_code == 422
    assert field["aria-invalid"] == "true"
    assert sentence in words(page)
    assert field.get("value") == value or value in page.content.decode()
    assert is_open(page)
    assert Session.objects.count() == 0


def test_all_that_is_wrong_is_said_at_once(forge):
    page = post(forge, sweep_num_ctx="abc", slo_ttft_ms="-5", option_seed="1.5")

    assert [by_id(page, name).get("aria-invalid") for name in ("sweep_num_ctx", "slo_ttft_ms", "option_seed")] == [
        "true"
    ] * 3
    assert by_id(page, "sweep_num_thread").get("aria-invalid") is None


def test_bytes_that_are_not_utf_8_are_refused_as_text(forge):
    body = b"do=start&prompt_name=p&prompt_text=caf%E9&pick=" + pick(forge).encode()

    page = signed_in().post(ADDRESS, body, content_type="application/x-www-form-urlencoded")

    assert page.status_code == 422
    assert "not UTF-8" in words(page)


def test_what_was_typed_is_in_the_address_of_the_plan(forge):
    browser = signed_in()

    answer = post(forge, "plan", browser, sweep_num_thread="4, 8", prompt_name="p", prompt_text="Why?")
    page = browser.get(answer.url)

    assert by_id(page, "sweep_num_thread")["value"] == "4, 8"
    assert by_id(page, "prompt_name")["value"] == "p"
    assert "Why?" in words(page)


def test_a_text_is_shown_again_with_its_first_new_line(forge):
    page = post(forge, prompt_name="!!", prompt_text="\n\n<b>Why?</b>").content.decode()

    assert ">\n\n\n&lt;b&gt;Why?&lt;/b&gt;</textarea>" in page  # a browser drops the first one after the tag


def test_the_plan_says_how_many_cells_it_makes_or_why_it_cannot(forge):
    browser = signed_in()

    assert "4 cells asked for" in words(
        browser.get(ADDRESS, {"pick": pick(forge), "cells": ["tg128", "pp512"], "sweep_num_thread": "4, 8"})
    )
    assert "it can be 1 to 1024" in words(browser.get(ADDRESS, {"pick": pick(forge), "sweep_num_thread": "0"}))


# -- the expected time -------------------------------------------------------------------------------------------------


def asked(forge, *models):
    picks = [pick(forge, model) for model in models or (LLAMA,)]
    return words(signed_in().get(ADDRESS, {"pick": picks, "cells": ["pp512", "tg128"], "budget": "quick"}))


def test_before_any_result_the_time_is_not_known_and_the_budget_is(forge):
    page = asked(forge)

    assert "not known yet: at most 3 min" in page
    assert "time not known yet; at most 3 min" in page


def test_after_a_result_the_time_is_told_with_its_ground(forge):
    world.result(forge, LLAMA)
    expected = sessions.jobs_of(world.session(forge, LLAMA, cells=["pp512", "tg128"]))[0].expected_s

    page = asked(forge)

    assert 1 < expected < 60
    assert f"about {expected:.0f}" in page.replace(".0", "")
    assert f"(from its result of {now().date().isoformat()})" in page


def test_jobs_that_nothing_is_known_of_are_told_apart(forge):
    world.result(forge, LLAMA)

    page = asked(forge, LLAMA, "qwen3:8b")

    assert "time known for 1 of 2 jobs only; at most 6 min" in page
    assert "and for 1 job not known yet: at most 3 min" in page


def test_a_budget_known_to_be_too_small_is_said_beside_the_model(forge):
    offer = world.running(forge, LLAMA, cells=["pp512", "tg128"])
    slow = [world.replace(run, took_s=700.0) for run in world.body(offer).cells]
    world.deliver(forge, offer, world.body(offer, cells=slow))

    page = post(forge, cells=["pp512", "tg128"])

    assert page.status_code == 422
    assert "pp512 and tg128 always run and need about 800 s" in words(page)
