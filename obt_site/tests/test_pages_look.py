"""Every page in a real browser, at four widths and in both themes: whole, quiet, and open to everybody."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from obt_site.tests import looked_at
from obt_site.tests.browser import WIDE, Watch
from obt_site.tests.looked_at import THEMES, WIDTHS, Look, Site

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("looked-at")]
Sites = dict[bool, Site]


@pytest.fixture(scope="module")
def sites(database_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    """One server with a small demo and one with nothing, for all tests of this module."""
    with (
        looked_at.site(database_uri, tmp_path_factory.mktemp("empty"), "looked-empty", False) as empty,
        looked_at.site(database_uri, tmp_path_factory.mktemp("full"), "looked-full", True) as full,
    ):
        yield {False: empty, True: full}


def of(sites: Sites, name: str) -> tuple[Site, Look]:
    site = sites[not name.startswith("empty")]
    return site, site.looks[name]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", looked_at.NAMES)
def test_no_page_breaks_scrolls_sideways_complains_or_shuts_anybody_out(
    sites: Sites, browser: Browser, watch: Watch, name: str, theme: str
) -> None:
    site, look = of(sites, name)
    with looked_at.signed_in(site, browser, theme) as profile, looked_at.opened(site, look, profile, watch) as page:
        assert "\n".join(faults(page, theme)) == ""
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


@pytest.mark.parametrize("name", looked_at.NAMES)
def test_every_page_reads_without_javascript(sites: Sites, browser: Browser, watch: Watch, name: str) -> None:
    site, look = of(sites, name)
    looked_at.signed_in(site, browser).close()
    with (
        looked_at.signed_in(site, browser, java_script_enabled=False) as profile,
        looked_at.opened(site, look, profile, watch) as page,
    ):
        assert page.locator("h1").is_visible()
        assert len(page.locator("main").inner_text()) > 40
