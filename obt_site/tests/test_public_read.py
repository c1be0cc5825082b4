"""OBT_PUBLIC_READ: strangers read measurements, and learn nothing about people, networks and doors."""

from dataclasses import replace

import pytest
from django.test import Client

from agent.obt_agent import contract
from agents import verbs
from benchmarks import sessions
from benchmarks.tests import world
from obt_site import publishing
from obt_site.access import Role
from obt_site.tests.people import links, person, signed_in, tags, words
from obt_site.tokens import create_token

pytestmark = pytest.mark.django_db
SECRETS = ("inside-host", "10.9.8.7", "secret-note", "jo-the-operator", "/home/jo")


@pytest.fixture(autouse=True)
def _public(settings, database):
    settings.PUBLIC_READ = True


@pytest.fixture
def forge():
    """A machine whose every private word is one of SECRETS."""
    return hidden(world.machine("forge"))


def hidden(machine):
    """What the machine said of itself last holds private words."""
    ollama = contract.OllamaState("http://10.9.8.7:11434", True, "0.24.0")
    verbs.take_in(machine, world.sync_request(ollama=ollama, hostname="inside-host"))
    return verbs.find(str(machine.id))


@pytest.fixture
def result(forge):
    targets = [sessions.Target(str(forge.id), world.MODELS[0])]
    sessions.start(targets, "standard", "quick", "jo-the-operator", cells=world.CELLS, note="secret-note")
    (offer,) = world.sync(forge).jobs
    world.acknowledge(forge, offer)
    stored = world.deliver(forge, offer, body(offer))
    hidden(forge)
    return stored


@pytest.fixture
def failed(forge):
    """One that broke with an error which names an address and a folder."""
    offer = world.running(forge, world.MODELS[1])
    error = contract.JobError("ollama_error", "http://10.9.8.7:11434 refused: /home/jo/models is full")
    stored = world.deliver(forge, offer, body(offer, outcome="failed", error=error))
    hidden(forge)
    return stored


def body(offer, **fields):
    made = world.body(offer, **fields)
    ollama = contract.OllamaState("http://10.9.8.7:11434", True, "0.24.0", local=True)
    return replace(made, environment=replace(made.environment, ollama=ollama))


def pages(result):
    of_it = f"client={result.client}&model={result.model}"
    return [
        "/fleet",
        "/models",
        "/results",
        "/results?runs=all&columns=session",
        f"/results/{result.id}",
        f"/results/{result.id}.md",
        f"/results/{result.id}/samples.csv",
        f"/results/{result.id}/telemetry.json",
        "/results.csv",
        "/results.csv?runs=all",
        f"/history?{of_it}",
        f"/compare?with=result%3D{result.id}",
    ]


def calls(result):
    compared = f"compare?base=client%3D{result.client}&with=model%3D{result.model.replace(':', '%3A')}"
    one = f"results/{result.id}"
    return ["clients", f"clients/{result.client}", "models", "results", "results?outcome=any", one, f"{one}/samples",
            f"{one}/telemetry", compared]  # fmt: skip


def read(answer):
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return content.decode()


def test_home_leads_to_the_results(result):
    assert Client().get("/").url == "/results"


def test_every_page_of_measurements_is_read_without_signing_in(result, failed):
    for address in (*pages(result), *pages(failed)):
        assert Client().get(address).status_code == 200, address


def test_none_of_them_says_a_word_of_what_is_private(result, failed):
    for address in (*pages(result), *pages(failed)):
        text = read(Client().get(address))
        assert [word for word in SECRETS if word in text] == [], address


def test_the_same_pages_say_it_to_people(result, failed):
    browser = signed_in(Role.VIEWER)

    assert "10.9.8.7" in read(browser.get(f"/results/{failed.id}"))
    assert "/sessions/" in read(browser.get(f"/results/{result.id}"))


def test_the_api_reads_the_same_and_says_as_little(result, failed):
    for call in (*calls(result), *calls(failed)):
        answer = Client().get(f"/api/v1/{call}")
        assert answer.status_code == 200, (call, answer.content)
        assert [word for word in SECRETS if word in read(answer)] == [], call


def test_the_api_says_it_to_a_token(result):
    headers = {"Authorization": f"Bearer {create_token('script', Role.VIEWER)}"}

    assert "inside-host" in read(Client().get("/api/v1/clients", headers=headers))
    assert "10.9.8.7" in read(Client().get(f"/api/v1/results/{result.id}", headers=headers))


def test_why_something_failed_is_said_to_be_known(failed):
    assert publishing.REASON in words(Client().get(f"/results/{failed.id}"))
    assert Client().get(f"/api/v1/results/{failed.id}").json()["error"]["message"] == publishing.REASON


def test_a_wrong_token_is_refused_and_not_taken_for_a_stranger(result):
    assert Client().get("/api/v1/results", headers={"Authorization": "Bearer obtu_x_y"}).status_code == 401


def test_a_bar_with_the_open_pages_and_a_way_to_sign_in(result):
    page = Client().get("/results?group=client")

    assert {"/fleet", "/models", "/results", "/compare", "/history"} <= set(links(page))
    assert "/sign-in?next=/results%3Fgroup%3Dclient" in links(page)
    assert "/settings" not in links(page)
    assert not [tag for tag in tags(page, "script") if "palette" in tag.get("src", "")]


def test_nothing_is_offered_that_a_stranger_may_not_do(result):
    for address in pages(result):
        page = Client().get(address)
        if page["Content-Type"].startswith("text/html"):
            offered = [form["action"] for form in tags(page, "form") if form.get("method") == "post"]
            assert [action for action in offered if action != "/sessions/new"] == [], address
            assert not [
                tag for tag in tags(page, "button") if tag.get("type") == "submit" and "do" in tag.get("name", "")
            ]
            assert "data-live" not in read(Client().get(address)), address


def test_what_is_not_there_says_so_to_strangers_too(result):
    assert Client().get("/results/ffffffffffffffffffffffff").status_code == 404


def test_someone_with_an_account_and_no_role_is_not_let_in_by_it(result):
    person("eve", None)
    browser = Client()
    browser.force_login(person("bo", None))

    assert browser.get("/results").status_code == 403


def test_a_sign_in_leads_back_to_the_page(result):
    person("jo", Role.VIEWER)

    answer = Client().post(
        "/sign-in", {"username": "jo", "password": "correct horse 9", "next": "/results?group=client"}
    )

    assert answer.url == "/results?group=client"


def test_without_it_strangers_read_nothing(result, settings):
    settings.PUBLIC_READ = False

    for address in pages(result):
        assert Client().get(address).status_code == 302, address
    for call in calls(result):
        assert Client().get(f"/api/v1/{call}").status_code == 401, call
    assert tags(Client().get("/sign-in"), "nav") == []
