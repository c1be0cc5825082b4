"""Keys, palette, what is sent, copied numbers and the theme, in a real browser on a scripted site."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import Browser, Page, Route, expect

from benchmarks.presenters.palette import Entry, Group
from obt_site import places
from obt_site.tests.browser import serve_static

SITE = "https://obt.test"  # browsers notify on safe addresses only
POLICY = "default-src 'self'; script-src 'self'; style-src 'self'; connect-src 'self'"
BASE = (Path(__file__).resolve().parents[2] / "templates" / "base.html").read_text(encoding="utf-8")
HTMX_CONFIG = re.search(r"<meta name=.htmx-config.*>", BASE)
SCRIPTS = ("vendor/htmx.min", "vendor/idiomorph-ext.min", "js/time", "js/ui", "js/forms", "js/copy", "js/keys",
           "js/palette", "js/session")  # fmt: skip
ROWS = "".join(
    f'<tr data-row><td><input class="chk" type="checkbox"></td><td><a class="name" href="/{name}">{name}</a></td>'
    f'<td class="r"><span class="v">{value}</span><span class="u">tok/s</span></td></tr>'
    for name, value in (("forge", "5\u2009182"), ("atlas", "\u22123.1"), ("kiln", "127.4"))
)

pytestmark = pytest.mark.browser


def site_page() -> str:
    around = {"bar": places.BAR, "more": places.MORE}
    scripts = "".join(f'<script src="/static/{name}.js" defer></script>' for name in SCRIPTS)
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
    <title>Sessions</title>{HTMX_CONFIG[0] if HTMX_CONFIG else ""}
    <script src="/static/js/theme.js"></script>{scripts}</head><body>
    <nav><a data-go="f" href="/fleet">Fleet</a><a href="/palette" data-palette>Go to</a>
    <button data-theme-toggle>Theme</button><button data-keys>Keys</button></nav>
    <main><input type="search" id="q"><textarea id="note"></textarea>
    <table data-list><tbody>{ROWS}</tbody></table>
    <form method="post" action="/slow"><button class="btn" name="do" value="start">Start</button></form>
    <button class="btn" id="ask" hx-post="/refused">Ask</button>
    <button class="btn" id="gone" hx-post="/gone">Gone</button>
    <label><input type="radio" name="theme" value="dark" data-choose="theme">Dark</label>
    <label><input type="radio" name="theme" value="system" data-choose="theme">System</label>
    <button data-notify hidden><span data-notify-word></span></button></main>
    {render_to_string("_palette.html")}{render_to_string("_keys.html", around)}
    <div id="said" role="status"></div><div id="toasts"></div></body></html>"""


