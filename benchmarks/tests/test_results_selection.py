"""All results that match, chosen at once on /results: to be shown, exported or compared."""

from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from benchmarks.presenters import compare_sides
from benchmarks.presenters.compare import MOST_OTHERS
from benchmarks.tests import world
from obt_site.tests.people import signed_in, tags, words

pytestmark = pytest.mark.django_db
LLAMA, QWEN, _ = world.MODELS


@pytest.fixture
def forge(database):
    return world.machine("forge")


def results_of(machine, count, model=LLAMA):
    return [world.result(machine, model, rate=100.0 + i) for i in range(count)]


def sent(page):
    """What the box would send, None where there is none."""
    boxes = [tag for tag in tags(page, "input") if tag.get("name") == "match"]
    return boxes[0]["value"] if boxes else None


def compared(browser, match):
    """Where choosing to compare all of this view leads."""
    answer = browser.get("/compare", {"match": match})
    assert answer.status_code == 302
    return {name: values if len(values) > 1 else values[0]
            for name, values in parse_qs(urlsplit(answer.url).query).items()}  # fmt: skip


def test_the_box_counts_all_that_match_and_carries_the_view(forge):
    results_of(forge, 3)
    browser = signed_in()

    page = browser.get("/results?runs=all&sort=-decode_rate")

    assert "Select all 3 that match" in words(page)
    assert "also those not shown" not in words(page)
    assert dict(parse_qsl(sent(page))) == {"runs": "all", "sort": "-decode_rate"}


def test_it_says_when_some_of_them_are_on_other_pages(forge, settings):
    settings.PAGE_ITEMS = 2
    results_of(forge, 3)

    assert "Select all 3 that match, also those not shown" in words(signed_in().get("/results?runs=all"))


def test_one_result_needs_no_box(forge):
    results_of(forge, 1)

    assert sent(signed_in().get("/results")) is None


def test_all_of_them_are_exported_whatever_else_is_ticked(forge):
    one, *_ = results_of(forge, 3)
    browser = signed_in()

    for match in ("runs=all", "?runs=all"):
        answer = browser.get("/results.csv", {"match": match, "result": one.id})
        assert len(b"".join(answer.streaming_content).splitlines()) == 1 + 3


def test_the_usual_view_is_a_view_too(forge):
    results_of(forge, 2, LLAMA)
    results_of(forge, 1, QWEN)
    browser = signed_in()

    assert sent(browser.get("/results")) == ""
    answer = browser.get("/results.csv", {"match": "", "result": "gone"})
    assert len(b"".join(answer.streaming_content).splitlines()) == 1 + 2


def test_to_show_them_is_to_show_that_view(forge):
    results_of(forge, 2)

    answer = signed_in().get("/results", {"match": "runs=all&q=lla ma", "metric": "ttft"})

    assert answer.url == "/results?runs=all&q=lla+ma"


def test_a_few_are_compared_one_by_one_with_the_first_of_the_view(forge):
    first, second, third = results_of(forge, 3)

    browser = signed_in()

    assert compared(browser, "runs=all&group=none") == {"result": [third.id, second.id, first.id]}
    assert compared(browser, "runs=all&group=none&sort=-when") == {"result": [first.id, second.id, third.id]}


def test_many_are_one_side_by_the_filters_that_show_them(forge):
    results_of(forge, MOST_OTHERS + 2)

    side = compared(signed_in(), f"runs=all&model={LLAMA}&client={forge.id}&since=2020-01-31")["base"]

    assert dict(parse_qsl(side)) == {"model": LLAMA, "client": str(forge.id), "since": "2020-01-31T00:00:00+00:00"}


def test_all_of_everything_is_a_side_that_says_so(forge):
    results_of(forge, MOST_OTHERS + 2)

    assert compared(signed_in(), "runs=all") == {"base": "simulated=false"}


def test_filters_that_a_side_cannot_say_become_the_newest_results(forge, monkeypatch):
    made = results_of(forge, MOST_OTHERS + 2)
    newest = [one.id for one in reversed(made)]

    assert dict(parse_qsl(compared(signed_in(), "runs=all&q=llama")["base"])) == {"result": ",".join(newest)}

    monkeypatch.setattr(compare_sides, "LONGEST_FILTER", len(compare_sides.of_result(*newest[:4])))
    page = words(signed_in(name="ann").get("/compare", {"match": "runs=all&q=llama"}, follow=True))
    assert f"Of the {len(made)} results that match, the newest 4 are side A." in page
    assert "Choose what stands on the other side" in page


def test_a_view_that_makes_no_sense_does_no_harm(forge):
    results_of(forge, 2)

    assert signed_in().get("/compare", {"match": "client=x&\x00&page=-1"}, follow=True).status_code == 200
