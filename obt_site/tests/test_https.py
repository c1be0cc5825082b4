"""https by OBT_TLS_CERT and OBT_TLS_KEY, as `up` starts it: versions, cookies, headers, sockets, the local agent."""

import re
import socket
import ssl

import pytest
import requests

from agent.tests.certificates import Authority
from obt_site.tests.up_process import starting

ADMIN = {"OBT_ADMIN_USERNAME": "ada", "OBT_ADMIN_PASSWORD": "lovelace-1843"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def running(authority, tmp_path_factory):
    """One `up` with a certificate that does not name 127.0.0.1, by which its own agent comes."""
    pair = authority.pair("localhost", "bench.example", chain=True)
    given = {
        "OBT_TLS_CERT": str(pair.cert),
        "OBT_TLS_KEY": str(pair.key),
        "OBT_ALLOWED_HOSTS": "bench.example,localhost",
    }
    with starting(tmp_path_factory.mktemp("https") / "da:ta") as start:
        yield start(**given, **ADMIN).ready()


def get(running, authority, path, **more):
    return requests.get(f"https://localhost:{running.port}{path}", verify=authority.cert, timeout=30, **more)


def test_the_block_says_https_and_the_agent_of_this_machine_trusts_it(running):
    assert f"OBT runs at https://127.0.0.1:{running.port}" in running.output
    assert "6 models" in running.output


def test_a_client_that_knows_the_authority_is_served_with_the_whole_chain(running, authority):
    assert get(running, authority, "/health/ready").status_code == 200
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"https://localhost:{running.port}/health/ready", timeout=30)


def test_plain_http_gets_nothing_from_that_port(running):
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{running.port}/health/ready", timeout=30)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_versions_before_1_2_are_refused_by_the_server(running, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")  # else this side would not even ask
    context.minimum_version = context.maximum_version = version

    with (
        socket.create_connection(("127.0.0.1", running.port), timeout=30) as line,
        pytest.raises(ssl.SSLError, match=r"(?i)alert protocol version"),
    ):
        context.wrap_socket(line)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions_from_1_2_on_are_spoken(running, authority, version):
    context = ssl.create_default_context(cafile=str(authority.cert))
    context.minimum_version = context.maximum_version = version

    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as line:
        spoken = context.wrap_socket(line, server_hostname="bench.example").version()

    assert spoken == version.name.replace("_", ".")


def test_every_cookie_is_for_https_only(running, authority):
    with requests.Session() as browser:
        browser.verify, browser.trust_env = str(authority.cert), False
        url = f"https://localhost:{running.port}"
        page = browser.get(f"{url}/sign-in", timeout=30)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)[1]
        form = {"username": "ada", "password": "lovelace-1843", "csrfmiddlewaretoken": token}
        answer = browser.post(
            f"{url}/sign-in", form, headers={"Referer": f"{url}/sign-in"}, timeout=30, allow_redirects=False
        )

        assert answer.status_code == 302
        assert {cookie.name for cookie in browser.cookies} >= {
            f"obt_csrf_{running.port}",
            f"obt_session_{running.port}",
        }
        assert [cookie.name for cookie in browser.cookies if not cookie.secure] == []


def test_a_name_is_told_to_be_asked_by_https_only_and_localhost_which_others_use_too_is_not(running, authority):
    named = get(running, authority, "/sign-in", headers={"Host": f"bench.example:{running.port}"})

    assert named.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "Strict-Transport-Security" not in get(running, authority, "/sign-in").headers


HANDSHAKE = (
    "GET /ws/fleet HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nOrigin: {origin}\r\n\r\n"
)


@pytest.mark.parametrize(("scheme", "status"), [("https", b"101"), ("http", b"403")])
def test_a_socket_is_opened_for_a_page_that_came_by_https_and_for_no_other(running, authority, scheme, status):
    context = ssl.create_default_context(cafile=str(authority.cert))
    with (
        socket.create_connection(("127.0.0.1", running.port), timeout=30) as line,
        context.wrap_socket(line, server_hostname="localhost") as safe,
    ):
        safe.sendall(HANDSHAKE.format(port=running.port, origin=f"{scheme}://localhost:{running.port}").encode())

        assert safe.recv(65536).startswith(b"HTTP/1.1 " + status)
