"""static/js/telemetry.js in a real browser: panels that move, under a strict policy, in place of the still ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

STATIC = Path(__file__).resolve().parents[2] / "static"
SITE = "http://obt.test"
POLICY = "default-src 'self'; script-src 'self'; style-src 'self'; connect-src 'self'"
PAGE = """<!doctype html><html data-theme="dark"><head><title>x</title>
<link rel="stylesheet" href="/static/css/tokens.css"><link rel="stylesheet" href="/static/css/base.css">
<link rel="stylesheet" href="/static/vendor/uplot.min.css"><link rel="stylesheet" href="/static/css/telemetry.css">
<script src="/static/vendor/uplot.min.js" defer></script><script src="/static/js/telemetry.js" defer></script></head>
<body><figure><div data-telemetry="/t.json" data-chosen="tg128" data-more="more"><p>the still panels</p></div>
<button data-chart-as="svg">SVG</button></figure>
<details><summary>1 more reading</summary><div id="more"><p>the still one in the fold</p></div></details>
</body></html>"""
TIMES = [i / 5 for i in range(500)]
DATA: dict[str, Any] = {
    "length_s": 100.0,
    "panels": [
        {"name": "GPU use", "unit": "%", "note": "0–99 %", "t_s": TIMES,
         "values": [None if 40 < t < 50 else t for t in TIMES],
         "floor": 0.0, "ceiling": 100.0, "throttled": [[60.0, 62.0]]},
        {"name": "Clock", "unit": "MHz", "note": "", "t_s": TIMES, "values": [2000.0] * 500,
         "floor": None, "ceiling": None, "throttled": []},
    ],
    "more": [
        {"name": "Swap", "unit": "GB", "note": "0–1 GB", "t_s": TIMES, "values": [t / 100 for t in TIMES],
         "floor": None, "ceiling": None, "throttled": []},
    ],
    "phases": [["pp512", 2.0, 9.0, "warm_up"], ["pp512", 10.0, 19.0, "counted"], ["tg128", 20.0, 39.0, "counted"]],
}  # fmt: skip

pytestmark = pytest.mark.browser


class Answers:
    """What the telemetry address says; None breaks the request."""

    def __init__(self) -> None:
        self.data: dict[str, Any] | None = DATA

    def answer(self, route: Route) -> None:
        path = route.request.url.removeprefix(SITE)
        if path == "/t.json":
            route.fulfill(json=self.data) if self.data is not None else route.fulfill(status=500, body="")
        elif path.startswith("/static/"):
            route.fulfill(path=STATIC / path.removeprefix("/static/"))
        else:
            route.fulfill(body=PAGE, content_type="text/html", headers={"Content-Security-Policy": POLICY})


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def page(browser: Browser, answers: Answers) -> Iterator[Page]:
    tab: Page = browser.new_page()
    wrong: list[str] = []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("console", lambda line: wrong.append(line.text) if "Content Security Policy" in line.text else None)
    tab.route("**/*", answers.answer)
    yield tab
    tab.close()
    assert wrong == []


def test_each_panel_is_drawn_and_the_still_ones_step_back(page: Page) -> None:
    page.goto(SITE)
    expect(page.locator("canvas")).to_have_count(3)
    expect(page.get_by_text("the still panels")).to_be_hidden()
    expect(page.get_by_role("img", name="GPU use: 0–99 %")).to_be_visible()


def test_buttons_zoom_to_the_chosen_cell_and_back_by_keyboard(page: Page) -> None:
    page.goto(SITE)
    page.get_by_role("button", name="Zoom to the chosen cell").press("Enter")
    expect(page.get_by_role("status")).to_have_text("Shown: 0:19 to 0:39 of 1:40.")
    page.get_by_role("button", name="Whole run").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Drag across a panel to zoom")


def test_another_cell_can_be_chosen(page: Page) -> None:
    page.goto(SITE)
    page.get_by_role("button", name="pp512").click()
    expect(page.get_by_role("button", name="pp512")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="tg128")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Zoom to the chosen cell").click()
    expect(page.get_by_role("status")).to_have_text("Shown: 0:01 to 0:19 of 1:40.")


def test_dragging_across_a_panel_zooms_all_and_a_double_click_shows_the_whole(page: Page) -> None:
    page.goto(SITE)
    field = page.locator(".u-over").nth(1)
    field.scroll_into_view_if_needed()
    box = field.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.4, middle, steps=5)
    page.mouse.up()
    expect(page.get_by_role("status")).to_contain_text("Shown: 0:")
    page.locator(".u-over").nth(2).dblclick()
    expect(page.get_by_role("status")).to_contain_text("Drag across a panel to zoom")


def test_more_readings_are_drawn_when_they_are_unfolded_and_zoom_with_the_others(page: Page) -> None:
    page.goto(SITE)
    expect(page.locator("canvas")).to_have_count(3)
    page.get_by_role("button", name="Zoom to the chosen cell").click()
    page.get_by_text("1 more reading").click()
    expect(page.get_by_role("img", name="Swap: 0–1 GB")).to_be_visible()
    expect(page.get_by_text("the still one in the fold")).to_be_hidden()
    field = page.locator(".u-over").nth(3)
    box = field.bounding_box()
    assert box is not None
    field.hover(position={"x": box["width"] * 0.5, "y": 20})
    expect(page.get_by_text(re.compile(r"GB at 0:2\d"))).to_be_visible()  # the middle of 0:19 to 0:39
    field.dblclick()
    expect(page.get_by_role("status")).to_contain_text("Drag across a panel to zoom")


def test_the_reading_under_the_pointer_is_said_and_a_gap_is_called_one(page: Page) -> None:
    page.goto(SITE)
    field = page.locator(".u-over").nth(1)
    box = field.bounding_box()
    assert box is not None
    field.hover(position={"x": box["width"] * 0.8, "y": 20})
    expect(page.get_by_text("% at 1:")).to_be_visible()
    field.hover(position={"x": box["width"] * 0.45, "y": 20})
    expect(page.get_by_text("no reading at 0:4")).to_be_visible()


def test_without_the_numbers_the_still_panels_stay(page: Page, answers: Answers) -> None:
    answers.data = None
    with page.expect_response("**/t.json"):
        page.goto(SITE)
    expect(page.get_by_text("the still panels")).to_be_visible()
    expect(page.locator("canvas")).to_have_count(0)
