"""Nasties from machines: bodies that no agent sends, names that want to be more, and addresses to be called."""

import socket
import zipfile
from dataclasses import replace

import pytest
import requests
from django.test import AsyncClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.obt_agent import contract, wire
from agents import package, verbs
from benchmarks.documents import Result
from benchmarks.tests import world
from obt_site.access import Role
from obt_site.tests import nasties
from obt_site.tests.people import signed_in, tags

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(300)]
FEW = settings(max_examples=80, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
KINDS = (contract.RegisterRequest, contract.SyncRequest, contract.ProgressRequest, contract.ResultBody)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(list(nasties.TEXTS.values())),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=12), inside, max_size=4),
    max_leaves=12,
)


def problems_of(read):
    """What a body is refused for; none when it is taken. Any other exception is the test's failure."""
    try:
        read()
    except wire.WireError as error:
        return error.problems or ["refused without a reason"]
    return []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(value=anything)
@FEW
def test_whatever_is_sent_is_a_body_of_the_contract_or_named_as_none(kind, value):
    problems = problems_of(lambda: wire.decode(kind, value))

    assert len(problems) <= wire.MAX_PROBLEMS
    assert all(problem.message for problem in problems)


@given(body=st.binary(max_size=200) | st.sampled_from(list(nasties.BODIES.values())))
@FEW
def test_whatever_bytes_come_are_json_or_named_as_none(body):
    assert all(problem.message for problem in problems_of(lambda: wire.loads(body)))


GOOD = {
    "register": wire.encode(contract.RegisterRequest("t" * 20, "forge", "0.1.0", contract.PROTOCOL)),
    "sync": wire.encode(world.sync_request()),
    "progress": wire.encode(contract.ProgressRequest(1, "l" * 32, [contract.Event(1, "started", 0.0)])),
}


def targets(job: str) -> dict[str, tuple[str, str]]:
    return {
        "register": ("POST", "register"),
        "sync": ("POST", "sync"),
        "progress": ("POST", f"jobs/{job}/progress"),
        "result": ("PUT", f"jobs/{job}/result"),
    }


@pytest.fixture
def machine(database):
    client, credential = world.register("forge")
    verbs.take_in(client, world.sync_request(models=[world.model(each) for each in world.MODELS], models_hash="1"))
    session = world.session(verbs.find(str(client.id)))
    (offer,) = world.sync(verbs.find(str(client.id))).jobs
    return credential, offer, session


async def send(credential, method, path, body: bytes, kind="application/json"):
    caller = AsyncClient(raise_request_exception=False)
    headers = {"Authorization": f"Bearer {credential}"}
    return await caller.generic(method, f"/api/v1/agent/{path}", body, kind, headers=headers)


def named(response, what) -> None:
    assert 400 <= response.status_code < 500, (what, response.status_code, response.content[:300])
    assert response["Content-Type"] == "application/problem+json", what
    assert response.json()["detail"], what


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("call", ["register", "sync", "progress", "result"])
async def test_a_body_that_is_none_is_refused(machine, call):
    credential, offer, _ = machine
    method, path = targets(offer.job)[call]

    for what, body in nasties.BODIES.items():
        named(await send(credential, method, path, body), what)
    named(await send(credential, method, path, b"{}", "text/plain"), "text/plain")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("call", GOOD)
async def test_a_nasty_value_in_any_field_is_no_fault_of_the_server(machine, call):
    credential, offer, _ = machine
    method, path = targets(offer.job)[call]

    for name in GOOD[call]:
        for what, value in nasties.VALUES.items():
            body = {**GOOD[call], name: value, **({"hold_s": 0} if call == "sync" and name != "hold_s" else {})}
            if call == "sync" and name == "hold_s" and isinstance(value, int | float) and value:
                continue  # a machine may ask to be held
            text = wire.json.dumps(body).encode("utf-8", "surrogatepass")
            response = await send(credential, method, path, text)
            assert response.status_code < 500, (name, what, response.content[:300])
            if response.status_code >= 400:
                named(response, (name, what))


@pytest.mark.django_db(transaction=True)
async def test_what_is_no_job_is_refused(machine):
    credential, _, _ = machine
    body = wire.dumps(contract.ProgressRequest(1, "l" * 32, []))

    for what, nasty in nasties.IDS.items():
        named(await send(credential, "POST", f"jobs/{nasty}/progress", body), what)
    assert Result.objects.count() == 0


def test_the_server_never_calls_an_address_that_a_machine_gave(database):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.setblocking(False)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        client = world.machine("forge")
        state = contract.OllamaState(url, reachable=True, version="0.24.0", local=True)
        verbs.take_in(client, world.sync_request(ollama=state))
        world.result(verbs.find(str(client.id)))
        browser = signed_in(Role.ADMIN)

        for page in ("/", "/fleet", f"/machines/{client.id}", "/models", "/api/v1/clients", "/sessions/new", "/queue"):
            assert browser.get(page).status_code == 200

        with pytest.raises(BlockingIOError):
            listening.accept()


@pytest.mark.parametrize("address", nasties.ADDRESSES.values(), ids=nasties.ADDRESSES)
def test_an_address_that_a_machine_gave_is_shown_as_text_and_leads_nowhere(database, address):
    client = world.machine("forge")
    verbs.take_in(client, world.sync_request(ollama=replace(world.sync_request().ollama, url=address)))
    browser = signed_in(Role.ADMIN)

    for path in ("/fleet", f"/machines/{client.id}"):
        page = browser.get(path)
        assert page.status_code == 200
        leading = [
            tag.get("href", "") + tag.get("src", "") for name in ("a", "img", "script") for tag in tags(page, name)
        ]
        assert not [each for each in leading if address in each]
        assert "<script>alert" not in page.content.decode()


@pytest.mark.parametrize("name", ["../../evil:1", "..\\evil", "/etc/passwd", "a/../../b", "C:\\evil"])
def test_a_model_that_is_called_like_a_path_writes_no_file(database, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    forge = world.machine("forge", models=[name])
    result = world.result(forge, name)
    browser = signed_in(Role.VIEWER)

    for path in ("/results.csv", f"/results/{result.id}.md", f"/results/{result.id}/samples.csv"):
        answer = browser.get(path)
        assert answer.status_code == 200
        assert ".." not in answer.get("Content-Disposition", "")
    assert list(tmp_path.iterdir()) == []


def test_the_agents_archive_unpacks_into_one_folder_only():
    with zipfile.ZipFile(package.zipapp()) as archive:
        for entry in archive.infolist():
            assert not entry.filename.startswith(("/", "\\"))
            assert ".." not in entry.filename.replace("\\", "/").split("/")
            assert (entry.external_attr >> 16) & 0o170000 in (0, 0o100000, 0o040000), "a link"


def test_a_flood_of_headers_is_answered_or_cut_and_the_server_goes_on(server):
    for count, size in ((50, 50), (2000, 10), (1, 60_000)):
        headers = {f"X-H{i}": "x" * size for i in range(count)}
        try:
            answer = requests.get(f"{server.url}/api/v1/clients", headers=headers, timeout=20)
            assert answer.status_code < 500, (count, size)
        except requests.ConnectionError:
            pass
    assert requests.get(f"{server.url}/health/ready", timeout=20).status_code == 200


def test_a_compressed_body_is_not_unpacked(server):
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    for path in ("agent/register", "agent/sync", "sessions"):
        answer = requests.post(f"{server.url}/api/v1/{path}", nasties.BODIES["gzip bomb"], headers=headers, timeout=20)
        assert answer.status_code in (400, 401, 413, 415), path
