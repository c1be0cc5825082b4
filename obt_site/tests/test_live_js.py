"""static/js/live.js in a real browser, against a socket and a refetch address that each test scripts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, WebSocketRoute, expect

STATIC = Path(__file__).resolve().parents[2] / "static"
LONGEST_FIRST_WAIT_MS = 700
SITE = "http://obt.test"
POLICY = "default-src 'self'; script-src 'self'; style-src 'self'; connect-src 'self' ws://obt.test"
BASE = (STATIC.parent / "templates" / "base.html").read_text(encoding="utf-8")
HTMX_CONFIG = re.search(r"<meta name=.htmx-config.*>", BASE)
PAGE = f"""<!doctype html><html><head><title>before</title>
{HTMX_CONFIG[0] if HTMX_CONFIG else ""}
<script src="/static/js/theme.js"></script>
<script src="/static/vendor/htmx.min.js" defer></script>
<script src="/static/vendor/idiomorph-ext.min.js" defer></script>
<script src="/static/js/time.js" defer></script>
<script src="/static/js/ui.js" defer></script>
<script src="/static/js/live.js" defer></script></head>
<body><div data-live="/ws/sessions/1" data-live-refetch="/sessions/1/live"></div>
<section id="lane"><b>old</b><details><summary>more</summary>words</details>
<input id="note"><input id="tick" type="checkbox"></section>
<div id="toasts"></div><div id="live-mark" role="status"></div></body></html>"""

pytestmark = pytest.mark.browser


def lane(word: str) -> str:
    return (
        f'<section id="lane"><b>{word}</b><details><summary>more</summary>words</details>'
        '<input id="note"><input id="tick" type="checkbox"></section>'
    )


class Server:
    """The other side: sockets that were opened, and what a refetch answers."""

    def __init__(self) -> None:
        self.sockets: list[WebSocketRoute] = []
        self.snapshot: dict[str, Any] = {"html": {}}
        self.refetches = 0

    def send(self, **message: Any) -> None:
        self.sockets[-1].send(json.dumps(message))

    def answer(self, route: Route) -> None:
        path = route.request.url.removeprefix(SITE)
        if path == "/sessions/1/live":
            self.refetches += 1
            route.fulfill(json=self.snapshot)
        elif path.startswith("/static/"):
            route.fulfill(path=STATIC / path.removeprefix("/static/"))
        else:
            route.fulfill(body=PAGE, content_type="text/html", headers={"Content-Security-Policy": POLICY})


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    tab: Page = browser.new_page()
    wrong: list[str] = []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("console", lambda line: wrong.append(line.text) if "Content Security Policy" in line.text else None)
    tab.route("**/*", server.answer)
    tab.route_web_socket("**/ws/**", lambda socket: server.sockets.append(socket))
    tab.goto(f"{SITE}/sessions/1")
    expect(tab.locator("body")).to_have_attribute("data-live-state", "live")
    yield tab
    tab.close()
    assert wrong == []


def test_a_message_changes_its_element_in_place(page: Page, server: Server) -> None:
    page.evaluate("window.kept = document.getElementById('lane')")
    server.send(seq=1, html={"lane": lane("new")}, title="53 %")
    expect(page.locator("#lane b")).to_have_text("new")
    expect(page).to_have_title("53 %")
    assert page.evaluate("window.kept === document.getElementById('lane')")


def test_what_the_reader_opened_typed_and_ticked_stays(page: Page, server: Server) -> None:
    page.locator("summary").click()
    page.locator("#tick").check()
    page.locator("#note").fill("half a sent")
    server.send(seq=1, html={"lane": lane("new")})
    expect(page.locator("#lane b")).to_have_text("new")
    assert page.locator("details").evaluate("node => node.open")
    expect(page.locator("#tick")).to_be_checked()
    expect(page.locator("#note")).to_have_value("half a sent")
    expect(page.locator("#note")).to_be_focused()


def test_it_fetches_once_when_the_socket_opens(page: Page, server: Server) -> None:
    server.send(seq=1, html={"lane": lane("new")})
    expect(page.locator("#lane b")).to_have_text("new")
    assert server.refetches == 1


def test_a_gap_is_mended_by_fetching(page: Page, server: Server) -> None:
    server.send(seq=1, html={"lane": lane("one")})
    expect(page.locator("#lane b")).to_have_text("one")
    server.snapshot = {"html": {"lane": lane("newest")}}
    server.send(seq=3, html={"lane": lane("three, older than what is fetched")})
    expect(page.locator("#lane b")).to_have_text("newest")
    assert server.refetches == 2


def test_a_tick_says_nothing_was_missed(page: Page, server: Server) -> None:
    server.send(seq=1)
    server.send(seq=2)
    server.send(seq=3, html={"lane": lane("three")})
    expect(page.locator("#lane b")).to_have_text("three")
    assert server.refetches == 1


def test_what_is_older_than_the_snapshot_is_dropped(page: Page, server: Server) -> None:
    server.send(seq=1)
    server.snapshot = {"seq": 9, "html": {"lane": lane("nine")}}
    server.send(seq=7)
    expect(page.locator("#lane b")).to_have_text("nine")
    server.send(seq=8, html={"lane": lane("eight")})
    server.send(seq=10, html={"note": '<input id="note" title="ten">'})
    expect(page.locator("#note")).to_have_attribute("title", "ten")
    expect(page.locator("#lane b")).to_have_text("nine")


def test_a_lost_connection_is_said_and_mends_itself(page: Page, server: Server) -> None:
    page.evaluate(
        "window.seen = []; new MutationObserver(() => seen.push(document.body.dataset.liveState))"
        ".observe(document.body, {attributes: true})"
    )
    server.snapshot = {"html": {"lane": lane("caught up")}}
    server.sockets[-1].close(code=1012)
    expect(page.locator("#lane b")).to_have_text("caught up", timeout=20_000)
    expect(page.locator("body")).to_have_attribute("data-live-state", "live")
    assert "reconnecting" in page.evaluate("window.seen")
    server.send(seq=1, html={"lane": lane("and on")})
    expect(page.locator("#lane b")).to_have_text("and on")
    assert len(server.sockets) == 2


def test_a_finished_session_closes_the_socket_and_stays_closed(page: Page, server: Server) -> None:
    server.send(seq=1, html={"lane": lane("done")}, done=True, toast={"text": "<b>All jobs ended</b>", "tone": "good"})
    expect(page.locator("body")).to_have_attribute("data-live-state", "done")
    expect(page.locator("#lane b")).to_have_text("done")
    expect(page.locator(".toast")).to_have_text("<b>All jobs ended</b>")
    page.wait_for_timeout(LONGEST_FIRST_WAIT_MS)  # nothing may happen, so there is no event to wait for
    expect(page.locator("body")).to_have_attribute("data-live-state", "done")
    assert len(server.sockets) == 1


def test_a_refusal_is_not_asked_again(page: Page, server: Server) -> None:
    server.sockets[-1].close(code=4404)
    expect(page.locator("body")).to_have_attribute("data-live-state", "closed")
    expect(page.locator("#live-mark")).to_have_text("Live updates ended. Reload the page to see more.")


def test_times_that_arrive_are_written_in_the_readers_zone(page: Page, server: Server) -> None:
    moment = '<time datetime="2025-11-22T14:09:05Z" data-time="clock">14:09 UTC</time>'
    server.send(seq=1, html={"lane": f'<section id="lane">{moment}</section>'})
    expected = page.evaluate("new Date('2025-11-22T14:09:05Z').toTimeString().slice(0, 5)")
    expect(page.locator("time")).to_have_text(expected)


def test_the_chosen_theme_is_there_before_the_page_is_drawn(page: Page) -> None:
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.evaluate("localStorage.setItem('obt-theme', 'light')")
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "light"
    page.evaluate("localStorage.clear()")
