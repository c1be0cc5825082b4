"""What Lighthouse says of the pages that people look at most: the demo on a server of its own, on a phone.

Lighthouse comes from npm in one pinned version, into `var/tools/`; nothing of it is in the repository. Its scores of
speed vary from run to run, so each page is measured a few times: the median counts, and of the rest the worst.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import requests

from agent.bench.report import CannotRun, Row, Settings
from obt_site.up import apart

VERSION = "12.8.2"  # the last that runs on the Node.js of Debian
TOOLS = Path("var/tools")
RUNS, RUNS_QUICK = 3, 1
FAST, WHOLE = 95, 100  # points of 100
INSTALL_S, RUN_S, ANSWER_S = 600, 240, 60
CATEGORIES = ("performance", "accessibility", "best-practices")
FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NAMED = 4  # faults in a row


@dataclass(frozen=True)
class Report:
    """One run on one page: points of 100, None where Lighthouse gave none; `faults` are what cost points."""

    performance: float | None
    accessibility: float | None
    best_practices: float | None
    faults: Sequence[str]


def rows(settings: Settings) -> Iterable[Row]:
    """A row per page."""
    tool, browser = lighthouse(), chromium()
    with tempfile.TemporaryDirectory(prefix="obt-lighthouse-") as folder:
        try:
            with apart.server(Path(folder) / "data") as server:
                server.manage("demo")
                person = signed_in(server.address, apart.NAME, apart.PASSWORD)
                headers = Path(folder) / "headers.json"  # a file, as other people can read a command line
                headers.write_text(json.dumps(cookie_of(person)), encoding="utf-8")
                for name, path in pages(person, server.address).items():
                    reports = [
                        look(tool, browser, server.address + path, headers)
                        for _ in range(RUNS_QUICK if settings.quick else RUNS)
                    ]
                    yield judged(name, reports)
        except apart.NotStarted as trouble:
            raise CannotRun(str(trouble)) from None


# -- what it needs ---------------------------------------------------------------------------------------------------


def lighthouse() -> list[str]:
    """The command, installed now if it is not there yet. Raises CannotRun."""
    folder = (TOOLS / f"lighthouse-{VERSION}").resolve()
    program = folder / "node_modules" / "lighthouse" / "cli" / "index.js"
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        raise CannotRun("npm and Node.js are not installed, and Lighthouse comes from there (Debian: apt install npm).")
    if not program.exists():
        _install(npm, folder)
    return [node, str(program)]


def _install(npm: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    wanted = ["install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(
        [npm, *wanted, f"lighthouse@{VERSION}"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=INSTALL_S,
        check=False,
    )
    if done.returncode:
        raise CannotRun(f"npm could not install Lighthouse {VERSION}: {_last_line(done.stderr)}")


def chromium() -> str:
    """Chromium's path. Raises CannotRun."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise CannotRun("Chromium is not installed (Debian: apt install chromium), and Lighthouse looks through it.")
    return found


def signed_in(address: str, name: str, password: str) -> requests.Session:
    """The person's browser, as far as cookies go."""
    person = requests.Session()
    person.get(f"{address}/sign-in", timeout=ANSWER_S)
    token = next(cookie.value for cookie in person.cookies if "csrf" in cookie.name)
    sent = {"username": name, "password": password, "csrfmiddlewaretoken": token or ""}
    answer = person.post(f"{address}/sign-in", sent, headers={"Referer": f"{address}/sign-in"}, timeout=ANSWER_S)
    if answer.status_code != 200 or "/sign-in" in answer.url:
        raise RuntimeError(f"signing in answered {answer.status_code}")
    return person


def cookie_of(person: requests.Session) -> Mapping[str, str]:
    """The header that makes every request the person's."""
    return {"Cookie": "; ".join(f"{cookie.name}={cookie.value}" for cookie in person.cookies)}


def pages(person: requests.Session, address: str) -> dict[str, str]:
    """The pages by name: the lists, the newest valid result, and the newest session that is done."""

    def first(what: str, **like: object) -> str:
        answer = person.get(f"{address}/api/v1/{what}", params={"limit": "50"}, timeout=ANSWER_S).json()
        return next(str(one["id"]) for one in answer["items"] if all(one[key] == value for key, value in like.items()))

    return {
        "fleet": "/fleet",
        "models": "/models",
        "results": "/results",
        "a result": f"/results/{first('results', valid=True)}",
        "a session": f"/sessions/{first('sessions', state='succeeded')}",
    }


# -- looking ---------------------------------------------------------------------------------------------------------


def look(tool: Sequence[str], browser: str, url: str, headers: Path) -> Report:
    """One run of Lighthouse on one page. Raises RuntimeError with its last words."""
    command = [*tool, url, "--output=json", "--output-path=stdout", "--quiet"]
    command += [f"--only-categories={','.join(CATEGORIES)}", f"--extra-headers={headers}", f"--chrome-flags={FLAGS}"]
    environment = {**os.environ, "CHROME_PATH": browser}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=RUN_S, check=False)
    if done.returncode:
        raise RuntimeError(f"Lighthouse ended with {done.returncode} on {url}: {_last_line(done.stderr)}")
    return report_of(json.loads(done.stdout))


def report_of(plain: Mapping[str, Any]) -> Report:
    """What counts of Lighthouse's own report."""
    if (error := plain.get("runtimeError") or {}).get("message"):
        raise RuntimeError(f"Lighthouse could not look: {error['message']}")
    points = [_points(plain["categories"][name]) for name in CATEGORIES]
    return Report(*points, faults=list(_faults(plain)))


def _points(category: Mapping[str, Any]) -> float | None:
    return None if category["score"] is None else round(100 * category["score"], 1)


def _faults(plain: Mapping[str, Any]) -> Iterator[str]:
    """Audits that have a weight and not all their points: `largest-contentful-paint 2.4 s`."""
    for name in CATEGORIES:
        for part in plain["categories"][name]["auditRefs"]:
            audit = plain["audits"][part["id"]]
            if part["weight"] and audit["score"] is not None and audit["score"] < 1:
                yield f"{part['id']} {audit.get('displayValue') or ''}".strip().replace("\xa0", " ")


def judged(page: str, reports: Sequence[Report]) -> Row:
    """The row of one page."""
    fast = median(one.performance or 0 for one in reports)
    access = min(one.accessibility or 0 for one in reports)
    best = min(one.best_practices or 0 for one in reports)
    is_met = fast >= FAST and access == WHOLE and best == WHOLE
    faults = list(dict.fromkeys(fault for one in reports for fault in one.faults))
    said = f"; costs points: {', '.join(faults[:NAMED])}" if faults and not is_met else ""
    return Row(
        f"Lighthouse: {page}",
        f"{len(reports)} runs on the demo, a phone as Lighthouse has it",
        f"speed at least {FAST}, accessibility and best practices {WHOLE}",
        f"{fast:.0f}, {access:.0f} and {best:.0f}{said}",
        is_met,
        {"performance": [one.performance for one in reports], "faults": faults},
    )


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"