class Site:
    """What the scripted server answers, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.waiting: list[Route] = []

    def answer(self, route: Route) -> None:
        parts = urlsplit(route.request.url)
        if parts.path.startswith("/static/"):
            return serve_static(route)
        self.asked.append(f"{route.request.method} {parts.path}")
        if parts.path == "/palette":
            return route.fulfill(body=found(parse_qs(parts.query).get("q", [""])[0]), content_type="text/html")
        if parts.path == "/slow":
            return self.waiting.append(route)
        if parts.path == "/refused":
            problem = {"status": 409, "detail": "Someone was faster.", "request_id": "abc"}
            return route.fulfill(status=409, body=json.dumps(problem), content_type="application/problem+json")
        if parts.path == "/gone":
            return route.abort()
        route.fulfill(body=site_page(), content_type="text/html", headers={"Content-Security-Policy": POLICY})

    def sent(self, page: Page, what: str) -> None:
        """Wait until the browser has asked for `what`, e.g. `POST /slow`."""
        until = time.monotonic() + 30
        while what not in self.asked:
            assert time.monotonic() < until, f"{what} was not sent: {self.asked}"
            page.wait_for_timeout(5)  # lets the routes be answered; nothing may be asked of a page that is leaving


def found(text: str) -> str:
    names = [name for name in ("forge", "atlas", "anvil") if text in name]
    entries = [Entry(name, f"/machines/{name}", "fleet") for name in names]
    return render_to_string("_palette_found.html", {"groups": [Group("Machines", entries)] if entries else []})


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    context = browser.new_context(color_scheme="light")
    context.grant_permissions(["clipboard-read", "clipboard-write", "notifications"], origin=SITE)
    context.add_init_script(
        "window.told = []; window.Notification = class extends EventTarget {"
        " static permission = 'default'; static async requestPermission() { return (this.permission = 'granted'); }"
        " constructor(title, more) { super(); window.told.push([title, more.body]); } };"
    )
    tab = context.new_page()
    wrong: list[str] = []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("console", lambda line: wrong.append(line.text) if "Content Security Policy" in line.text else None)
    tab.route("**/*", site.answer)
    tab.goto(f"{SITE}/sessions")
    yield tab
    context.close()
    assert wrong == []


def focused(page: Page) -> Any:
    return page.evaluate("document.activeElement.textContent.trim() || document.activeElement.id")


def test_j_and_k_move_through_the_rows_and_stop_at_the_ends(page: Page) -> None:
    seen = []
    for key in "jjjjkkk":
        page.keyboard.press(key)
        seen.append(focused(page))

    assert seen == ["forge", "atlas", "kiln", "kiln", "atlas", "forge", "forge"]


def test_enter_opens_the_row(page: Page) -> None:
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")

    page.wait_for_url("**/atlas")


def test_x_selects_the_row_and_says_so(page: Page) -> None:
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("input.chk").first).to_be_checked()
    expect(page.locator("#said")).to_have_text("forge selected")

    page.keyboard.press("x")
    expect(page.locator("input.chk").first).not_to_be_checked()
    expect(page.locator("#said")).to_have_text("forge not selected")


def test_keys_begin_again_where_they_were_after_a_field(page: Page) -> None:
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    page.keyboard.press("j")

    assert focused(page) == "kiln"


def test_slash_goes_to_the_search_and_what_is_typed_there_is_no_key(page: Page) -> None:
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()

    page.keyboard.type("j?x/gf")
    expect(page.locator("#q")).to_have_value("j?x/gf")
    expect(page.locator("#keys")).not_to_be_visible()
    page.locator("#note").fill("")
    page.locator("#note").press("j")
    expect(page.locator("#note")).to_have_value("j")


def test_a_question_mark_lists_the_keys_and_escape_closes_it(page: Page) -> None:
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).not_to_be_visible()


def test_g_and_a_letter_go_to_a_place_and_another_letter_nowhere(page: Page) -> None:
    page.keyboard.press("g")
    page.keyboard.press("z")
    page.keyboard.press("g")
    page.keyboard.press("f")

    page.wait_for_url("**/fleet")


def test_keys_with_a_modifier_stay_the_browsers(page: Page) -> None:
    page.keyboard.press("Alt+j")

    assert focused(page) != "forge"


def test_control_k_opens_the_palette_finds_as_one_types_and_enter_goes_there(page: Page) -> None:
    page.keyboard.press("Control+k")
    expect(page.locator("#palette a")).to_have_count(3)
    page.keyboard.type("anv")
    expect(page.locator("#palette a")).to_have_text(["anvil"])
    page.keyboard.press("Enter")

    page.wait_for_url("**/machines/anvil")


def test_arrows_move_among_what_was_found_and_typing_goes_on_in_the_field(page: Page) -> None:
    page.keyboard.press("Control+k")
    expect(page.locator("#palette a")).to_have_count(3)
    page.keyboard.press("ArrowDown")
    assert focused(page) == "atlas"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#palette input")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.type("for")
    expect(page.locator("#palette input")).to_have_value("for")
    expect(page.locator("#palette a")).to_have_text(["forge"])


def test_the_palette_closes_by_escape_and_by_its_own_key_and_opens_empty(page: Page) -> None:
    page.locator("[data-palette]").click()
    page.keyboard.type("zzz")
    expect(page.locator("#palette .found-m")).to_contain_text("Nothing is called that")
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).not_to_be_visible()

    page.keyboard.press("Control+k")
    expect(page.locator("#palette input")).to_have_value("")
    page.keyboard.press("Control+k")
    expect(page.locator("#palette")).not_to_be_visible()


def test_a_pressed_button_is_busy_at_once_and_sends_once(page: Page, site: Site) -> None:
    press = "async (b) => { b.click(); b.click(); await new Promise((done) => setTimeout(done)); return %s; }"
    state = page.locator("[name=do]").evaluate(press % "[b.getAttribute('aria-busy'), b.disabled]")

    assert state == ["true", True]
    site.sent(page, "POST /slow")
    assert site.waiting[0].request.post_data == "do=start"
    site.waiting[0].fulfill(body=site_page(), content_type="text/html")
    expect(page.locator("[name=do]")).to_be_enabled()
    assert site.asked.count("POST /slow") == 1


def test_what_htmx_was_refused_is_a_toast_with_the_servers_sentence(page: Page) -> None:
    page.locator("#ask").click()
    expect(page.locator(".toast")).to_have_text("Someone was faster.")
    expect(page.locator("#ask")).to_be_enabled()


def test_a_server_that_is_away_is_a_toast(page: Page) -> None:
    page.locator("#gone").click()
    expect(page.locator(".toast")).to_contain_text("cannot be reached")


def test_numbers_copy_as_digits_with_columns_kept(page: Page) -> None:
    page.locator("#q").evaluate("node => node.blur()")
    page.evaluate("getSelection().selectAllChildren(document.querySelector('table'))")
    page.keyboard.press("Control+c")

    lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert [line.strip().split("\t") for line in lines] == [
        ["forge", "5182 tok/s"],
        ["atlas", "-3.1 tok/s"],
        ["kiln", "127.4 tok/s"],
    ]


def test_what_is_selected_in_a_field_is_copied_as_it_is(page: Page) -> None:
    page.locator("#q").fill("5\u2009182")
    page.locator("#q").select_text()
    page.keyboard.press("Control+c")

    assert page.evaluate("navigator.clipboard.readText()") == "5\u2009182"


def test_the_theme_is_dark_until_chosen_follows_the_system_on_request_and_is_remembered(page: Page) -> None:
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "dark")

    page.get_by_label("System").check()
    expect(root).to_have_attribute("data-theme", "light")
    page.emulate_media(color_scheme="dark")
    expect(root).to_have_attribute("data-theme", "dark")
    page.emulate_media(color_scheme="light")
    page.reload()
    expect(root).to_have_attribute("data-theme", "light")
    expect(page.get_by_label("System")).to_be_checked()

    page.locator("[data-theme-toggle]").click()
    expect(root).to_have_attribute("data-theme", "dark")
    expect(page.get_by_label("Dark")).to_be_checked()
