"""`manage.py screenshots`: the pictures of README.md and docs/, taken anew of a server of its own with the demo.

Needs what tests need (requirements-dev.txt) and Chromium. Nothing of the person's own data is touched.
"""

import shutil
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from obt_site import env
from obt_site.up import apart

WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
FLAGS = ["--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
PATIENCE_MS = 60_000


@dataclass(frozen=True)
class Shot:
    """One picture: where to begin, and the link to follow from there, by selector; None for the page itself."""

    file: str
    path: str
    follow: str | None = None
    theme: str = "dark"
    narrow: bool = False


SHOTS = (
    Shot("fleet", "/fleet"),
    Shot("models", "/models"),
    Shot("results", "/results"),
    Shot("result", "/results", 'main table a[href^="/results/"]'),
    Shot("session", "/sessions?q=Weekly+watch", 'main a[href^="/sessions/"]:has-text("Weekly watch")'),
    Shot("machine", "/fleet", 'main a[href^="/machines/"]:has-text("forge")'),
    Shot("results-light", "/results", theme="light"),
    Shot("fleet-narrow", "/fleet", narrow=True),
)


class Command(BaseCommand):
    help = "Take the pictures of the README and the docs anew, of a server of its own with the demo."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--into", type=Path, default=env.ROOT / "docs", help="folder, default docs/")
        parser.add_argument("--only", action="append", choices=[shot.file for shot in SHOTS], help="one of them")
        parser.add_argument("--results", type=int, default=1500, help="results in the demo, default %(default)s")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = [shot for shot in SHOTS if not options["only"] or shot.file in options["only"]]
        options["into"].mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="obt-shots-") as folder:
            try:
                self._take(Path(folder), chosen, options)
            except apart.NotStarted as trouble:
                raise CommandError(str(trouble)) from None

    def _take(self, folder: Path, chosen: list[Shot], options: dict[str, Any]) -> None:
        with apart.server(folder) as server:
            server.manage("demo", f"--results={options['results']}")
            for file in take(server.address, chosen, options["into"]):
                self.stdout.write(f"{file} {file.stat().st_size // 1000} kB")


def take(address: str, shots: list[Shot], into: Path) -> Iterator[Path]:
    """The pictures of these pages, one after the other."""
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415  (only who develops has it)
    except ImportError:
        raise CommandError("Playwright is not installed: run `python manage.py bootstrap --dev` first.") from None
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise CommandError("Chromium is not installed (Debian: apt install chromium).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        cookies: list[Any] = []
        for shot in shots:
            profile = browser.new_context(viewport=NARROW if shot.narrow else WIDE, reduced_motion="reduce")  # type: ignore[arg-type]
            profile.set_default_timeout(PATIENCE_MS)
            profile.add_init_script(f"localStorage.setItem('obt-theme', '{shot.theme}')")
            profile.add_cookies(cookies)
            page = profile.new_page()
            if not cookies:
                _sign_in(page, address)
                cookies = list(profile.cookies())
            page.goto(address + shot.path)
            if shot.follow:
                page.locator(shot.follow).first.click()
                page.wait_for_load_state("load")
            page.evaluate("document.fonts.ready")
            file = into / f"{shot.file}.png"
            page.screenshot(path=file)
            profile.close()
            yield file
        browser.close()


def _sign_in(page: Any, address: str) -> None:
    page.goto(f"{address}/sign-in")
    page.get_by_label("Name").fill(apart.NAME)
    page.get_by_label("Password").fill(apart.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/fleet")
