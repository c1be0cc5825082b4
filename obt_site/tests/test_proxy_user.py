"""OBT_PROXY_USER_HEADER: whom the trusted proxy names is signed in; whoever else sends the header is nobody."""

from urllib.parse import urlsplit

import pytest
import requests

from obt_site.tests.server import RunningServer

PASSWORD = "correct horse 9"
SSO = {"Remote-User": "ada"}


@pytest.fixture(scope="module")
def behind(database_uri, tmp_path_factory):
    """A server behind a proxy at 127.0.0.1, which is where the tests ask from."""
    with _server(database_uri, tmp_path_factory, "behind", "127.0.0.1") as running:
        yield running


@pytest.fixture(scope="module")
def elsewhere(database_uri, tmp_path_factory):
    """A server whose proxy is another machine: here, nobody is it."""
    with _server(database_uri, tmp_path_factory, "elsewhere", "10.0.0.5") as running:
        yield running


def _server(database_uri, tmp_path_factory, name, proxy):
    from conftest import emptied

    uri = urlsplit(database_uri)._replace(path=f"/{name}").geturl()
    emptied(uri)
    given = {"OBT_TRUSTED_PROXY": proxy, "OBT_PROXY_USER_HEADER": "Remote-User", "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    running = RunningServer(uri, tmp_path_factory.mktemp(name), **given)
    running.manage("migrate", "--verbosity", "0")
    running.manage("createsuperuser", "--noinput", "--username", "root", "--email", "root@example.com")
    return running


def ask(server, path="/settings", session=None, **headers):
    asker = session or requests.Session()
    return asker.get(server.url + path, headers=headers, timeout=30, allow_redirects=False)


def audited(server):
    from obt_site import mongo

    mongo.connect(server.mongodb_uri)
    return list(mongo.database()["audit"].find())


def test_whom_the_proxy_names_is_signed_in_and_somebody_new_reads(behind):
    page = ask(behind, **SSO)

    assert page.status_code == 200
    assert "ada" in page.text
    assert ask(behind, "/sessions/new", **SSO).status_code == 403


def test_it_is_written_down_with_the_address_that_the_proxy_says(behind):
    ask(behind, **{"Remote-User": "grace", "X-Forwarded-For": "203.0.113.1, 192.0.2.7"})

    mine = {entry["action"]: entry for entry in audited(behind) if entry["about_name"] == "grace"}
    assert set(mine) == {"person.add", "person.sign_in"}
    assert {entry["address"] for entry in mine.values()} == {"192.0.2.7"}


def test_the_cookie_of_such_a_sign_in_is_worth_nothing_without_the_header(behind):
    browser = requests.Session()
    assert ask(behind, session=browser, **SSO).status_code == 200

    assert ask(behind, session=browser).status_code == 302


def test_another_name_is_another_person(behind):
    browser = requests.Session()
    ask(behind, session=browser, **SSO)

    assert "hopper" in ask(behind, session=browser, **{"Remote-User": "hopper"}).text


def test_a_name_that_cannot_be_one_is_nobody(behind):
    for name in ("a b", "<script>", "x" * 200, ""):
        assert ask(behind, **{"Remote-User": name}).status_code == 302, name


def test_the_api_takes_it_too(behind):
    assert ask(behind, "/api/v1/clients", **SSO).status_code == 200
    assert ask(behind, "/api/v1/clients").status_code == 401


def test_the_agents_paths_do_not(behind):
    answer = requests.post(f"{behind.url}/api/v1/agent/sync", headers=SSO, json={}, timeout=30)

    assert answer.status_code == 401


def test_who_says_it_is_behind_tls_gets_secure_addresses(behind):
    headers = {**SSO, "X-Forwarded-Proto": "https", "X-Forwarded-Host": "127.0.0.1"}

    docs = ask(behind, "/api/v1/docs", **headers)

    assert "https://127.0.0.1/api/v1/results" in docs.text


@pytest.mark.parametrize("name", ["Remote-User", "REMOTE-USER", "Remote_User", "remote_user"])
def test_from_any_other_address_the_header_is_ignored(elsewhere, name):
    assert ask(elsewhere, **{name: "root"}).status_code == 302
    assert ask(elsewhere, **{name: "root", "X-Forwarded-For": "10.0.0.5"}).status_code == 302


def test_from_any_other_address_scheme_and_host_are_ignored(elsewhere):
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}

    answer = ask(elsewhere, "/sign-in", **headers)

    assert answer.status_code == 200  # the forwarded host would have been refused


def test_from_any_other_address_the_address_is_ones_own(elsewhere):
    browser = requests.Session()
    browser.get(f"{elsewhere.url}/sign-in", timeout=30)
    token = next(value for name, value in browser.cookies.items() if name.startswith("obt_csrf"))

    sent = {"username": "root", "password": PASSWORD, "csrfmiddlewaretoken": token}
    browser.post(f"{elsewhere.url}/sign-in", sent, headers={"X-Forwarded-For": "192.0.2.7"}, timeout=30)

    (entry,) = [each for each in audited(elsewhere) if each["action"] == "person.sign_in"]
    assert entry["address"] == "127.0.0.1"
