"""The proof with Lighthouse: what it needs, which pages it looks at and as whom, how it reads and judges a report."""

import sys
from pathlib import Path

import pytest
import requests

from agent.bench import PROOFS
from agent.bench.report import CannotRun
from benchmarks.tests import world
from obt_site.bench import lighthouse
from obt_site.bench.lighthouse import Report
from obt_site.tests.people import PASSWORD
from obt_site.tests.server import RunningServer

ACCOUNT = (
    "from obt_site.tests.people import *; from obt_site.access import Role;"
    " get_user_model().objects.filter(username='light').exists() or person('light', Role.ADMIN)"
)
AUDITS = {
    "fast": {"score": 1},
    "slow": {"score": 0.6, "displayValue": "2.4\xa0s"},
    "named": {"score": 0},
    "not-there": {"score": None},
    "said": {"score": 0.2},
}
URL = "http://127.0.0.1:9/fleet"
PLAIN = {
    "finalDisplayedUrl": URL,
    "categories": {
        "performance": {"score": 0.914, "auditRefs": [{"id": "fast", "weight": 10}, {"id": "slow", "weight": 25}]},
        "accessibility": {"score": 1, "auditRefs": [{"id": "not-there", "weight": 3}]},
        "best-practices": {
            "score": 0.96,
            "auditRefs": [{"id": "named", "weight": 1}, {"id": "said", "weight": 0}],
        },
    },
    "audits": AUDITS,
}


def no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lighthouse.shutil, "which", lambda name: None)


def test_it_is_one_of_the_proofs() -> None:
    assert lighthouse.__name__ in [proof.module for proof in PROOFS]


def test_without_npm_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    no_program(monkeypatch)

    with pytest.raises(CannotRun, match=r"npm and Node.js are not installed"):
        next(iter(lighthouse.rows(lighthouse.Settings())))


def test_without_chromium_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    no_program(monkeypatch)

    with pytest.raises(CannotRun, match="Chromium is not installed"):
        lighthouse.chromium()


def test_an_npm_that_fails_is_said_in_its_last_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho begun >&2\necho 'npm error: no network' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setattr(lighthouse, "TOOLS", tmp_path / "tools")
    monkeypatch.setattr(lighthouse.shutil, "which", lambda name: str(npm))

    with pytest.raises(CannotRun, match=r"could not install Lighthouse .*: npm error: no network"):
        lighthouse.lighthouse()


def test_what_is_installed_already_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(lighthouse, "TOOLS", tmp_path)
    monkeypatch.setattr(lighthouse.shutil, "which", lambda name: f"/usr/bin/{name}")
    there = tmp_path / f"lighthouse-{lighthouse.VERSION}" / "node_modules" / "lighthouse" / "cli" / "index.js"
    there.parent.mkdir(parents=True)
    there.touch()

    assert lighthouse.lighthouse() == ["/usr/bin/node", str(there)]


def test_a_report_comes_down_to_points_and_what_costs_some() -> None:
    assert lighthouse.report_of(PLAIN, URL) == Report(91.4, 100, 96, ["slow 2.4 s", "named"])


def test_a_page_that_could_not_be_looked_at_is_no_report() -> None:
    with pytest.raises(RuntimeError, match="the page did not paint"):
        lighthouse.report_of({**PLAIN, "runtimeError": {"code": "NO_FCP", "message": "the page did not paint"}}, URL)


def test_a_page_that_led_elsewhere_is_no_report() -> None:
    with pytest.raises(RuntimeError, match=r"led to http://127.0.0.1:9/sign-in"):
        lighthouse.report_of({**PLAIN, "finalDisplayedUrl": "http://127.0.0.1:9/sign-in"}, URL)


def test_a_run_that_fails_says_how_it_ended(tmp_path: Path) -> None:
    broken = tmp_path / "lighthouse.py"
    broken.write_text("import sys\nprint('no browser', file=sys.stderr)\nsys.exit(3)\n")

    with pytest.raises(RuntimeError, match=f"ended with 3 on {URL}: no browser"):
        lighthouse.look([sys.executable, str(broken)], 9, URL)


@pytest.mark.parametrize(
    ("reports", "met"),
    [
        ([(95, 100, 100)], True),
        ([(80, 100, 100), (96, 100, 100), (97, 100, 100)], True),  # one slow run is the machine's
        ([(96, 100, 100), (90, 100, 100), (94, 100, 100)], False),
        ([(99, 100, 100), (99, 98, 100), (99, 100, 100)], False),
        ([(99, 100, 96)], False),
        ([(None, 100, 100)], False),
    ],
)
def test_a_page_is_met_by_the_median_of_its_speed_and_by_whole_points_of_the_rest(
    reports: list[tuple[float | None, float, float]], met: bool
) -> None:
    row = lighthouse.judged("fleet", [Report(*points, faults=["color-contrast"]) for points in reports])

    assert row.ok is met
    assert ("color-contrast" in row.measured) is not met


@pytest.mark.django_db
def test_it_looks_at_every_page_as_somebody_who_is_signed_in(server: RunningServer) -> None:
    result = world.result(world.machine("forge"))
    server.manage("shell", "-c", ACCOUNT)

    person = lighthouse.signed_in(server.url, "light", PASSWORD)
    pages = lighthouse.pages(person, server.url)
    cookies = {one["name"]: one["value"] for one in lighthouse.cookies_of(person, server.url)}

    assert list(pages) == ["fleet", "models", "results", "a result", "a session"]
    assert pages["a result"] == f"/results/{result.id}"
    assert pages["a session"] == f"/sessions/{result.session}"
    for path in pages.values():
        answer = requests.get(server.url + path, cookies=cookies, allow_redirects=False, timeout=60)
        assert answer.status_code == 200, path


def test_a_wrong_password_is_not_taken_for_signed_in(server: RunningServer) -> None:
    with pytest.raises(RuntimeError, match="signing in answered"):
        lighthouse.signed_in(server.url, "nobody", "wrong")
