"""static/js/folds.js in a real browser: sections of a long page are open where there is room and folded on phones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

STATIC = Path(__file__).resolve().parents[2] / "static"
SITE = "http://obt.test/"
PAGE = """<!doctype html><title>x</title><script src="/static/js/folds.js" defer></script>
<a href="#one-in">to what is in it</a>
<details open data-folds id="one"><summary>One</summary><p id="one-in">in one</p></details>
<details open data-folds id="two"><summary>Two</summary><p>in two</p></details>
<details open id="other"><summary>Other</summary><p>in the other</p></details>"""
PHONE, DESK = {"width": 390, "height": 800}, {"width": 1200, "height": 800}

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    tab: Page = browser.new_page()

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(SITE)
        if path.startswith("static/"):
            route.fulfill(path=STATIC / path.removeprefix("static/"))
        else:
            route.fulfill(body=PAGE, content_type="text/html")

    tab.route("**/*", answer)
    yield tab
    tab.close()


def look(page: Page, size: dict[str, int], address: str = SITE) -> None:
    page.set_viewport_size(size)  # type: ignore[arg-type]
    page.goto(address)


def test_where_there_is_room_everything_is_open(page: Page) -> None:
    look(page, DESK)
    expect(page.get_by_text("in one")).to_be_visible()
    expect(page.get_by_text("in two")).to_be_visible()


def test_on_a_phone_sections_are_folded_and_other_details_stay(page: Page) -> None:
    look(page, PHONE)
    expect(page.get_by_text("in one")).to_be_hidden()
    expect(page.get_by_text("in two")).to_be_hidden()
    expect(page.get_by_text("in the other")).to_be_visible()
    page.get_by_text("Two", exact=True).click()
    expect(page.get_by_text("in two")).to_be_visible()


def test_the_section_that_the_address_points_at_is_open(page: Page) -> None:
    look(page, PHONE, f"{SITE}#two")
    expect(page.get_by_text("in two")).to_be_visible()
    expect(page.get_by_text("in one")).to_be_hidden()


def test_a_link_into_a_folded_section_opens_it(page: Page) -> None:
    look(page, PHONE)
    page.get_by_text("to what is in it").click()
    expect(page.get_by_text("in one")).to_be_visible()


def test_what_was_folded_opens_when_there_is_room_again(page: Page) -> None:
    look(page, PHONE)
    expect(page.get_by_text("in one")).to_be_hidden()
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    expect(page.get_by_text("in one")).to_be_visible()
