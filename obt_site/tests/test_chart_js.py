"""static/js/chart.js in a real browser: a chart is saved as it stands, its numbers without formulas."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from xml.etree import ElementTree

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import Page, Route

from obt_site import charts
from obt_site.middleware import CONTENT_SECURITY_POLICY
from obt_site.templatetags.obt import STYLESHEETS
from obt_site.tests.browser import serve_static

pytestmark = pytest.mark.browser

SITE = "http://obt.test"
TABLE = """<table data-csv><thead><tr><th>Machine</th><th>Decode, tok/s</th><th>Note</th></tr></thead><tbody>
<tr><td>forge</td><td data-value="1043.25">1\u2009043</td><td>says "hi", twice</td></tr>
<tr><td>=HYPERLINK("http://x")</td><td>1\u2009043</td><td>+1</td></tr>
<tr><td>@atlas</td><td>−5.2</td><td>—</td></tr>
<tr><td>-nuc</td><td title="not measured">—</td><td>-3</td></tr></tbody></table>"""


def site(route: Route) -> None:
    path = route.request.url.removeprefix(SITE)
    if path.startswith("/static/"):
        serve_static(route)
    else:
        policy = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": CONTENT_SECURITY_POLICY}
        route.fulfill(body=page_text(), headers=policy)


def page_text() -> str:
    styles = "".join(f'<link rel="stylesheet" href="/static/css/{name}.css">' for name in STYLESHEETS)
    picture = charts.samples_chart([charts.SamplePoint(str(i), 100.0 + i) for i in range(6)], "tok/s", 102.5, 100, 105)
    missing = charts.bar_missing(100, "not run")
    return f"""<!doctype html><html data-theme="dark"><head><meta charset="utf-8"><title>t</title>{styles}
<script src="/static/js/theme.js"></script><script src="/static/js/ui.js" defer></script></head><body>
<svg class="defs"><defs><pattern id="hx" width="6" height="6" patternUnits="userSpaceOnUse">
<line class="hatch-l" x1="0" y1="0" x2="0" y2="6"/></pattern></defs></svg>
<figure class="chart-f" data-chart="decode rate/../x"><figcaption>Decode rate, tok/s; higher is better</figcaption>
{picture}{missing}<p class="nothing" hidden>never seen</p>
<details class="fold"><summary>The same numbers</summary>{TABLE}</details>
{render_to_string("_chart_tools.html")}{render_to_string("_chart_tools.html")}</figure>
<div id="toasts"></div></body></html>"""


@pytest.fixture
def chart(page: Page) -> Page:
    page.route(f"{SITE}/**", site)
    page.goto(f"{SITE}/")
    page.wait_for_function("window.OBT && OBT.chart")
    return page


def saved(page: Page, kind: str) -> tuple[str, bytes]:
    """The file that the button gives: its name and its bytes."""
    with page.expect_download() as waiting:
        page.locator(f"[data-chart-as={kind}]").first.click()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def test_the_csv_has_numbers_as_numbers_and_no_formula(chart: Page) -> None:
    name, content = saved(chart, "csv")

    assert name == "decode-rate-..-x.csv"
    assert list(csv.reader(io.StringIO(content.decode("utf-8-sig")))) == [
        ["Machine", "Decode, tok/s", "Note"],
        ["forge", "1043.25", 'says "hi", twice'],
        ['\'=HYPERLINK("http://x")', "1043", "'+1"],
        ["'@atlas", "-5.2", "—"],
        ["'-nuc", "—", "-3"],
    ]


def test_the_svg_needs_no_stylesheet_and_shows_what_the_page_shows(chart: Page) -> None:
    name, content = saved(chart, "svg")

    root = ElementTree.fromstring(content)
    words = " ".join(root.itertext())
    assert name.endswith(".svg")
    assert "Decode rate, tok/s; higher is better" in words
    assert "median 102" in words
    assert "never seen" not in words
    assert "The same numbers" not in words
    assert b"class=" not in content
    assert b"var(" not in content
    assert b'<pattern id="hx"' in content
    points = [node for node in root.iter("{http://www.w3.org/2000/svg}circle") if node.get("r") == "4.2"]
    assert {node.get("fill") for node in points} == {"rgb(242, 240, 236)"}


def test_the_png_is_a_picture_of_the_whole_chart_at_twice_its_size(chart: Page) -> None:
    name, content = saved(chart, "png")

    width = chart.evaluate("document.querySelector('figure').getBoundingClientRect().width")
    assert name.endswith(".png")
    assert content.startswith(b"\x89PNG")
    assert int.from_bytes(content[16:20], "big") == 2 * (round(width) + 32)


def test_it_follows_the_theme(chart: Page) -> None:
    chart.evaluate("document.documentElement.dataset.theme = 'light'")
    _, content = saved(chart, "svg")
    assert b"rgb(248, 248, 246)" in content
