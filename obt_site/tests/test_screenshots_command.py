"""`manage.py screenshots`: pictures of a server of its own, and a plain sentence when something is missing."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from obt_site import env
from obt_site.management.commands import screenshots

LARGEST_ALTOGETHER_BYTES = 1_500_000


@pytest.mark.browser
@pytest.mark.timeout(600)
def test_it_takes_a_picture_of_a_page_with_the_demo_in_it(tmp_path: Path) -> None:
    said = StringIO()

    call_command("screenshots", into=tmp_path, only=["fleet-narrow"], results=5, stdout=said)

    assert [path.name for path in tmp_path.iterdir()] == ["fleet-narrow.png"]
    assert (tmp_path / "fleet-narrow.png").read_bytes().startswith(b"\x89PNG")
    assert "fleet-narrow.png" in said.getvalue()


def test_without_chromium_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(screenshots.shutil, "which", lambda name: None)

    with pytest.raises(CommandError, match="Chromium is not installed"):
        list(screenshots.take("http://127.0.0.1:9", [screenshots.SHOTS[0]], tmp_path))


def test_the_pictures_of_the_repository_stay_small() -> None:
    assert sum(path.stat().st_size for path in (env.ROOT / "docs").glob("*.png")) < LARGEST_ALTOGETHER_BYTES
