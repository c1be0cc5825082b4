"""/models: every filter, order and metric of the address; what makes no sense is left out and said."""

import re

import pytest

from agents import verbs
from agents.documents import Client as Machine
from benchmarks.presenters.matrix import ROWS_SHOWN
from benchmarks.tests import world
from obt_site.access import Role
from obt_site.tests.people import links, signed_in, tags, words

pytestmark = pytest.mark.django_db

LLAMA, QWEN, GEMMA = world.MODELS


@pytest.fixture
def forge(database):
    return world.machine("forge")


def installed(machine, *models):
    """Replace what is installed on the machine."""
    verbs.take_in(machine, world.sync_request(models=list(models), models_hash=str(len(models))))


def names(page):
    """The models of the page in their order."""
    found = [tag["value"].partition(":")[2] for tag in tags(page, "input") if tag.get("name") == "pick"]
    return list(dict.fromkeys(found))


def machines(page):
    return {tag["value"].partition(":")[0] for tag in tags(page, "input") if tag.get("name") == "pick"}


def everything(page):
    """The box that selects all that match."""
    return next(tag for tag in tags(page, "input") if tag.get("name") == "match")


@pytest.fixture
def three_sizes(forge):
    installed(
        forge,
        world.model("small:1b", size_bytes=10**9, quantization="Q8_0", capabilities=["embedding"]),
        world.model("middle:8b", size_bytes=5 * 10**9, capabilities=["completion", "tools"]),
        world.model("big:70b", size_bytes=40 * 10**9),
    )
    return forge


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("size=s", ["small:1b"]),
        ("size=m", ["middle:8b"]),
        ("size=xl", ["big:70b"]),
        ("capability=embedding", ["small:1b"]),
        ("capability=tools&size=m", ["middle:8b"]),
        ("quantization=Q8_0", ["small:1b"]),
        ("sort=size", ["small:1b", "middle:8b", "big:70b"]),
        ("sort=-size", ["big:70b", "middle:8b", "small:1b"]),
        ("sort=name", ["big:70b", "middle:8b", "small:1b"]),
        ("sort=quantization", ["big:70b", "middle:8b", "small:1b"]),
        ("sort=family", ["big:70b", "middle:8b", "small:1b"]),
    ],
)
def test_what_models_are_filters_and_orders_them(three_sizes, query, shown):
    assert names(signed_in().get(f"/models?{query}")) == shown


def test_the_best_and_the_last_measured_come_first_when_asked(forge):
    atlas = world.machine("atlas")
    for machine, model, rate in ((forge, QWEN, 50.0), (forge, GEMMA, 80.0), (atlas, LLAMA, 60.0)):
        world.result(machine, model, rate=rate)
    browser = signed_in()

    assert names(browser.get("/models?sort=best")) == [GEMMA, LLAMA, QWEN]
    assert names(browser.get(f"/models?sort={forge.id}")) == [GEMMA, QWEN, LLAMA]
    assert names(browser.get("/models?sort=latest")) == [LLAMA, GEMMA, QWEN]
    assert names(browser.get("/models?sort=-latest")) == [QWEN, GEMMA, LLAMA]


def test_of_times_the_least_is_best(forge):
    world.result(forge, QWEN, rate=50.0)
    world.result(forge, GEMMA, rate=80.0)

    page = signed_in().get("/models?sort=best&metric=ttft")

    assert names(page)[:2] == [GEMMA, QWEN]
    assert "time to first token of the latest valid result in ms, lower is better" in words(page)


def test_a_model_on_more_machines_comes_first_when_asked(forge):
    installed(world.machine("atlas", models=[]), world.model(QWEN))

    assert names(signed_in().get("/models?sort=machines"))[0] == QWEN


def test_several_machines_and_a_label_choose_columns(forge):
    atlas, kiln = world.machine("atlas"), world.machine("kiln")
    Machine.objects(id=kiln.id).update_one(set__labels=["lab"])
    browser = signed_in()

    assert machines(browser.get(f"/models?client={forge.id}&client={atlas.id}")) == {str(forge.id), str(atlas.id)}
    assert machines(browser.get("/models?label=lab")) == {str(kiln.id)}


def test_names_with_several_digests_can_be_asked_for_and_say_who_has_which(forge):
    atlas = world.machine("atlas", models=[])
    installed(atlas, world.model(QWEN, digest="sha256:another"), world.model(LLAMA))

    page = signed_in().get("/models?differs=1")

    assert names(page) == [QWEN]
    assert "another atlas" in words(page)


def test_a_number_says_which_digest_it_is_of_where_they_differ(forge):
    atlas = world.machine("atlas", models=[])
    installed(atlas, world.model(QWEN, digest="sha256:0123456789"))
    world.result(atlas, QWEN)

    page = signed_in().get("/models?differs=1")

    assert re.search(r"±0\.[23] 0123456 ", words(page))


def test_a_measured_model_without_the_metric_says_so_instead_of_not_run(forge):
    world.result(forge, LLAMA)

    page = signed_in().get("/models?metric=energy")

    assert "measured without energy per output token" in page.content.decode()


def test_active_filters_are_chips_that_take_themselves_away(forge):
    page = signed_in().get("/models?family=qwen3&metric=ttft&sort=name")

    assert "Family qwen3" in words(page)
    assert "?metric=ttft&sort=name" in links(page)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("size=huge", "“size”: “huge” is none of"),
        ("metric=beauty", "“metric”: “beauty” is none of"),
        ("sort=beauty", "“sort”: “beauty” is none of"),
        ("client=forge", "“client”: “forge” is no id."),
        ("client=507f1f77bcf86cd799439011", "there is no machine with the id 507f1f77bcf86cd799439011"),
        ("label=nowhere", "“label”: “nowhere” is a label of no machine."),
        ("from=-5", "“from”: “-5” is no whole number"),
        ("colour=red", "“colour”: this page has no such filter."),
    ],
)
def test_nonsense_is_left_out_and_said(forge, query, sentence):
    page = signed_in().get(f"/models?{query}")

    assert page.status_code == 200
    assert sentence in words(page)
    assert set(names(page)) == set(world.MODELS)


def test_a_page_beyond_the_end_leads_back(forge):
    page = signed_in().get("/models?from=5000")

    assert "The list ends before this page." in words(page)
    assert "/models" in links(page)


def test_the_second_page_has_the_rest_and_leads_back(forge):
    installed(forge, *(world.model(f"model-{i:03}:1b") for i in range(ROWS_SHOWN + 20)))

    page = signed_in().get(f"/models?from={ROWS_SHOWN}&q=model")

    assert len(names(page)) == 20
    assert "?q=model" in links(page)


def test_everything_that_matches_counts_what_is_not_shown_too(forge):
    installed(
        forge,
        *(world.model(f"model-{i:03}:1b") for i in range(ROWS_SHOWN + 20)),
        world.model("sees:1b", capabilities=["vision"]),
    )

    box = everything(signed_in().get("/models?q=model&sort=name&metric=ttft"))

    assert (box["value"], box["data-pairs"]) == ("?q=model", str(ROWS_SHOWN + 20))


def test_a_viewer_has_no_box_to_select_all(forge):
    assert [tag for tag in tags(signed_in(Role.VIEWER).get("/models"), "input") if tag.get("name") == "match"] == []


def test_a_search_while_typing_puts_a_clean_address_into_the_browser(forge):
    answer = signed_in().get("/models?q=llama&family=&size=&sort=size", headers={"HX-Request": "true"})

    assert answer["HX-Replace-Url"] == "/models?q=llama&sort=size"
