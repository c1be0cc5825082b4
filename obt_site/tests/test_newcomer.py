"""The newcomer's whole way in a real browser: `up`, set-up link, models, session, live, result, on the real Ollama."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from agent.real_ollama.fixtures import REAL_OLLAMA_MARKS
from obt_site.tests import up_process
from obt_site.tests.up_process import Up

pytestmark = [pytest.mark.browser, *REAL_OLLAMA_MARKS, pytest.mark.timeout(400)]

MODEL = "obt-tiny:latest"
PASSWORD = "a-long-passphrase-7"
MEASURED_WITHIN_MS = 290_000  # the quick budget's hard end, and what comes before and after


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    with up_process.starting(tmp_path / "data") as start:
        yield start


def sign_up(page: Page, up: Up) -> str:
    """Open the printed link and choose a name and password; returns the site's address."""
    found = re.search(r"(http://\S+)/setup\?token=\S+", up.output)
    assert found, up.output
    page.goto(found[0])
    page.get_by_label("Name").fill("jo")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/fleet")
    return found[1]


def start_session(page: Page, model: str) -> None:
    page.get_by_role("link", name="Models", exact=True).first.click()
    page.get_by_role("checkbox", name=re.compile(f"^{re.escape(model)} on ")).check()
    page.get_by_role("button", name="Start session").click()
    page.wait_for_url(re.compile(r"/sessions/[0-9a-f]{24}$"))


def get(page: Page, base: str, path: str) -> Any:
    """The user API with the browser's own session."""
    answer = page.request.get(f"{base}/api/v1/{path}")
    assert answer.ok, answer.text()
    return answer.json()


def test_from_the_set_up_link_to_a_result_of_the_real_ollama(page, up, real_ollama):
    running = up(OBT_OLLAMA_URL=real_ollama).ready()
    assert "0.24.0 at" in running.output
    base = sign_up(page, running)
    expect(page.get_by_role("table")).to_contain_text("Idle")

    start_session(page, MODEL)
    session = page.url.rsplit("/", 1)[1]
    expect(page.get_by_text("Benchmarking").first).to_be_visible(timeout=30_000)
    expect(page.get_by_text(re.compile(r"sample \d of \d")).first).to_be_visible(timeout=60_000)
    expect(page.locator("h1")).to_contain_text("Done", timeout=MEASURED_WITHIN_MS)

    page.get_by_role("link", name=MODEL).first.click()
    page.wait_for_url(re.compile(r"/results/[0-9a-f]{24}-1$"))
    expect(page.locator("h1")).to_contain_text("Valid")
    expect(page.get_by_text("Decode, tg128")).to_be_visible()
    for words in ("Can it be trusted?", "Samples in time order", "Telemetry", "Environment"):
        expect(page.get_by_role("heading", name=words)).to_be_visible()
    expect(page.get_by_text("simulated")).to_have_count(0)

    (listed,) = get(page, base, f"results?session={session}")["items"]
    samples = get(page, base, f"results/{listed['id']}/samples")["items"]
    decoded = [sample for sample in samples if sample["cell"] in ("tg128", "chat512/128")]
    assert len(decoded) >= 6  # a quick budget leaves at least three of each
    for sample in decoded:
        raw = sample["raw"]
        assert raw["eval_count"] == 128
        rate = (raw["eval_count"] - 1) / raw["eval_duration"] * 1e9
        assert sample["metrics"]["decode_rate"]["value"] == pytest.approx(rate, rel=1e-9)
    shown = page.locator(".metrics .value, .metrics .v").first.inner_text().replace("\u2009", "").replace("\u202f", "")
    tg128 = next(cell for cell in listed["cells"] if cell["cell"] == "tg128")
    assert float(re.sub(r"[^\d.]", "", shown)) == pytest.approx(tg128["metrics"]["decode_rate"]["median"], rel=1e-2)
    assert running.interrupt() == 0


def test_a_page_opened_late_shows_the_same_as_one_that_was_open_all_along(page, context, watch, up, real_ollama):
    running = up(OBT_OLLAMA_URL=real_ollama).ready()
    sign_up(page, running)
    start_session(page, MODEL)
    expect(page.locator("h1")).to_contain_text("Done", timeout=MEASURED_WITHIN_MS)

    late = context.new_page()
    watch.on(late)
    late.goto(page.url)

    for part in ("h1", "main .log, main table"):
        assert late.locator(part).first.inner_text() == page.locator(part).first.inner_text()


def test_everything_stored_is_there_after_a_stop_and_a_start(page, up, real_ollama, tmp_path):
    first = up(OBT_OLLAMA_URL=real_ollama, data_dir=tmp_path / "kept").ready()
    base = sign_up(page, first)
    start_session(page, MODEL)
    session = page.url.rsplit("/", 1)[1]
    expect(page.get_by_text(re.compile(r"sample \d of \d")).first).to_be_visible(timeout=60_000)
    watched = page.url
    page.goto("about:blank")
    for part in (*first.parts().values(), first.process):
        part.kill()
    first.process.wait()

    up(OBT_OLLAMA_URL=real_ollama, OBT_PORT=first.port, data_dir=tmp_path / "kept").ready()

    page.goto(watched)
    expect(page.locator("h1")).to_contain_text("Done", timeout=MEASURED_WITHIN_MS)
    (job,) = get(page, base, f"sessions/{session}")["jobs"]
    assert (job["state"], job["attempt"]) == ("succeeded", 1)
