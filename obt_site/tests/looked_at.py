"""For tests that look at every page: a real server with a small demo, the pages there are, and axe in the browser."""

import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

from agents.documents import Client
from benchmarks.demo.add import Asked, add
from benchmarks.documents import Result, Session
from obt_site.tests.browser import TIMEOUT_MS, Watch
from obt_site.tests.server import RunningServer

NAME, PASSWORD = "jo", "correct horse 9"
DEMO = Asked(machines=12, models=30, results=40, whole=12)
WIDTHS = (360, 768, 1440, 2560)
THEMES = ("dark", "light")
MISSING = "f" * 24
AXE = "axe.run(document, {resultTypes: ['violations']})"


@dataclass(frozen=True)
class Look:
    """One page in one state. `status`: what it answers; `person`: whether somebody is signed in."""

    name: str
    path: str
    status: int = 200
    person: bool = True


@dataclass
class Site:
    """A server, a person's cookies on it, and its pages."""

    server: RunningServer
    cookies: list[Any]
    looks: dict[str, Look]

    def url(self, path: str) -> str:
        return self.server.url + path


@contextmanager
def site(mongodb_uri: str, folder: Path, database: str, full: bool) -> Iterator[Site]:
    """A server of its own with a small demo, or with nothing but a person who may do everything."""
    from conftest import emptied

    uri = urllib.parse.urlsplit(mongodb_uri)._replace(path=f"/{database}").geturl()
    emptied(uri)
    if full:
        add(DEMO)
    found = {look.name: look for look in looks(full)}
    with RunningServer(uri, folder, DJANGO_SUPERUSER_PASSWORD=PASSWORD) as server:
        server.manage("createsuperuser", "--noinput", "--username", NAME, "--email", "jo@example.com")
        yield Site(server, [], found)


EMPTY_PATHS = ("/fleet", "/machines/add", "/models", "/sessions", "/sessions/new", "/results")
FULL_PATHS = (*EMPTY_PATHS, "/styleguide")
NAMES = (
    *(f"empty: {path}" for path in EMPTY_PATHS), *FULL_PATHS, "machine", "machine: offline", "machine: no Ollama",
    "session", "session: paused", "session: waiting", "session: failed", "result",
    "result: not whole", "results: a wrong query", "error: not found", "error: no such session", "signed out",
)  # fmt: skip
"""Every look there is, by name: known before there is a server, so that each is a test of its own."""


def looks(full: bool) -> list[Look]:
    """Every page in the states that the demo has, or with nothing stored."""
    if not full:
        return [Look(f"empty: {path}", path) for path in EMPTY_PATHS]
    machines = {client.name: client for client in Client.objects}
    results = list(Result.objects.order_by("-number"))
    whole = next(one for one in results if one.valid and one.client == machines["forge"].id)
    partly = next((one for one in results if not one.valid), whole)
    sessions = {one.state: one for one in Session.objects.order_by("number")}
    done = sessions["succeeded"]
    return [
        *(Look(path, path) for path in FULL_PATHS),
        Look("machine", f"/machines/{machines['forge'].id}"),
        Look("machine: offline", f"/machines/{machines['lark'].id}"),
        Look("machine: no Ollama", f"/machines/{machines['rack-2'].id}"),
        Look("session", f"/sessions/{done.id}"),
        Look("session: paused", f"/sessions/{sessions['running'].id}"),
        Look("session: waiting", f"/sessions/{sessions['queued'].id}"),
        Look("session: failed", f"/sessions/{sessions.get('failed', done).id}"),
        Look("result", f"/results/{whole.id}"),
        Look("result: not whole", f"/results/{partly.id}"),
        Look("results: a wrong query", "/results?metric=%3Cb%3E&client=nobody&page=-1"),
        Look("error: not found", "/nowhere", 404),
        Look("error: no such session", f"/sessions/{MISSING}", 404),
        Look("signed out", "/sign-in", person=False),
    ]


def signed_in(site: Site, browser: Browser, theme: str = "dark", **options: Any) -> BrowserContext:
    """A profile of the person, in this theme. They sign in once; later profiles get their cookies."""
    profile = browser.new_context(color_scheme=theme, **options)  # type: ignore[arg-type]
    profile.set_default_timeout(TIMEOUT_MS)
    profile.add_init_script(f"localStorage.setItem('obt-theme', '{theme}')")
    if not site.cookies:
        page = profile.new_page()
        page.goto(site.url("/sign-in"))
        page.get_by_label("Name").fill(NAME)
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/fleet")
        page.close()
        site.cookies = list(profile.cookies())
    profile.clear_cookies()
    profile.add_cookies(site.cookies)
    return profile


@contextmanager
def opened(site: Site, look: Look, profile: BrowserContext, watch: Watch) -> Iterator[Page]:
    """The page in a watched tab. An error page's own status is no fault."""
    if not look.person:
        profile.clear_cookies()
    page = profile.new_page()
    watch.on(page)
    if look.status >= 400:
        watch.expected += [f"{look.status} {site.url(look.path)}", f"status of {look.status}"]
    answer = page.goto(site.url(look.path), wait_until="load")
    assert answer is not None
    assert answer.status == look.status, look.name
    yield page
    page.close()
    if not look.person:
        profile.add_cookies(site.cookies)


def axe_source() -> str:
    """axe-core, as it comes with its package for Python."""
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


def violations(page: Page) -> list[str]:
    """What axe finds: the rule, how bad, and the first places."""
    page.evaluate(axe_source())
    found = page.evaluate(AXE)["violations"]
    return [f"{each['id']} ({each['impact']}): {each['help']}: {_places(each['nodes'])}" for each in found]


def _places(nodes: list[dict[str, str]]) -> str:
    return f"{len(nodes)} places: " + " | ".join(node["html"][:160] for node in nodes[:3])


def too_wide(page: Page) -> str | None:
    """How far the document scrolls sideways, and over what; None when it does not."""
    return page.evaluate(  # type: ignore[no-any-return]
        """() => {
          const root = document.documentElement, over = root.scrollWidth - root.clientWidth;
          if (over <= 0) return null;
          const beyond = e => e.getBoundingClientRect().right > root.clientWidth + 1;
          const wide = [...document.querySelectorAll('body *')].filter(beyond);
          return over + ' px: ' + wide.slice(0, 3).map(e => e.tagName + '.' + e.getAttribute('class')).join(', ');
        }"""
    )
