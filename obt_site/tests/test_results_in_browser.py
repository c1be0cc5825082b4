"""The results explorer in a real browser: filters, order, groups, saved views, charts; all of it in the address."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from benchmarks import numbers
from benchmarks.tests import world
from obt_site.tests.server import RunningServer
from obt_site.tests.visiting import sign_in

pytestmark = pytest.mark.browser

LLAMA, QWEN, _ = world.MODELS
# (machine, model, decode rate): forge is faster with one model, atlas with the other
RATES = (("forge", LLAMA, 120.0), ("atlas", LLAMA, 80.0), ("forge", QWEN, 40.0), ("atlas", QWEN, 60.0))


@pytest.fixture
def explorer(page: Page, server: RunningServer) -> Page:
    """Four results of two machines, and the page that shows them."""
    machines = {name: world.machine(name) for name in ("forge", "atlas")}
    for name, model, rate in RATES:
        world.result(machines[name], model, rate=rate)
    numbers.renew("results")  # the server may remember those of another test by the same numbers
    sign_in(page, server).goto(f"{server.url}/results")
    expect(page.locator("h1")).to_have_text("Results")
    return page


def rows(page: Page) -> Locator:
    return page.locator("table.exp [data-row]")


def shown(page: Page) -> list[str]:
    """The rows in order, as `machine rate`."""
    return [f"{row.locator('.name').inner_text()} {row.locator('.k-v .v').inner_text()}" for row in rows(page).all()]


def choose(page: Page, menu: str, option: str) -> None:
    """An option of one of the menus over the table."""
    opened = page.locator("details.menu").filter(has=page.locator("summary", has_text=menu)).first
    opened.locator("summary").click()
    opened.get_by_role("link", name=re.compile(option)).click()


def back(page: Page, address: str) -> None:
    """What the browser's button does, and wait until it is done: a second press would take the first one's place."""
    page.evaluate("() => { setTimeout(() => history.back()); }")
    expect(page).to_have_url(re.compile(address))
    page.wait_for_load_state()
    page.wait_for_function("() => !document.querySelector('.htmx-request')")


def test_a_filter_is_a_chip_and_goes_away_by_a_click_on_it(explorer: Page) -> None:
    expect(rows(explorer)).to_have_count(4)
    choose(explorer, "Model", LLAMA)

    expect(rows(explorer)).to_have_count(2)
    chip = explorer.get_by_role("link", name=f"Take the filter Model {LLAMA} away")
    expect(chip).to_be_visible()
    expect(explorer).to_have_url(re.compile(r"\?model=llama3\.2%3A3b$"))

    choose(explorer, "Machine", "forge")
    expect(rows(explorer)).to_have_count(1)
    chip.click()
    expect(rows(explorer)).to_have_count(2)
    explorer.get_by_role("link", name="Clear all").click()
    expect(rows(explorer)).to_have_count(4)


def test_search_narrows_while_one_types_and_keeps_the_focus(explorer: Page) -> None:
    explorer.keyboard.press("/")
    explorer.keyboard.type("qwen")

    expect(rows(explorer)).to_have_count(2)
    expect(explorer.get_by_role("searchbox", name="Search results")).to_be_focused()
    expect(explorer).to_have_url(re.compile(r"q=qwen"))


def test_a_column_sorts_both_ways_and_reload_and_back_keep_what_was_seen(explorer: Page) -> None:
    choose(explorer, "Group by", "Nothing")
    explorer.wait_for_url("**group=none**")
    explorer.locator("thead").get_by_role("link", name="Decode").click()
    explorer.wait_for_url("**sort=decode_rate**")
    expect(rows(explorer).first).to_contain_text("120.")
    best_first = shown(explorer)
    assert [line.rsplit(" ", 1)[1][:2] for line in best_first] == ["12", "80", "60", "40"]

    explorer.locator("thead").get_by_role("link", name="Decode").click()
    explorer.wait_for_url("**sort=-decode_rate**")
    expect(rows(explorer).first).to_contain_text("40.")
    assert shown(explorer) == best_first[::-1]

    explorer.reload()
    expect(explorer.locator("thead a.sortd")).to_contain_text("Decode")
    assert shown(explorer) == best_first[::-1]
    back(explorer, r"sort=decode_rate$")
    expect(rows(explorer).first).to_contain_text("120.")
    assert shown(explorer) == best_first
    back(explorer, r"group=none$")
    expect(explorer.locator("tr.grp")).to_have_count(0)
    back(explorer, r"/results$")
    expect(explorer.locator("tr.grp")).to_have_count(2)


def test_groups_follow_what_was_chosen(explorer: Page) -> None:
    groups = explorer.locator("tr.grp .g-l a")
    expect(groups).to_have_count(2)
    assert set(groups.all_inner_texts()) == {LLAMA, QWEN}

    choose(explorer, "Group by", "Machine")
    expect(groups.filter(has_text="forge")).to_be_visible()
    assert set(groups.all_inner_texts()) == {"forge", "atlas"}

    groups.filter(has_text="forge").click()
    expect(rows(explorer)).to_have_count(2)
    expect(explorer.get_by_role("link", name="Take the filter Machine forge away")).to_be_visible()


def test_a_view_is_saved_by_name_and_comes_back_as_it_was(explorer: Page, server: RunningServer, watch) -> None:
    watch.expected += ["409", "Response Status Error Code 409"]  # the name that is taken, asked about below
    explorer.goto(f"{server.url}/results?model={LLAMA}&group=none&sort=decode_rate")
    views = explorer.get_by_role("navigation", name="Saved views")
    explorer.get_by_text("Save view").click()
    explorer.get_by_label("Name of this view").fill("Fast llamas")
    explorer.keyboard.press("Enter")
    expect(views.get_by_role("link", name="Fast llamas")).to_have_attribute("aria-current", "true")
    saved = shown(explorer)
    assert len(saved) == 2

    views.get_by_role("link", name="Usual view").click()
    expect(rows(explorer)).to_have_count(4)
    expect(views.get_by_role("link", name="Fast llamas")).not_to_have_attribute("aria-current", "true")
    views.get_by_role("link", name="Fast llamas").click()
    expect(rows(explorer)).to_have_count(2)
    assert shown(explorer) == saved

    # Another view of that name is asked about before it takes its place.
    explorer.goto(f"{server.url}/results?model={QWEN}")
    views.get_by_text("Save view").click()
    explorer.get_by_label("Name of this view").fill("Fast llamas")
    explorer.keyboard.press("Enter")
    expect(explorer.locator("#view-error")).to_contain_text("You have a view called “Fast llamas” already.")
    explorer.get_by_role("button", name="Replace the one I have").click()
    expect(explorer.get_by_role("link", name=f"Take the filter Model {QWEN} away")).to_be_visible()


def test_the_chart_is_switched_and_the_address_remembers_which(explorer: Page) -> None:
    kinds = explorer.get_by_role("navigation", name="Chart")
    expect(explorer.locator("td.cell-ch svg").first).to_be_visible()

    kinds.get_by_role("link", name="Scatter").click()
    scatter = explorer.locator("figure.split-c")
    expect(scatter).to_be_visible()
    explorer.get_by_label("Up", exact=True).select_option("ttft")
    explorer.wait_for_url("**y=ttft**")
    expect(scatter.locator("figcaption")).to_contain_text("medians of 4 results")
    expect(explorer.locator("td.cell-ch")).to_have_count(0)

    explorer.reload()
    expect(scatter.locator("figcaption")).to_contain_text("medians of 4 results")
    kinds.get_by_role("link", name="Bars").click()
    expect(scatter).to_have_count(0)
    expect(explorer.locator("td.cell-ch svg").first).to_be_visible()
    explorer.go_back()
    expect(scatter).to_be_visible()
    expect(explorer).to_have_url(re.compile(r"chart=scatter"))


def test_a_point_of_the_scatter_opens_its_result(explorer: Page, server: RunningServer) -> None:
    explorer.goto(f"{server.url}/results?chart=scatter&y=ttft")
    explorer.locator("figure.split-c .best-l a").first.click()

    explorer.wait_for_url(re.compile(r"/results/[0-9a-f]{24}-1$"))


def test_rows_are_chosen_counted_and_shown_alone(explorer: Page) -> None:
    bar = explorer.get_by_role("group", name="What to do with the chosen results")
    expect(bar).not_to_be_visible()
    for box in explorer.locator("input[name=result]").all()[:3]:
        box.check()
    expect(bar).to_be_visible()
    bar.get_by_role("button", name="Show only these").click()

    expect(rows(explorer)).to_have_count(3)
    expect(explorer.get_by_role("link", name="Take the filter Chosen 3 results away")).to_be_visible()


def test_all_that_match_are_chosen_at_once_and_compared(explorer: Page, server: RunningServer) -> None:
    explorer.goto(f"{server.url}/results?model={LLAMA}")
    explorer.get_by_role("checkbox", name="Select all 2 that match").check()
    bar = explorer.get_by_role("group", name="What to do with the chosen results")
    expect(bar.locator(".picked-all")).to_have_text("2")
    expect(bar.locator(".picked-all")).to_be_visible()
    expect(bar.locator(".picked-n")).not_to_be_visible()
    bar.get_by_role("button", name="Clear").click()
    expect(bar).not_to_be_visible()

    explorer.get_by_role("checkbox", name="Select all 2 that match").check()
    with explorer.expect_download() as export:
        bar.get_by_role("button", name="CSV").click()
    assert len(export.value.path().read_text(encoding="utf-8").splitlines()) == 1 + 2

    bar.get_by_role("button", name="Compare").click()
    explorer.wait_for_url("**/compare?result=**")
    expect(explorer.locator("h1")).to_contain_text("against")
