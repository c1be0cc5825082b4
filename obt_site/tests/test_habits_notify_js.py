# ruff: noqa: F811  (fixtures of another module)
"""The end of a session, told by the browser to those who asked, on the scripted site of the other habits."""

from playwright.sync_api import Page, expect

from obt_site.tests.test_habits_js import page, pytestmark, site  # noqa: F401

END = "document.dispatchEvent(new CustomEvent('obt:ended', {detail: {title: 'Done', toast: {text: 'All ended'}}}))"


def test_the_end_of_a_session_is_told_by_the_browser_to_those_who_asked(page: Page) -> None:
    button = page.locator("[data-notify]")
    expect(button).to_have_text("Tell me when it ends")
    page.evaluate(END)
    assert page.evaluate("window.told") == []

    button.click()
    expect(button).to_have_text("You will be told")
    page.evaluate(END)
    assert page.evaluate("window.told") == [["Done", "All ended"]]

    button.click()
    page.evaluate(END)
    assert len(page.evaluate("window.told")) == 1


def test_a_browser_that_forbids_notifications_is_said(page: Page) -> None:
    page.evaluate("Notification.requestPermission = async () => 'denied'")
    page.locator("[data-notify]").click()

    expect(page.locator(".toast")).to_contain_text("does not allow notifications")
    expect(page.locator("[data-notify]")).to_have_text("Tell me when it ends")
