"""What no HTTP client would send, by raw sockets to a real daphne: each is answered in the one error shape."""

import gzip
import json

import pytest
import requests

from obt_site.access import Role
from obt_site.tests.raw_http import connect, problem, read_to_end
from obt_site.tokens import create_token

HOST = b"Host: 127.0.0.1\r\n"
MULTIPART = b"Content-Type: multipart/form-data; boundary=x\r\n"


def said(server, request: bytes):
    with connect(server) as line:
        line.sendall(request)
        answer = read_to_end(line)
    found = problem(answer)
    assert answer.count(b"HTTP/1.1") == 1
    assert found["status"] == found["http"]
    assert found["type"].startswith("urn:obt:error:")
    assert found["request_id"].encode() in answer.partition(b"\r\n\r\n")[0]
    return found


MALFORMED = {
    "no request line": b"hello\r\n\r\n",
    "a negative length": b"POST /sign-in HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n",
    "two lengths": b"POST /sign-in HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "length and chunks": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "another transfer coding": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\n" + HOST + b"nonsense\r\n\r\n",
    "a header whose name is none": b"GET / HTTP/1.1\r\n" + HOST + b"a b: c\r\n\r\n",
    "a chunk without a size": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a path that is not ASCII": b"GET /\xff HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_cannot_be_read_is_a_400(server, what):
    found = said(server, MALFORMED[what])

    assert (found["http"], found["type"]) == (400, "urn:obt:error:malformed")


def test_too_many_headers_are_a_431(server):
    flood = b"".join(b"X-%d: 1\r\n" % i for i in range(200))

    assert said(server, b"GET / HTTP/1.1\r\n" + HOST + flood + b"\r\n")["http"] == 431


def test_headers_that_are_too_large_together_are_a_431(server):
    flood = b"".join(b"X-%d: %s\r\n" % (i, b"x" * 1000) for i in range(50))

    assert said(server, b"GET / HTTP/1.1\r\n" + HOST + flood + b"\r\n")["http"] == 431


def test_one_header_without_an_end_is_a_431(server):
    assert said(server, b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 100_000)["http"] == 431


def test_an_address_without_an_end_is_a_414(server):
    assert said(server, b"GET /" + b"x" * 100_000)["http"] == 414


def test_nothing_of_a_refused_request_is_carried_out_and_nothing_after_it(server):
    two = MALFORMED["a negative length"] + b"GET /health/live HTTP/1.1\r\n" + HOST + b"\r\n"

    assert said(server, two)["http"] == 400


def test_a_broken_multipart_form_is_a_400_by_django(server):
    body = b"--x\r\nbroken"
    request = b"POST /sign-in HTTP/1.1\r\n" + HOST + MULTIPART + b"Content-Length: %d\r\nConnection: close\r\n\r\n"
    with connect(server) as line:
        line.sendall(request % len(body) + body)
        answer = read_to_end(line)

    assert answer.split(b" ", 2)[1] in (b"400", b"403")
    assert b"Traceback" not in answer
    assert "Traceback" not in server.log()


def test_a_gzip_bomb_is_refused_without_being_opened(server):
    bomb = gzip.compress(b" " * 30_000_000)
    assert len(bomb) < 64 * 1024

    answer = requests.post(
        f"{server.url}/api/v1/sessions",
        data=bomb,
        headers={
            "Authorization": f"Bearer {create_token('bomb', Role.OPERATOR)}",
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
        },
        timeout=30,
    )

    assert answer.status_code == 415
    assert answer.headers["Accept-Encoding"] == "identity"
    assert answer.json()["detail"] == "Send the body as it is, without Content-Encoding."


def test_a_body_that_says_it_is_not_compressed_is_read(server):
    answer = requests.post(
        f"{server.url}/api/v1/agent/register",
        data=json.dumps({}),
        headers={"Content-Type": "application/json", "Content-Encoding": "identity"},
        timeout=30,
    )

    assert answer.status_code == 400
    assert "token" in answer.json()["detail"]
