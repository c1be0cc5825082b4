"""Where a request comes from: the word of a trusted proxy, and nobody else's."""

import pytest

from obt_site.address import believed

PROXY, STRANGER = "10.0.0.5", "198.51.100.9"


@pytest.fixture(autouse=True)
def _proxy(settings):
    settings.TRUSTED_PROXY = ("10.0.0.5/32", "10.1.0.0/16", "fd00::/8")
    settings.PROXY_USER_HEADER = "Remote-User"


def passed_on(peer, kind="http", **headers):
    """A connection from this peer as the application gets it."""
    given = [(b"host", b"inside:8881")]
    given += [(name.replace("__", "-").encode(), value.encode()) for name, value in headers.items()]
    scheme = {"http": "http", "websocket": "ws"}[kind]
    return believed({"type": kind, "scheme": scheme, "client": [peer, 4711], "headers": given})


def header(scope, name):
    return [value.decode() for key, value in scope["headers"] if key.decode() == name]


FORWARDED = {"x__forwarded__for": "192.0.2.7", "x__forwarded__proto": "https", "x__forwarded__host": "bench.example"}


def test_the_proxys_word_for_address_scheme_and_host_is_taken_over():
    scope = passed_on(PROXY, **FORWARDED)

    assert scope["client"][0] == "192.0.2.7"
    assert scope["scheme"] == "https"
    assert header(scope, "host") == ["bench.example"]


def test_a_websocket_gets_the_same():
    scope = passed_on(PROXY, "websocket", **FORWARDED)

    assert (scope["client"][0], scope["scheme"]) == ("192.0.2.7", "wss")
    assert header(scope, "host") == ["bench.example"]


def test_the_same_from_anybody_else_changes_nothing_and_is_not_passed_on():
    scope = passed_on(STRANGER, **FORWARDED)

    assert scope["client"] == [STRANGER, 4711]
    assert scope["scheme"] == "http"
    assert scope["headers"] == [(b"host", b"inside:8881")]


def test_without_a_proxy_nobody_is_believed(settings):
    settings.TRUSTED_PROXY = ()

    assert passed_on(PROXY, **FORWARDED)["client"][0] == PROXY


@pytest.mark.parametrize("name", ["remote-user", "Remote-User", "remote_user", "REMOTE_USER"])
def test_the_header_that_names_a_person_is_thrown_away_however_it_is_written(name):
    scope = believed({"type": "http", "client": [STRANGER, 1], "headers": [(name.encode(), b"root")]})

    assert scope["headers"] == []


def test_the_proxys_header_that_names_a_person_is_passed_on():
    assert header(passed_on(PROXY, **{"remote__user": "ada"}), "remote-user") == ["ada"]


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("203.0.113.1, 192.0.2.7", "192.0.2.7"),  # what the client wrote itself stands on the left
        ("203.0.113.1, 192.0.2.7, 10.1.2.3", "192.0.2.7"),  # through two proxies of ours
        ("10.1.2.3", "10.1.2.3"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("192.0.2.7, nonsense", PROXY),
        ("", PROXY),
        ("unknown", PROXY),
    ],
)
def test_the_client_is_the_last_one_that_is_no_proxy_of_ours(chain, client):
    assert passed_on(PROXY, x__forwarded__for=chain)["client"][0] == client


def test_a_chain_in_several_headers_is_one_chain():
    scope = {
        "type": "http",
        "client": [PROXY, 1],
        "headers": [(b"x-forwarded-for", b"203.0.113.1"), (b"x-forwarded-for", b"192.0.2.7, 10.1.0.1")],
    }

    assert believed(scope)["client"][0] == "192.0.2.7"


def test_a_proxy_that_is_reached_as_ipv4_in_ipv6_is_known():
    assert passed_on(f"::ffff:{PROXY}", **FORWARDED)["client"][0] == "192.0.2.7"


def test_a_proxy_that_says_plain_http_is_believed_too():
    assert passed_on(PROXY, x__forwarded__proto="http")["scheme"] == "http"


def test_a_connection_without_an_address_is_a_strangers():
    scope = believed({"type": "http", "headers": [(b"x-forwarded-for", b"192.0.2.7"), (b"remote-user", b"root")]})

    assert "client" not in scope
    assert scope["headers"] == []
