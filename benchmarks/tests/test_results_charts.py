"""The charts of /results: bars on one scale or one per group, and the scatter."""

import pytest

from benchmarks.tests import world
from obt_site.tests.people import links, signed_in, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def forge(database):
    return world.machine("forge")


@pytest.mark.parametrize("group", ["model", "client", "family", "quantization", "ollama", "none"])
@pytest.mark.parametrize("chart", ["bars", "scatter", "off"])
def test_each_grouping_and_each_chart_shows_the_result(forge, group, chart):
    result = world.result(forge)
    page = signed_in().get(f"/results?group={group}&chart={chart}&x=ttft&y=prefill_rate")
    assert f"/results/{result.id}" in links(page)


def test_the_scatter_names_what_nothing_beats_and_which_way_is_better(forge):
    world.result(forge, "llama3.2:3b", rate=100.0)
    world.result(forge, "qwen3:8b", rate=50.0)

    page = words(signed_in().get("/results?chart=scatter&x=decode_rate&y=ttft"))

    assert "TTFT, ms (lower is better ↓)" in page
    assert "Decode, tok/s (higher is better →)" in page
    assert "nothing here is better in both" in page
    assert "llama3.2:3b on forge: 100.2 tok/s" in page


def test_a_scatter_of_what_was_not_measured_says_so(forge):
    world.result(forge)
    page = words(signed_in().get("/results?chart=scatter&y=energy_per_output_token"))
    assert "No result of this view has both numbers." in page
    assert "1 result of this view lacks one of the two" in page


def test_groups_far_apart_have_scales_of_their_own_and_the_page_says_so(forge):
    for machine in (forge, world.machine("atlas")):
        world.result(machine, "llama3.2:3b", rate=200.0)
        world.result(machine, "qwen3:8b", rate=2.0)
    browser = signed_in()

    assert "Each group has its own scale" in words(browser.get("/results"))
    assert "Each group has its own scale" not in words(browser.get("/results?scale=shared"))
