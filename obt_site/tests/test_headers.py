"""The headers on every answer, and bodies that are too large, whether they say so or not."""

import http.client

import pytest
import requests

from obt_site.middleware import CONTENT_SECURITY_POLICY, HEADERS, body_limit_bytes

PATHS = ["/sign-in", "/health/ready", "/api/v1/results", "/nope", "/static/css/base.css", "/fleet"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_the_strict_headers_and_an_id(server, path):
    answer = requests.get(server.url + path, timeout=30, allow_redirects=False)

    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert len(answer.headers["X-Request-ID"]) == 16


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere():
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert "http" not in CONTENT_SECURITY_POLICY


def test_pages_are_not_kept_by_caches_and_static_files_may_be(server):
    assert "no-store" in requests.get(f"{server.url}/sign-in", timeout=30).headers["Cache-Control"]
    assert "no-store" not in requests.get(f"{server.url}/static/css/base.css", timeout=30).headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/api/v1/agent/sync", "/api/v1/sessions", "/sign-in"])
def test_a_body_that_does_not_say_its_length_is_cut_off_at_the_cap(server, path):
    limit = body_limit_bytes(path)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    chunks = (b" " * 65536 for _ in range(limit // 65536 + 4))

    connection.request("POST", path, body=chunks, headers={"Content-Type": "application/json"}, encode_chunked=True)

    assert connection.getresponse().status == 413


def test_a_host_that_is_not_ours_is_refused(server):
    answer = requests.get(f"{server.url}/sign-in", headers={"Host": "evil.example"}, timeout=30)

    assert answer.status_code == 400
    assert "evil.example" not in answer.text
