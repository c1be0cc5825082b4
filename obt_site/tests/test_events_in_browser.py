"""The page of events in a real browser: filters, pages, and what happens while it is read."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from agents import events, verbs
from agents.documents import Client
from benchmarks.presenters.event_log import PAGE
from benchmarks.tests import world
from obt_site.tests.server import RunningServer
from obt_site.tests.visiting import sign_in

pytestmark = pytest.mark.browser


@pytest.fixture
def visitor(page: Page, server: RunningServer) -> Page:
    """Two machines, one of which was paused."""
    world.machine("forge")
    verbs.set_paused(world.machine("atlas"), True)
    Client.objects.update(set__has_agent=False)  # nobody reports for them, and that is no event here
    sign_in(page, server).goto(f"{server.url}/events")
    expect(page.locator("body")).to_have_attribute("data-live-state", "live")
    return page


def lines(page: Page) -> Locator:
    return page.locator("table.events [data-row]")


def forge() -> Client:
    client: Client = Client.objects.get(name="forge")
    return client


def test_what_happens_meanwhile_is_told_and_nothing_that_is_read_moves(visitor: Page) -> None:
    before, place = lines(visitor).all_inner_texts(), lines(visitor).first.bounding_box()
    news = visitor.locator("#events-new")
    expect(news).to_contain_text("told here")

    verbs.set_paused(forge(), True)
    expect(news).to_contain_text("1 new event, the latest: forge is paused")
    expect(visitor).to_have_title("(1) Events · OBT")
    verbs.set_paused(forge(), False)
    expect(news).to_contain_text("2 new events, the latest: forge takes jobs again")

    assert lines(visitor).first.bounding_box() == place
    assert len(lines(visitor).all()) == len(before)
    news.get_by_role("link").click()
    expect(lines(visitor).first).to_contain_text("forge takes jobs again")
    expect(lines(visitor)).to_have_count(len(before) + 2)
    expect(news).to_contain_text("told here")


def test_it_is_narrowed_by_machine_and_kind_and_follows_only_those(visitor: Page) -> None:
    visitor.get_by_label("Machine", exact=True).select_option(label="forge")
    visitor.get_by_label("Kind", exact=True).select_option(label="Machine paused")
    visitor.get_by_role("button", name="Filter").click()
    visitor.wait_for_url(re.compile(r"kind=machine_paused"))
    expect(visitor.get_by_text("No event is like that")).to_be_visible()
    expect(visitor.locator("body")).to_have_attribute("data-live-state", "live")

    verbs.rename(Client.objects.get(name="atlas"), "anvil")
    verbs.set_paused(forge(), True)

    expect(visitor.locator("#events-new")).to_contain_text("1 new event, the latest: forge is paused")
    visitor.locator("#events-new").get_by_role("link").click()
    expect(lines(visitor)).to_have_count(1)
    expect(visitor.get_by_label("Machine", exact=True)).to_have_value(str(forge().id))
    visitor.get_by_role("link", name="Clear").click()
    expect(lines(visitor).first).to_contain_text("forge is paused")


def test_older_ones_are_a_page_of_their_own_and_back_leads_back(visitor: Page) -> None:
    for i in range(PAGE):
        events.report("machine_labelled", f"label {i} was put on forge", client=forge())
    visitor.reload()
    expect(lines(visitor)).to_have_count(PAGE)

    visitor.get_by_role("link", name="Older").click()
    expect(lines(visitor).filter(has_text="atlas is paused")).to_have_count(1)
    expect(visitor.locator("#events-new")).to_have_count(0)  # nothing new comes to an older page
    visitor.go_back()
    expect(lines(visitor).first).to_contain_text(f"label {PAGE - 1} was put")


def test_keys_move_through_it_and_lead_to_what_an_event_is_about(visitor: Page) -> None:
    visitor.keyboard.press("j")
    visitor.keyboard.press("Enter")

    visitor.wait_for_url("**/machines/*")
    expect(visitor.locator("h1")).to_contain_text("atlas")


def test_a_machines_page_tells_its_own(visitor: Page, server: RunningServer) -> None:
    visitor.goto(f"{server.url}/machines/{forge().id}")
    expect(visitor.locator("body")).to_have_attribute("data-live-state", "live")

    verbs.set_paused(Client.objects.get(name="atlas"), False)
    verbs.set_paused(forge(), True)

    expect(visitor.locator("#events-new")).to_contain_text("1 new event, the latest: forge is paused")
