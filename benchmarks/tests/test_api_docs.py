"""GET openapi.json and GET docs."""

import re

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from benchmarks.tests.api_calls import BASE, Api, problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(database):
    user = User.objects.create_user("jo")
    user.groups.add(Group.objects.get_or_create(name="viewer")[0])
    client = Client()
    client.force_login(user)
    return client


def test_the_description_is_openapi_with_every_call(database):
    schema = Api().get("openapi.json").json()

    assert schema["openapi"].startswith("3.1")
    assert {"get", "post"} == set(schema["paths"]["/api/v1/sessions"])
    assert schema["paths"]["/api/v1/results"]["get"]["security"] == [{"BearerToken": []}, {"BrowserSession": []}]


def test_problems_are_described_under_their_media_type(database):
    call = Api().get("openapi.json").json()["paths"]["/api/v1/sessions"]["post"]

    assert set(call["responses"]["422"]["content"]) == {"application/problem+json"}
    assert set(call["responses"]["201"]["content"]) == {"application/json"}


def test_every_reference_in_the_description_leads_somewhere(database):
    response = Api().get("openapi.json")

    names = set(re.findall(r'"#/components/schemas/([^"]+)"', response.content.decode()))
    assert names
    assert names <= set(response.json()["components"]["schemas"])


def test_bodies_are_described_as_closed(database):
    schemas = Api().get("openapi.json").json()["components"]["schemas"]

    assert schemas["SessionBody"]["additionalProperties"] is False
    assert schemas["SessionBody"]["required"] == ["targets"]


def test_every_call_says_in_words_what_it_does(database):
    for path, methods in Api().get("openapi.json").json()["paths"].items():
        for method, call in methods.items():
            assert call["description"].endswith("."), f"{method} {path}"


def test_a_stranger_does_not_learn_what_calls_there_are(database):
    problem(Client().get(f"{BASE}openapi.json"), 401)
    response = Client().get(f"{BASE}docs")
    assert (response.status_code, response["Location"]) == (302, "/sign-in?next=/api/v1/docs")


def test_the_page_shows_every_call_of_the_description(viewer):
    page = viewer.get(f"{BASE}docs").content.decode()

    for path, methods in viewer.get(f"{BASE}openapi.json").json()["paths"].items():
        for method in methods:
            assert f"{method.upper()} {path}" in page


def test_the_page_shows_what_lies_within_what_is_sent_and_answered(viewer):
    page = viewer.get(f"{BASE}docs").content.decode()

    for field in ("targets[].model", "jobs[].progress.done", "items[].cells[].metrics.{name}.median"):
        assert f">{field}<" in page


def test_the_page_needs_nothing_that_the_content_security_policy_forbids(viewer):
    response = viewer.get(f"{BASE}docs")
    page = response.content.decode()

    assert "script-src 'self'" in response["Content-Security-Policy"]
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=", page) == []
    assert [url for url in re.findall(r'(?:src|href)="([^"]+)"', page) if url.startswith(("http", "//"))] == []


@pytest.mark.parametrize("path", ["docs", "openapi.json"])
def test_they_are_only_read(database, path):
    assert problem(Api().post(path), 405)["detail"]
