"""/history: one model on one machine over time, with what changed in between."""

from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from agent.obt_agent import contract
from benchmarks import numbers
from benchmarks.documents import Result
from benchmarks.tests import world
from obt_site.clock import now
from obt_site.tests.people import all_tags, links, signed_in, tags, words

pytestmark = pytest.mark.django_db
LLAMA, QWEN, _ = world.MODELS


@pytest.fixture
def forge(database):
    return world.machine("forge")


def run(machine, rate=100.0, days=0, version="0.24.0", driver=None, model=LLAMA, **fields):
    """A result of so many days ago."""
    offer = world.running(machine, model, cells=["pp512", "tg128"])
    body = world.body(offer, rate, **fields)
    environment = body.environment
    if environment:
        gear = environment.hardware
        gpus = [replace(gear.gpus[0], driver_version=driver)] if driver else gear.gpus
        ollama = replace(environment.ollama, version=version)
        environment = replace(environment, ollama=ollama, hardware=replace(gear, gpus=gpus))
    result = world.deliver(machine, offer, replace(body, environment=environment))
    Result._get_collection().update_one({"_id": result.id}, {"$set": {"created_at": now() - timedelta(days=days)}})
    numbers.renew("results")
    return result


def address(machine, model=LLAMA, **more):
    return "/history?" + urlencode({"model": model, "client": str(machine.id), **more})


def drawn(page, name):
    return [tag for _, tag in all_tags(page) if name in tag.get("class", "").split()]


def test_without_results_it_says_what_to_do_first(database):
    page = signed_in().get("/history")

    assert "Nothing to look back on yet" in words(page)
    assert "/models" in links(page)


def test_without_a_choice_it_offers_what_was_measured_most_often_first(forge):
    run(forge, model=QWEN), run(forge), run(forge)

    page = signed_in().get("/history")
    offered = [link for link in links(page) if link.startswith("/history?")]

    assert [parse_qs(urlsplit(link).query)["model"] for link in offered] == [[LLAMA], [QWEN]]


def test_every_result_is_a_point_with_its_number_and_leads_to_it(forge):
    results = [run(forge, rate, days) for rate, days in ((100.0, 9), (101.0, 5), (110.0, 0))]

    page = signed_in().get(address(forge))

    assert "llama3.2:3b on forge over time" in words(page)
    assert "Decode, tg128 , tok/s : higher is better." in words(page)
    assert {f"/results/{result.id}" for result in results} <= set(links(page))
    assert len(drawn(page, "pt")) == 3 + 1  # one in the legend
    assert "110.3" in words(page)


def test_what_changed_is_a_mark_with_its_name_and_when(forge):
    run(forge, 100.0, 9), run(forge, 110.0, 5, version="0.25.0"), run(forge, 110.0, 1, version="0.25.0", driver="580.1")

    page = signed_in().get(address(forge))

    assert len(drawn(page, "mk")) == 2
    assert "Ollama 0.24.0 then 0.25.0" in words(page)
    assert "Driver 570.86.16 then 580.1" in words(page)
    assert "2 changes in between" in words(page)


def test_another_digest_is_a_change_of_the_model(forge):
    run(forge, 100.0, 3)
    again = run(forge, 100.0, 1)
    Result._get_collection().update_one({"_id": again.id}, {"$set": {"digest": "sha256:abcdef0123456789"}})
    numbers.renew("results")

    assert "then abcdef012345" in words(signed_in().get(address(forge)))


def test_before_and_after_a_change_are_compared_in_one_click(forge):
    before = [run(forge, 100.0, 9), run(forge, 100.0, 8)]
    after = run(forge, 120.0, 5, version="0.25.0")
    browser = signed_in()

    page = browser.get(address(forge))
    (link,) = [link for link in links(page) if link.startswith("/compare?")]
    asked = parse_qs(urlsplit(link).query)

    assert parse_qs(asked["base"][0]) == {"result": [",".join(one.id for one in before)]}
    assert parse_qs(asked["with"][0]) == {"result": [after.id]}
    assert "B is faster than A in 2 of 2 cells" in words(browser.get(link))


def test_one_without_the_number_keeps_its_place_as_a_cross_and_says_why(forge):
    run(forge, 100.0, 5)
    error = contract.JobError("load_failed", "Ollama could not load it.")
    run(forge, days=3, outcome="failed", cells=[], error=error, telemetry=None)

    page = signed_in().get(address(forge))

    assert len(drawn(page, "pt-x")) == 1 + 1  # one in the legend
    assert "the job ended early: failed" in words(page)


def test_another_number_and_another_cell_can_be_chosen(forge):
    run(forge), run(forge)
    browser = signed_in()

    page = browser.get(address(forge))

    assert {"prefill_rate", "itl", "tg128"} <= {tag.get("value") for tag in tags(page, "option")}
    assert "Prefill, pp512 , tok/s : higher is better." in words(browser.get(address(forge, metric="prefill_rate")))
    assert "ITL, tg128 , ms : lower is better." in words(browser.get(address(forge, metric="itl")))


def test_simulated_ones_step_back_where_there_are_real_ones_and_can_be_included(forge):
    run(forge), run(forge, simulated=True)
    browser = signed_in()

    page = browser.get(address(forge))
    included = browser.get("/history" + next(link for link in links(page) if "simulated=1" in link))

    assert "1 result of the simulator is left out, because there are real ones." in words(page)
    assert "Answered by Ollama then the simulator" in words(included)


def test_only_simulated_ones_say_so(forge):
    run(forge, simulated=True)

    assert "simulated" in words(signed_in().get(address(forge)))


def test_a_pair_without_results_says_so_and_offers_others(forge):
    run(forge)
    atlas = world.machine("atlas")

    page = signed_in().get(address(atlas))

    assert f"There is no result of {LLAMA}" in words(page)
    assert any(link.startswith("/history?model") for link in links(page))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("client=x", "“client”: “x” is no id."),
        ("metric=colour", "“metric”: “colour” is none of"),
        ("cell=%3Cb%3E", "“cell”: “<b>” is none of"),
        ("surprise=1", "“surprise”: this page has no such filter."),
    ],
)
def test_nonsense_is_named_and_never_breaks_the_page(forge, query, said):
    run(forge)
    base = address(forge) if "client" not in query else f"/history?model={LLAMA}"

    page = signed_in().get(f"{base}&{query}")

    assert page.status_code == 200
    assert said in words(page)


def test_hostile_names_do_no_harm(database):
    name = "<script>alert(1)</script>\u202e" + "x" * 250
    machine = world.machine("m", models=[name])
    run(machine, model=name), run(machine, model=name, version="<img src=x>")

    page = signed_in().get(address(machine, name))

    assert page.status_code == 200
    assert all(tag.get("src") for tag in tags(page, "script"))
    assert not tags(page, "img")
