"""Pages show the API call behind what they show, and that call answers the same."""

import html
import re

import pytest

from benchmarks import pausing
from benchmarks.tests import world
from obt_site.access import Role
from obt_site.tests.people import links, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(database):
    return signed_in(Role.OPERATOR)


@pytest.fixture
def forge(database):
    return world.machine("forge")


def calls(page):
    """The addresses of the calls that a page shows."""
    shown = re.findall(r'<code id="as-api-\d+">(.*?)</code>', page.content.decode(), re.DOTALL)
    lines = [html.unescape(line) for line in shown]
    found = [re.fullmatch(r'curl -H "Authorization: Bearer \$OBT_TOKEN" "\$OBT_URL(/[!#-~]+)"', line) for line in lines]
    assert all(found), lines
    return [each[1] for each in found]


def answer(browser, page):
    """What the first call answers."""
    response = browser.get(calls(page)[0])
    assert response.status_code == 200, response.content
    return response.json()


def test_each_page_that_lists_or_shows_something_has_its_call(browser, forge):
    result = world.result(forge)
    world.result(world.machine("atlas"))
    pages = ["/fleet", "/models", "/results", f"/results/{result.id}", f"/sessions/{result.session}", "/sessions"]
    pages += [f"/compare?base=client%3D{forge.id}&with=model%3D{world.MODELS[0]}"]

    for address in pages:
        page = browser.get(address)
        assert calls(page), address
        assert "export OBT_URL=http://testserver OBT_TOKEN=obtu_…" in page.content.decode()
        for call in calls(page):
            assert call in [html.unescape(link) for link in links(page)], address
            assert browser.get(call).status_code == 200, call


def test_the_fleets_filters_are_carried_over(browser, forge):
    from agents import verbs

    verbs.set_labels(verbs.find(str(world.machine("atlas").id)), ["lab & co"])

    page = browser.get("/fleet", {"label": "lab & co", "q": "atlas"})

    assert [each["name"] for each in answer(browser, page)["items"]] == ["atlas"]


def test_a_filter_that_the_api_lacks_is_named(browser, forge):
    page = browser.get("/fleet?show=idle").content.decode()

    assert "Filters of this page that the API does not have: show." in page


def test_the_models_filters_are_carried_over(browser, forge):
    page = browser.get("/models", {"q": "qwen", "client": str(forge.id), "sort": "-size"})

    assert [each["name"] for each in answer(browser, page)["items"]] == ["qwen3:8b"]


def test_the_results_filters_are_carried_over(browser, forge):
    wanted = world.result(forge, world.MODELS[0])
    world.result(forge, world.MODELS[1])
    query = {"model": world.MODELS[0], "client": str(forge.id), "cell": "tg128", "valid": "true", "ollama": "0.24.0"}

    page = browser.get("/results", {**query, "since": "2020-01-31", "until": "2999-01-01"})

    assert [each["id"] for each in answer(browser, page)["items"]] == [wanted.id]
    file = browser.get(calls(page)[1])
    assert b"".join(file.streaming_content).count(wanted.id.encode()) == 4


def test_several_values_of_a_filter_are_more_than_the_api_takes(browser, forge):
    for model in world.MODELS[:2]:
        world.result(forge, model)

    page = browser.get(f"/results?model={world.MODELS[0]}&model={world.MODELS[1]}").content.decode()

    assert "Filters of this page that the API does not have: model." in page


def test_the_sessions_filters_are_carried_over_and_find_the_same(browser, forge):
    from benchmarks import sessions

    done = sessions.cancel(world.session(forge))
    world.session(forge)
    query = {"show": "failed", "machine": str(forge.id), "by": "jo", "q": f"#{done.number}"}

    page = browser.get("/sessions", query)

    assert [each["id"] for each in answer(browser, page)["items"]] == [str(done.id)]


def test_paused_sessions_are_paused_ones_there_too(browser, forge):
    paused = pausing.pause(world.session(forge), "jo")
    world.session(forge)

    assert [each["id"] for each in answer(browser, browser.get("/sessions?show=paused"))["items"]] == [str(paused.id)]


@pytest.mark.parametrize("name", ['"; rm -rf ~; "', "$(reboot)", "`reboot`", "a\\", "!!", "'"])
def test_nothing_in_a_line_is_the_shells(browser, forge, name):
    page = browser.get("/models", {"q": name})

    (call,) = calls(page)
    assert not re.search(r"[\"'`$\\! ]", call)
