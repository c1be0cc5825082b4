"""What pages load: under names that change with the content, kept for ever, sent small, one stylesheet for all."""

import gzip
import re

import pytest
from django.test import Client

from obt_site import assets
from obt_site.templatetags.obt import STYLESHEETS, asset

pytestmark = pytest.mark.django_db
LINKED = re.compile(r'(?:href|src)="(/static/[^"#]+)')


@pytest.fixture
def browser() -> Client:
    return Client()


def linked(browser: Client) -> list[str]:
    return LINKED.findall(browser.get("/sign-in").content.decode())


def test_everything_that_a_page_links_is_kept_for_ever_under_a_hashed_name(browser: Client) -> None:
    addresses = linked(browser)
    assert len(addresses) > 4
    for address in addresses:
        answer = browser.get(address)
        assert re.search(r"\.[0-9a-f]{12}\.\w+$", address), address
        assert answer.status_code == 200, address
        assert "immutable" in answer.headers["Cache-Control"], address
        assert "Set-Cookie" not in answer.headers


def test_a_page_links_one_stylesheet_with_every_component_in_the_order_of_the_cascade(browser: Client) -> None:
    sheets = [address for address in linked(browser) if address.endswith(".css")]
    assert len(sheets) == 1

    content = browser.get(sheets[0]).content.decode()

    places = [content.find((assets.STATIC / f"css/{name}.css").read_text()[:60]) for name in STYLESHEETS[1:]]
    assert -1 not in places
    assert places == sorted(places)


def test_fonts_are_named_by_their_content_too(browser: Client) -> None:
    content = browser.get(asset(assets.STYLES)).content.decode()

    fonts = re.findall(r'url\("(/static/fonts/[^"]+)"\)', content)
    assert len(fonts) >= 4
    assert all(browser.get(font).headers["Content-Type"] == "font/woff2" for font in fonts)


def test_who_takes_gzip_gets_it_and_others_get_the_same_unpacked(browser: Client) -> None:
    plain = browser.get(asset(assets.STYLES))
    small = browser.get(asset(assets.STYLES), headers={"Accept-Encoding": "gzip, br"})

    assert "Content-Encoding" not in plain.headers
    assert small.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(small.content) == plain.content
    assert len(small.content) < len(plain.content) / 2


def test_a_page_is_sent_by_gzip_and_an_answer_of_the_api_is_not(browser: Client) -> None:
    page = browser.get("/sign-in", headers={"Accept-Encoding": "gzip"})
    answer = browser.get("/api/v1/openapi.json", headers={"Accept-Encoding": "gzip"})

    assert page.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize("name", ["css/obt.000000000000.css", "nowhere.js", "../manage.py", "css/%2e%2e/secret"])
def test_a_name_that_is_not_one_of_them_is_not_found(browser: Client, name: str) -> None:
    assert browser.get(f"/static/{name}").status_code == 404


def test_only_reading_is_answered(browser: Client) -> None:
    assert browser.head(asset(assets.STYLES)).status_code == 200
    assert browser.post(asset(assets.STYLES)).status_code == 405


def test_another_content_has_another_name() -> None:
    assert assets._asset("js/x.js", b"one").name != assets._asset("js/x.js", b"two").name
    assert assets._asset("js/x.js", b"one").name == assets._asset("js/x.js", b"one").name


def test_a_file_that_is_not_there_has_a_plain_address() -> None:
    assert asset("js/nowhere.js") == "/static/js/nowhere.js"
