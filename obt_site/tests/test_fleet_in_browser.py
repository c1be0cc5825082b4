"""Adding a machine in its dialog, and renaming, labelling and removing one, in a real browser on the real server."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from agent.obt_agent import contract
from agents import enrolment, hardware, verbs
from agents.documents import Client
from benchmarks.tests import world
from obt_site.tests.server import RunningServer
from obt_site.tests.visiting import sign_in

pytestmark = pytest.mark.browser


@pytest.fixture
def visitor(page: Page, server: RunningServer) -> Page:
    world.machine("forge")
    return sign_in(page, server)


def report(client: Client) -> None:
    """What the new machine's agent sends first."""
    verbs.take_in(
        client,
        world.sync_request(
            hardware=world.HARDWARE,
            hardware_hash=hardware.content_hash(world.HARDWARE),
            models=[world.model("qwen3:8b")],
            models_hash="models-1",
        ),
    )


def open_machine(visitor: Page, server: RunningServer) -> Client:
    client: Client = Client.objects.get(name="forge")
    visitor.goto(f"{server.url}/machines/{client.id}")
    return client


def toast(visitor: Page) -> Locator:
    return visitor.locator(".toast").last


def test_the_dialog_turns_green_when_the_machine_is_there(visitor: Page) -> None:
    visitor.get_by_role("link", name="Add a machine").click()
    dialog = visitor.get_by_role("dialog", name="Add a machine")
    dialog.get_by_label("Name shown in OBT").fill("bench")
    dialog.get_by_label("Labels").fill("lab, quiet")
    dialog.get_by_role("button", name="Make the line to paste").click()

    expect(dialog).to_contain_text("Waiting for the agent to register")
    found = re.search(r"OBT_ENROL_TOKEN=(\S+)", dialog.locator("#line-unix").inner_text())
    assert found
    assert found[1] not in visitor.url
    answer = enrolment.register(contract.RegisterRequest(found[1], "some-host", "0.1.0", contract.PROTOCOL))
    expect(dialog).to_contain_text("Registered as bench")
    expect(dialog.locator(".note.good")).to_have_count(0)

    report(verbs.find(answer.client))
    expect(dialog.locator(".note.good")).to_contain_text("bench is here and takes jobs")
    expect(dialog).to_contain_text("1 model found")
    expect(dialog.get_by_role("link", name="Choose its models")).to_be_visible()

    # Behind the dialog the fleet has followed by itself.
    dialog.get_by_role("link", name="To the fleet").click()
    expect(dialog).not_to_be_visible()
    expect(visitor.get_by_role("table").first).to_contain_text("bench")
    assert verbs.find(answer.client).labels == ["lab", "quiet"]


def test_what_is_wrong_in_the_dialog_is_said_beside_its_field_and_stays_typed(visitor: Page, watch) -> None:
    watch.expected.append("422")
    visitor.get_by_role("link", name="Add a machine").click()
    dialog = visitor.get_by_role("dialog", name="Add a machine")
    dialog.get_by_label("Labels").fill("x" * 61)
    dialog.get_by_role("button", name="Make the line to paste").click()

    expect(dialog.locator(".err")).to_be_visible()
    expect(dialog.get_by_label("Labels")).to_have_value("x" * 61)
    visitor.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()


def test_a_new_name_is_said_and_a_taken_one_beside_the_field(visitor: Page, server: RunningServer, watch) -> None:
    watch.expected.append("409")
    world.machine("atlas")
    open_machine(visitor, server)
    visitor.get_by_label("Name", exact=True).fill("atlas")
    visitor.get_by_role("button", name="Rename").click()
    expect(visitor.locator("#machine-name-e")).to_contain_text("atlas")
    expect(visitor.get_by_label("Name", exact=True)).to_have_value("atlas")

    visitor.get_by_label("Name", exact=True).fill("anvil")
    visitor.get_by_role("button", name="Rename").click()
    expect(toast(visitor)).to_contain_text("It is called “anvil” now.")
    expect(visitor.locator("h1")).to_contain_text("anvil")


def test_labels_are_said_and_lead_to_the_fleet_filtered_by_them(visitor: Page, server: RunningServer) -> None:
    open_machine(visitor, server)
    visitor.get_by_label("Labels").fill("lab, quiet")
    visitor.get_by_role("button", name="Label", exact=True).click()
    expect(toast(visitor)).to_contain_text("forge is labelled lab, quiet.")

    visitor.locator("header.head").get_by_role("link", name="quiet").click()
    visitor.wait_for_url("**/fleet?label=quiet")
    expect(visitor.get_by_role("table").first).to_contain_text("forge")


def test_removing_names_what_goes_and_what_stays_and_can_be_left(visitor: Page, server: RunningServer) -> None:
    client = open_machine(visitor, server)
    world.session(client, *world.MODELS[:2])  # after the page: what the question counts is true when it is asked
    visitor.get_by_role("link", name="Remove forge").click()
    dialog = visitor.get_by_role("dialog", name="Remove this machine")
    for words in (
        "Remove forge?",
        "Its credential stops working.",
        "2 waiting jobs are cancelled.",
        "The list of its 3 models goes.",
        "Its results, sessions and events stay",
    ):
        expect(dialog).to_contain_text(words)

    dialog.get_by_role("link", name="Keep it").click()
    expect(dialog).not_to_be_visible()
    assert Client.objects(id=client.id).count() == 1

    visitor.get_by_role("link", name="Remove forge").click()
    dialog.get_by_role("button", name="Remove it").click()
    visitor.wait_for_url("**/fleet")
    expect(toast(visitor)).to_contain_text("forge was removed. Its results stay.")
    assert Client.objects(id=client.id).count() == 0
