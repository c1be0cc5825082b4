"""What Lighthouse says of the pages that people look at most: the demo on a server of its own, as on a desktop.

Lighthouse comes from npm in one pinned version, into `var/tools/`; nothing of it is in the repository. Its scores of
speed vary from run to run, so each page is measured a few times: the median counts, and of the rest the worst.
"""

import contextlib
import json
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
from obt_site import embedded
from obt_site.up import apart

VERSION = "12.8.2"  # the last that runs on the Node.js of Debian
TOOLS = Path("var/tools")
RUNS, RUNS_QUICK = 3, 1
FAST, WHOLE = 95, 100  # points of 100
INSTALL_S, RUN_S, ANSWER_S = 600, 240, 60
CATEGORIES = ("performance", "accessibility", "best-practices")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
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
    tool, program = lighthouse(), chromium()
    with tempfile.TemporaryDirectory(prefix="obt-lighthouse-") as folder:
        try:
            with apart.server(Path(folder) / "data") as server:
                server.manage("demo")
                person = signed_in(server.address, apart.NAME, apart.PASSWORD)
                addresses = {name: server.address + path for name, path in pages(person, server.address).items()}
                with browser(program, Path(folder) / "profile", cookies_of(person, server.address)) as port:
                    for name, url in addresses.items():
                        yield looked_at(tool, port, name, url, RUNS_QUICK if settings.quick else RUNS)
        except apart.NotStarted as trouble:
            raise CannotRun(str(trouble)) from None


def looked_at(tool: Sequence[str], port: int, name: str, url: str, runs: int) -> Row:
    """The row of one page; a page that could not be looked at says why, and the others go on."""
    try:
        return judged(name, [look(tool, port, url) for _ in range(runs)])
    except (RuntimeError, subprocess.TimeoutExpired) as trouble:
        return Row(f"Lighthouse: {name}", how="—", must="—", reason=str(trouble))


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


def cookies_of(person: requests.Session, address: str) -> list[dict[str, str]]:
    """The person's cookies as a browser takes them."""
    return [{"name": one.name, "value": one.value or "", "url": address} for one in person.cookies]


@contextlib.contextmanager
def browser(program: str, profile: Path, cookies: Sequence[Mapping[str, str]]) -> Iterator[int]:
    """Chromium with these cookies, for sockets too; the port by which Lighthouse takes hold of it."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  (only who develops has it)

    port = embedded.free_port()
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=program, args=[*FLAGS, f"--remote-debugging-port={port}"]
        )
        context.add_cookies(list(cookies))  # type: ignore[arg-type]
        yield port
        context.close()


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


def look(tool: Sequence[str], port: int, url: str) -> Report:
    """One run of Lighthouse on one page. Raises RuntimeError with its last words."""
    command = [*tool, url, "--output=json", "--output-path=stdout", "--quiet", f"--port={port}"]
    command += ["--preset=desktop", "--disable-storage-reset", f"--only-categories={','.join(CATEGORIES)}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S, check=False)
    if done.returncode:
        raise RuntimeError(f"Lighthouse ended with {done.returncode} on {url}: {_last_line(done.stderr)}")
    return report_of(json.loads(done.stdout), url)


def report_of(plain: Mapping[str, Any], url: str) -> Report:
    """What counts of Lighthouse's own report on this page. Raises RuntimeError where it is none, or another page's."""
    if (error := plain.get("runtimeError") or {}).get("message"):
        raise RuntimeError(f"Lighthouse could not look: {error['message']}")
    if plain["finalDisplayedUrl"] != url:
        raise RuntimeError(f"{url} led to {plain['finalDisplayedUrl']}")
    fast, access, best = (_points(plain["categories"][name]) for name in CATEGORIES)
    return Report(fast, access, best, list(_faults(plain)))


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
        f"{len(reports)} runs on the demo, its desktop",
        f"speed at least {FAST}, accessibility and best practices {WHOLE}",
        f"{fast:.0f}, {access:.0f} and {best:.0f}{said}",
        is_met,
        {"performance": [one.performance for one in reports], "faults": faults},
    )


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"
