"""The models page in a real browser: selecting, searching while typing, and the bar that follows."""

import re

import pytest
from playwright.sync_api import Page, expect

from agents import verbs
from benchmarks.tests import world
from obt_site.tests.browser import TIMEOUT_MS
from obt_site.tests.people import PASSWORD
from obt_site.tests.server import RunningServer

SIGN_UP = (
    "from obt_site.tests.people import *; from obt_site.access import Role;"
    " get_user_model().objects.filter(username='picker').exists() or person('picker', Role.OPERATOR)"
)


def opened(server: RunningServer, page: Page) -> Page:
    """The models page of an operator."""
    server.manage("shell", "-c", SIGN_UP)
    expect.set_options(timeout=TIMEOUT_MS)
    page.goto(f"{server.url}/sign-in")
    page.locator("input[name=username]").fill("picker")
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/fleet")
    page.goto(f"{server.url}/models")
    return page


@pytest.fixture
def models(server: RunningServer, page: Page) -> Page:
    """Two machines with the world's three models."""
    world.machine("forge")
    world.machine("atlas")
    return opened(server, page)


def bar(page: Page):
    return page.locator("[data-selbar]")


def test_a_row_a_column_and_everything_are_ticked_and_counted(models):
    models.get_by_role("checkbox", name="Select llama3.2:3b everywhere").check()
    expect(bar(models)).to_contain_text(re.compile(r"2\s*jobs"))
    expect(bar(models)).to_contain_text("1 model, 2 machines")

    models.get_by_role("checkbox", name="Select all on forge").check()
    expect(bar(models)).to_contain_text(re.compile(r"4\s*jobs"))

    models.get_by_role("checkbox", name="Select all 6 that match").check()
    expect(bar(models)).to_contain_text("3 models, all that match")
    expect(models.locator("#estimate")).to_contain_text("At most 9 min")


def test_what_is_ticked_stays_when_a_search_takes_it_out_of_sight_and_is_started(models):
    models.get_by_role("checkbox", name="llama3.2:3b on forge").check()
    search = models.get_by_role("searchbox")
    search.fill("qwen")
    expect(models.locator("#rows tr")).to_have_count(1)
    expect(search).to_be_focused()
    expect(models).to_have_url(re.compile(r"/models\?q=qwen"))
    models.get_by_role("checkbox", name="qwen3:8b on atlas").check()
    expect(bar(models)).to_contain_text("2 models, 2 machines")

    models.get_by_role("button", name="Plan").click()

    expect(models.locator("#plan")).to_contain_text("2 jobs: 2 models on 2 machines")


def test_more_models_are_added_below_those_that_are_there(server, page):
    many = [world.model(f"model-{i:03}:1b") for i in range(70)]
    verbs.take_in(world.machine("forge"), world.sync_request(models=many, models_hash="many"))
    models = opened(server, page)
    expect(models.locator("#rows tr")).to_have_count(50)

    models.get_by_role("link", name=re.compile("Show more")).click()

    expect(models.locator("#rows tr")).to_have_count(70)
    expect(models.get_by_role("link", name=re.compile("Show more"))).to_have_count(0)
