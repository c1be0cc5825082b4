"""Every page in a real browser, at four widths and in both themes: whole, quiet, and open to everybody."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from obt_site.tests import looked_at
from obt_site.tests.browser import WIDE, Watch
from obt_site.tests.looked_at import THEMES, WIDTHS, Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module", params=["full", "empty"])
def site(request: pytest.FixtureRequest, database_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("looked")
    with looked_at.site(database_uri, folder, f"looked-{request.param}", request.param == "full") as running:
        yield running


@pytest.mark.parametrize("theme", THEMES)
def test_no_page_breaks_scrolls_sideways_complains_or_shuts_anybody_out(
    site: Site, browser: Browser, watch: Watch, theme: str
) -> None:
    wrong: list[str] = []
    with looked_at.signed_in(site, browser, theme) as profile:
        for look in site.looks:
            with looked_at.opened(site, look, profile, watch) as page:
                wrong += [f"{look.name}: {fault}" for fault in faults(page, theme)]
    assert wrong == []
    assert watch.unexpected() == []


def faults(page: Page, theme: str) -> Iterator[str]:
    """What is wrong with this page at any width, and what axe says of it on a screen."""
    if page.evaluate("document.documentElement.dataset.theme") != theme:
        yield f"not {theme}"
    if (count := page.locator("h1").count()) != 1:
        yield f"{count} first headings"
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        if (over := looked_at.too_wide(page)) is not None:
            yield f"at {width} px it scrolls sideways by {over}"
    page.set_viewport_size(WIDE)
    yield from looked_at.violations(page)


def test_every_page_reads_without_javascript(site: Site, browser: Browser, watch: Watch) -> None:
    with looked_at.signed_in(site, browser) as signed:
        signed.new_page()
    wrong = []
    with looked_at.signed_in(site, browser, java_script_enabled=False) as profile:
        for look in site.looks:
            with looked_at.opened(site, look, profile, watch) as page:
                words = page.locator("main").inner_text()
                if len(words) < 40 or not page.locator("h1").is_visible():
                    wrong.append(f"{look.name}: {words[:100]!r}")
    assert wrong == []
