"""A real browser for tests: Debian's Chromium through playwright. A plugin; the root conftest.py names it.

Every page a test opens is watched: an error in the console, a violation of the content security policy, a script that
breaks, or a request that fails ends the test as failed, unless the test said that it expects it.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE = {"width": 1440, "height": 900}
TIMEOUT_MS = 30_000


def chromium() -> str:
    """Chromium's path; without it the test is skipped on a person's machine and fails in CI."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found:
        return found
    sentence = "Chromium is not installed (Debian: apt install chromium), so pages cannot be tried in it."
    if os.environ.get("CI") == "true":
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for the module's tests."""
    path = chromium()
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()


@dataclass
class Watch:
    """What went wrong in a page. `expected` are pieces of text that a test allows."""

    wrong: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def on(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.wrong.append(f"script: {error}"))
        page.on("console", lambda line: self.wrong.append(f"console: {line.text}") if line.type == "error" else None)
        page.on("response", lambda got: self.wrong.append(f"{got.status} {got.url}") if got.status >= 400 else None)

    def unexpected(self) -> list[str]:
        return [line for line in self.wrong if not any(piece in line for piece in self.expected)]


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh browser profile."""
    profile = browser.new_context(viewport=WIDE)
    profile.set_default_timeout(TIMEOUT_MS)
    yield profile
    profile.close()


@pytest.fixture
def page(context: BrowserContext, watch: Watch) -> Iterator[Page]:
    """A watched tab."""
    tab = context.new_page()
    watch.on(tab)
    yield tab
    assert watch.unexpected() == []


def serve_static(route: Route) -> None:
    """Answer with one of our static files, by the name a page asks for or by its own."""
    from obt_site.assets import shelf
    from obt_site.templatetags.obt import STYLESHEETS

    name = urlsplit(route.request.url).path.removeprefix("/static/")
    files = shelf(STYLESHEETS)
    found = files.by_name.get(name) or files.by_path[name]
    route.fulfill(body=found.content, content_type=found.kind)
