"""/machines/add: a one-use token in one line to paste, and how far the machine is."""

import re
import zipfile
from datetime import timedelta
from io import BytesIO

import pytest
from django.test import Client

from agent.obt_agent import contract
from agents import hardware, verbs
from agents.documents import EnrolmentToken
from benchmarks.tests import world
from obt_site.access import Role
from obt_site.clock import now
from obt_site.tests.people import by_id, signed_in, tags, words

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _database(database):
    """Tokens are kept in the real database."""


def made(browser, **fields):
    """The page after asking for a line, and the token in it."""
    page = browser.post("/machines/add", fields)
    return page, re.search(r"OBT_ENROL_TOKEN=(\S+)", words(page))[1]


def test_opening_the_page_makes_no_token():
    page = signed_in(Role.ADMIN).get("/machines/add")

    assert page.status_code == 200
    assert EnrolmentToken.objects.count() == 0


def test_the_line_fetches_the_agent_from_here_and_registers_with_a_working_token():
    page, token = made(signed_in(Role.ADMIN), name="bench")

    answer = verbs.register(contract.RegisterRequest(token, "some-host", "0.1.0", contract.PROTOCOL))

    line = f"curl -fsSO http://testserver/agent.pyz && OBT_ENROL_TOKEN={token} python3 agent.pyz --server http://testserver"
    assert line in words(page)
    assert "--token" not in words(page)  # others on the machine see command lines
    assert "python3 -m pip install requests psutil nvidia-ml-py" in words(page)
    assert answer.name == "bench"


def test_the_token_is_in_no_address_of_the_page():
    page, token = made(signed_in(Role.ADMIN))

    addresses = re.findall(r'(?:href|hx-get|action)="([^"]*)"', page.content.decode())

    assert addresses
    assert not any(token in address for address in addresses)


def test_an_impossible_name_stays_typed_and_makes_no_token():
    page = signed_in(Role.ADMIN).post("/machines/add", {"name": "x" * 101})

    assert page.status_code == 422
    assert by_id(page, "name")["value"] == "x" * 101
    assert EnrolmentToken.objects.count() == 0


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_only_administrators_add_machines(role):
    browser = signed_in(role)

    assert browser.get("/machines/add").status_code == 403
    assert browser.post("/machines/add").status_code == 403
    assert EnrolmentToken.objects.count() == 0


def test_an_address_that_only_works_here_is_said_so():
    browser = signed_in(Role.ADMIN)

    here = browser.get("/machines/add", headers={"host": "127.0.0.1:8881"})

    assert "only works on this machine" in words(here)
    assert "only works on this machine" not in words(browser.get("/machines/add"))


def test_the_checklist_follows_the_machine_until_it_is_ready():
    browser = signed_in(Role.ADMIN)
    page, token = made(browser, name="bench")
    polled = by_id(page, "enrolment")["hx-get"]

    waiting = browser.get(polled)
    registered = verbs.register(contract.RegisterRequest(token, "host", "0.1.0", contract.PROTOCOL))
    halfway = browser.get(polled)
    gear = world.HARDWARE
    request = world.sync_request(hardware=gear, hardware_hash=hardware.content_hash(gear), models=[], models_hash="m")
    verbs.take_in(verbs.find(registered.client), request)
    ready = browser.get(polled)

    assert "Waiting for the agent to register" in words(waiting)
    assert "Registered as bench" in words(halfway)
    assert "Choose its models" not in words(halfway)
    assert "Ollama 0.24.0 answers" in words(ready)
    assert f"/models?client={registered.client}" in [tag["href"] for tag in tags(ready, "a")]
    assert "hx-get" not in by_id(ready, "enrolment")


def test_a_line_that_has_expired_says_so_and_asks_no_more():
    browser = signed_in(Role.ADMIN)
    page, _ = made(browser)
    EnrolmentToken.objects.update(set__expires_at=now() - timedelta(seconds=1))

    part = browser.get(by_id(page, "enrolment")["hx-get"])

    assert "works no more" in words(part)
    assert "hx-get" not in by_id(part, "enrolment")


def test_an_unknown_enrolment_is_not_found():
    assert signed_in(Role.ADMIN).get("/machines/enrolments/feed").status_code == 404


def test_the_agent_is_one_file_that_anybody_can_fetch():
    answer = Client().get("/agent.pyz")

    names = zipfile.ZipFile(BytesIO(b"".join(answer.streaming_content))).namelist()

    assert answer["Content-Disposition"].startswith("attachment")
    assert {"__main__.py", "obt_agent/contract.py"} <= set(names)
