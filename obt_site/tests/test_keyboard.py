"""The main way by keys alone, from signing in to a comparison of two results, with a real agent and the simulator."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from agent.simulator import SimulatedOllama
from agent.simulator.models import default_models
from obt_site.tests.agent import RunningAgent
from obt_site.tests.browser import Watch
from obt_site.tests.people import PASSWORD
from obt_site.tests.server import RunningServer
from obt_site.tests.visiting import NAME, account, tab_to

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

MODELS = ("sim-llama3.2:1b", "sim-llama3.1:8b")
CELLS = {"load", "tg128"}
SPEED = 20.0  # times as fast as the machine it simulates
WITHIN_MS = 150_000


@pytest.fixture
def agent(server: RunningServer, tmp_path: Path) -> Iterator[RunningAgent]:
    with (
        SimulatedOllama(default_models(), speed=SPEED) as ollama,
        RunningAgent(server, ollama.url, tmp_path / "forge") as running,
    ):
        yield running


def test_everything_on_the_main_way_is_reached_by_keys(
    page: Page, server: RunningServer, agent: RunningAgent, watch: Watch
) -> None:
    watch.expected += ["htmx:afterRequest", "htmx:sendAbort"]  # a search that the next letter has overtaken
    account(server)
    page.goto(f"{server.url}/sign-in")
    sign_in(page)
    open_from_palette(page, "Models", "**/models")
    choose_models(page)
    start_on_two_cells(page)
    expect(page.locator("h1")).to_contain_text("Done", timeout=WITHIN_MS)

    tab_to(page, page.locator("main").get_by_role("link", name=MODELS[0]))
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/results/[0-9a-f]{24}-1$"))
    expect(page.locator("h1")).to_contain_text(f"{MODELS[0]} on forge")

    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/results")
    compare_two(page)
    expect(page.locator("h1")).to_contain_text("against")
    expect(page.locator("main").get_by_role("row", name=re.compile("tg128")).first).to_be_visible()

    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")


def sign_in(page: Page) -> None:
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type(NAME)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/fleet")


def open_from_palette(page: Page, word: str, address: str) -> None:
    page.keyboard.press("Control+k")
    page.keyboard.type(word)
    expect(page.locator("#palette a").first).to_contain_text(word)
    expect(page.locator("#palette input")).to_have_js_property("value", word)
    page.wait_for_function("word => document.querySelector('#palette input').dataset.answered === word", arg=word)
    page.keyboard.press("Enter")
    page.wait_for_url(address)


def choose_models(page: Page) -> None:
    """Search, go through what is found with j and k, tick with x."""
    page.keyboard.press("/")
    page.keyboard.type("llama")
    rows = page.locator("#matrix [data-row]")
    expect(rows).to_have_count(len(MODELS))
    expect(page).to_have_url(re.compile("llama"))
    page.keyboard.press("Escape")
    expect(page.locator("main input[type=search]")).to_have_value("llama")
    bar = page.locator("[data-selbar]")
    for key, jobs in (("j", "—"), ("x", "1 job"), ("j", "1 job"), ("x", "2 jobs"), ("k", "2 jobs"), ("x", "1 job"),
                      ("x", "2 jobs")):  # fmt: skip
        page.keyboard.press(key)
        expect(bar.locator(".count")).to_contain_text(re.compile(jobs.replace(" ", r"\s*")))
    expect(bar.locator("#estimate")).to_contain_text("At most")
    tab_to(page, bar.get_by_role("button", name="Plan"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/sessions/new?**")


def start_on_two_cells(page: Page) -> None:
    """Cells of one's own: untick all but two on the page of the plan, and start."""
    tab_to(page, page.locator("input[name=measure]"))
    page.keyboard.press("ArrowDown")
    expect(page.locator("input[name=measure][value=own]")).to_be_checked()
    cells = page.locator("input[name=cells]")
    for name in [str(box.get_attribute("value")) for box in cells.all()]:
        box = page.locator(f'input[name=cells][value="{name}"]')
        if name not in CELLS and box.is_checked():
            tab_to(page, box)
            page.keyboard.press("Space")
            expect(box).not_to_be_checked()
    assert {box.get_attribute("value") for box in cells.all() if box.is_checked()} == CELLS
    tab_to(page, page.get_by_role("button", name="Start session"))
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/sessions/[0-9a-f]{24}$"))


def compare_two(page: Page) -> None:
    chosen = page.locator("input[name=result]:checked")
    for keys, count in (("jx", 1), ("jx", 2), ("x", 1), ("x", 2)):
        page.keyboard.type(keys)
        expect(chosen).to_have_count(count)
    tab_to(page, page.get_by_role("button", name="Compare"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/compare?**")
