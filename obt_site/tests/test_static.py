"""Styles, scripts, icons and vendored libraries: all there, pinned, licensed, and what the CSP allows."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
import tarfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from django.core.management.base import CommandError
from django.template import Context, Template

from obt_site.management.commands import vendor
from obt_site.templatetags.obt import STYLESHEETS

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "static"
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
LARGEST_PAGE_WEIGHT_BYTES = 64_000  # gzipped; HTML and what one page adds stay below 150 kB with it


def package(**files: str) -> bytes:
    """An npm package with the given files."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()


def pin(tarball: bytes, **files: str) -> vendor.Pin:
    return vendor.Pin(package="x", version="1.0.0", integrity=vendor.integrity_of(tarball), licence="MIT", files=files)


def test_every_stylesheet_is_linked_and_every_link_has_its_file() -> None:
    assert {f"{name}.css" for name in STYLESHEETS} == {path.name for path in (STATIC / "css").glob("*.css")}


def test_tokens_come_first_because_all_others_use_them() -> None:
    assert STYLESHEETS[0] == "tokens"


def test_no_stylesheet_waits_for_another() -> None:
    for path in (STATIC / "css").glob("*.css"):
        assert "@import" not in path.read_text(encoding="utf-8"), path.name


def test_every_token_that_is_used_is_defined() -> None:
    styles = "".join(path.read_text(encoding="utf-8") for path in (STATIC / "css").glob("*.css"))
    used = set(re.findall(r"var\((--[\w-]+)\)", styles))
    assert used <= set(re.findall(r"(--[\w-]+):", styles))


def test_both_themes_define_the_same_colours() -> None:
    tokens = (STATIC / "css" / "tokens.css").read_text(encoding="utf-8")
    dark, light = tokens.split(':root[data-theme="light"]')
    is_colour = re.compile(r"(--(?:bg|line|text|accent|good|warn|bad|info|s\d|grid|band|hatch|scrim)[\w-]*):")
    assert set(is_colour.findall(dark)) == set(is_colour.findall(light.split("@media")[0]))


def test_every_file_a_stylesheet_names_is_there() -> None:
    for path in (STATIC / "css").glob("*.css"):
        for address in re.findall(r'url\("([^"#)]+)"\)', path.read_text(encoding="utf-8")):
            assert (path.parent / address).resolve().is_file(), address


def test_fonts_carry_their_licence() -> None:
    assert "SIL OPEN FONT LICENSE" in (STATIC / "fonts" / "OFL.txt").read_text(encoding="utf-8").upper()


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_inline_style_or_script(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert not re.search(r"\sstyle\s*=", source)
    assert not re.search(r"<style\b", source)
    assert not re.search(r"\son[a-z]+\s*=", source)
    assert not re.search(r"<script(?![^>]*\bsrc=)", source)
    assert "javascript:" not in source
    assert "hx-on" not in source


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_nothing_is_loaded_from_elsewhere(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)\s*=\s*"(?:https?:)?//', source)


def test_every_icon_that_a_template_asks_for_is_in_the_sprite() -> None:
    sprite = (STATIC / "icons.svg").read_text(encoding="utf-8")
    have = {node.get("id") for node in ElementTree.fromstring(sprite)}
    asked = {name for path in TEMPLATES for name in re.findall(r'{% icon "([^"]+)"', path.read_text(encoding="utf-8"))}
    assert asked
    assert asked <= have


def test_every_static_file_that_a_template_asks_for_is_there() -> None:
    for path in TEMPLATES:
        for name in re.findall(r'{% (?:asset|script) "([^"]+)"', path.read_text(encoding="utf-8")):
            assert (STATIC / name).is_file(), f"{path.name}: {name}"


def test_what_every_page_loads_stays_light() -> None:
    names = [f"css/{name}.css" for name in STYLESHEETS]
    base = (ROOT / "templates" / "base.html").read_text(encoding="utf-8")
    names += [name for name in re.findall(r'{% (?:asset|script) "([^"]+)"', base) if name.endswith(".js")]
    assert sum(len(gzip.compress((STATIC / name).read_bytes())) for name in names) < LARGEST_PAGE_WEIGHT_BYTES


def test_htmx_runs_without_eval_and_without_its_own_styles() -> None:
    base = (ROOT / "templates" / "base.html").read_text(encoding="utf-8")
    found = re.search(r"name=\"htmx-config\" content='([^']+)'", base)
    assert found
    config = json.loads(found[1])
    assert config["allowEval"] is False
    assert config["includeIndicatorStyles"] is False
    assert config["selfRequestsOnly"] is True
    assert config["historyCacheSize"] == 0, "pages of a signed-in person must not stay in the browser's storage"


def test_the_error_page_of_the_server_needs_no_context() -> None:
    source = (ROOT / "templates" / "500.html").read_text(encoding="utf-8")
    assert "{% extends" not in source
    assert "{{" not in source
    assert "Something broke" in Template(source).render(Context())


@pytest.mark.parametrize(("name", "found"), vendor.read_pins().items(), ids=lambda value: str(value)[:12])
def test_every_vendored_file_is_pinned_and_beside_its_licence(name: str, found: vendor.Pin) -> None:
    digest = found["integrity"].removeprefix("sha512-")
    assert len(base64.b64decode(digest)) == hashlib.sha512().digest_size
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["version"])
    assert any("LICENSE" in file for file in found["files"].values())
    for file in found["files"].values():
        assert (STATIC / "vendor" / file).is_file()


def test_nothing_unpinned_lies_among_the_vendored_files() -> None:
    pinned = {file for found in vendor.read_pins().values() for file in found["files"].values()}
    assert {path.name for path in (STATIC / "vendor").iterdir()} == pinned | {"vendor.json"}


def test_the_vendored_htmx_is_the_version_that_is_pinned() -> None:
    source = (STATIC / "vendor" / "htmx.min.js").read_text(encoding="utf-8")
    assert f'"{vendor.read_pins()["htmx"]["version"]}"' in source


def test_a_package_is_unpacked_into_the_names_that_are_served() -> None:
    tarball = package(**{"dist/x.min.js": "code", "LICENSE": "words"})
    found = pin(tarball, **{"dist/x.min.js": "x.min.js", "LICENSE": "x.LICENSE.txt"})
    assert vendor.unpack(tarball, found) == {"x.min.js": b"code", "x.LICENSE.txt": b"words"}


def test_another_package_under_a_pinned_name_is_refused() -> None:
    found = pin(package(LICENSE="words"), LICENSE="x.LICENSE.txt")
    with pytest.raises(CommandError, match="not the package that was pinned"):
        vendor.unpack(package(LICENSE="other words"), found)


def test_a_package_without_the_wanted_file_is_refused() -> None:
    tarball = package(LICENSE="words")
    with pytest.raises(CommandError, match="has no file dist"):
        vendor.unpack(tarball, pin(tarball, **{"dist/x.js": "x.js"}))
