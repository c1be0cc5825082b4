"""Watching, pausing and resuming a session in a real browser, on the real server with an agent and the simulator."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from agent.simulator import SimulatedOllama
from agents.documents import ModelInstallation
from benchmarks import pausing, sessions
from benchmarks.documents import Session
from benchmarks.sessions import Target
from obt_site.tests.agent import RunningAgent
from obt_site.tests.server import RunningServer
from obt_site.tests.visiting import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

WITHIN_MS = 120_000


@pytest.fixture
def agent(server: RunningServer, tmp_path: Path) -> Iterator[RunningAgent]:
    with SimulatedOllama() as ollama, RunningAgent(server, ollama.url, tmp_path / "forge") as running:
        yield running


@pytest.fixture
def visitor(page: Page, server: RunningServer) -> Page:
    """A signed-in administrator."""
    return sign_in(page, server)


def two_jobs(agent: RunningAgent) -> Session:
    found = ModelInstallation.objects(client=agent.client.id, capabilities="completion").order_by("size_bytes")
    targets = [Target(str(agent.client.id), model.name) for model in found[:2]]
    return sessions.start(targets, "standard", "quick", "jo", cells=["load", "tg128"])


def test_a_session_is_paused_resumed_and_its_end_is_told(
    visitor: Page, context: BrowserContext, server: RunningServer, agent: RunningAgent
) -> None:
    context.grant_permissions(["notifications"], origin=server.url)
    visitor.add_init_script(
        "window.told = []; const Real = window.Notification; window.Notification = class extends Real {"
        " constructor(title, more) { super(title, more); window.told.push(title); } };"
    )
    session = two_jobs(agent)
    visitor.goto(f"{server.url}/sessions/{session.id}")
    visitor.get_by_role("button", name="Tell me when it ends").click()
    expect(visitor.get_by_role("button", name="You will be told")).to_be_visible()
    visitor.get_by_role("button", name="Pause").click()
    expect(visitor.locator("h1")).to_contain_text("Paused")

    # Whatever the machine had already ends; the rest waits, and the page says for whom.
    held = sessions.find(str(session.id))
    assert held.paused
    expect(visitor.get_by_text("paused by jo")).to_be_visible()
    expect(visitor.get_by_text("nothing starts before it is resumed")).to_be_visible(timeout=WITHIN_MS)
    assert sessions.find(str(session.id)).counts["queued"] >= 1

    visitor.get_by_role("button", name="Resume").click()
    expect(visitor.locator("h1")).to_contain_text("Done", timeout=WITHIN_MS)
    expect(visitor.locator(".toast").filter(has_text="has ended")).to_be_visible()
    expect(visitor).to_have_title(f"succeeded · #{session.number} {session.name} · OBT")
    assert visitor.evaluate("window.told") == [f"succeeded · #{session.number} {session.name} · OBT"]
    assert not sessions.find(str(session.id)).paused


def test_keys_alone_lead_from_anywhere_to_a_session_and_its_cancelling_asks_first(
    visitor: Page, agent: RunningAgent
) -> None:
    session = pausing.pause(two_jobs(agent), "jo")
    visitor.keyboard.press("g")
    visitor.keyboard.press("s")
    visitor.wait_for_url("**/sessions")
    visitor.keyboard.press("j")
    visitor.keyboard.press("Enter")
    visitor.wait_for_url(f"**/sessions/{session.id}")

    visitor.get_by_role("button", name="Cancel session…").press("Enter")
    dialog = visitor.get_by_role("dialog", name=f"Cancel session #{session.number}?")
    expect(dialog).to_contain_text(session.name)
    visitor.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    assert sessions.find(str(session.id)).finished_at is None

    visitor.get_by_role("button", name="Cancel session…").press("Enter")
    dialog.get_by_role("button", name=f"Cancel session #{session.number}").press("Enter")
    expect(visitor.locator(".toast").first).to_contain_text("is being cancelled")

    visitor.keyboard.press("Control+k")
    visitor.keyboard.type(agent.name)
    expect(visitor.locator("#palette a").first).to_have_text(agent.name)
    visitor.keyboard.press("Enter")
    visitor.wait_for_url(f"**/machines/{agent.client.id}")
