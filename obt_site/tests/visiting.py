"""For tests in a browser on the real server: an administrator who has signed in, and ways to move about."""

from playwright.sync_api import Locator, Page, expect

from obt_site.tests.browser import TIMEOUT_MS
from obt_site.tests.people import PASSWORD
from obt_site.tests.server import RunningServer

NAME = "jo"
ACCOUNT = f"""
from django.contrib.auth import get_user_model
User = get_user_model()
User.objects.filter(username="{NAME}").exists() or User.objects.create_superuser("{NAME}", password="{PASSWORD}")
"""
MOST_TABS = 200


def account(server: RunningServer) -> None:
    """Make the account, where there is none yet; from here on the browser is waited for as long as it needs."""
    expect.set_options(timeout=TIMEOUT_MS)
    server.manage("shell", "-c", ACCOUNT)


def sign_in(page: Page, server: RunningServer) -> Page:
    """The page of a signed-in administrator, on the fleet."""
    account(server)
    page.goto(f"{server.url}/sign-in")
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/fleet")
    return page


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until one of the wanted elements has the focus."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if wanted.evaluate_all("nodes => nodes.includes(document.activeElement)"):
            return
    raise AssertionError(f"{MOST_TABS} times Tab do not lead to {wanted}")
