"""Nasties thrown at every page, every filter and every field of every form: no 5xx, nothing that runs in a page."""

import re
from typing import Any

import pytest
from django.test import Client as Browser

from benchmarks import saved_views
from benchmarks.tests import world
from obt_site.access import Role
from obt_site.tests import nasties
from obt_site.tests.people import PASSWORD, all_tags, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(300)]
LISTS = {
    "/": ("size",),
    "/fleet": ("show", "label", "os", "gpu", "q", "sort"),
    "/models": ("q", "family", "quantization", "size", "capability", "tested", "differs", "metric", "sort", "from",
                "client", "label", "pick"),
    "/sessions": ("show", "machine", "by", "q", "before"),
    "/sessions/new": ("pick", "match", "cells", "suite", "budget", "name", "note", "again"),
    "/results": ("model", "client", "family", "quantization", "ollama", "suite", "outcome", "session", "valid", "cell",
                 "simulated", "q", "since", "until", "result", "upto", "metric", "x", "y", "sort", "group", "runs",
                 "cols", "chart", "scale", "density", "show", "page"),
    "/results.csv": ("model", "client", "cell", "since", "result", "sort"),
    "/compare": ("base", "with", "about", "metric"),
    "/history": ("model", "client", "metric", "cell", "digest"),
    "/events": ("machine", "kind", "since", "before"),
    "/queue": ("back",),
    "/palette": ("q",),
    "/sign-in": ("next",),
}  # fmt: skip
FORMS = {
    "/machines/{client}/rename": {"name": "forge"},
    "/machines/{client}/labels": {"labels": "lab"},
    "/machines/{client}/pause": {"paused": "1"},
    "/machines/add": {"name": "atlas", "labels": "lab"},
    "/sessions/new": {"pick": "{client}:llama3.2:3b", "suite": "standard", "budget": "quick", "cells": "tg128",
                      "name": "n", "note": "n", "do": "start"},
    "/models/estimate": {"pick": "{client}:llama3.2:3b", "budget": "quick"},
    "/sessions/{session}/pause": {"back": "queue"},
    "/results/views/save": {"name": "mine", "query": "model=x"},
    "/results/views/{view}/rename": {"name": "mine"},
    "/sign-in": {"username": "jo", "password": PASSWORD, "next": "/fleet"},
    "/settings": {"old_password": PASSWORD, "new_password1": "x", "new_password2": "x"},
}  # fmt: skip


@pytest.fixture
def names(database):
    forge = world.machine("forge")
    result = world.result(forge)
    world.running(forge, *world.MODELS)
    return {"client": str(forge.id), "session": str(result.session), "job": str(result.job), "result": result.id}


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    """Hundreds of sign-ins that are refused need not be slow."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def browser(database):
    browser = signed_in(Role.ADMIN)
    browser.raise_request_exception = False
    return browser


def harmless(response: Any, what: object) -> None:
    """No 5xx, and nothing of what was sent became markup, a header or a template's value."""
    assert response.status_code < 500, (what, response.status_code)
    assert "evil.test" not in response.get("Location", ""), what
    for value in response.headers.values():
        assert "\n" not in value, what
    if response.streaming or not response["Content-Type"].startswith("text/html"):
        return
    for name, attributes in all_tags(response):
        assert name != "script" or attributes.get("src", "").startswith("/static/"), what
        assert not [key for key in attributes if key.startswith("on")], (what, name)
        assert not attributes.get("href", "").strip().lower().startswith(("javascript:", "data:")), (what, name)
    assert not re.search(r"\{\{ 14 \}\}", response.content.decode()), what


@pytest.mark.parametrize("page", LISTS)
def test_a_nasty_value_of_a_filter_is_left_out_or_looked_for(browser, names, page):
    for what, text in nasties.TEXTS.items():
        if len(text) < 20_000:
            harmless(browser.get(page, dict.fromkeys(LISTS[page], text)), (page, what))


@pytest.mark.parametrize("page", LISTS)
def test_a_query_that_makes_no_sense_is_harmless(browser, names, page):
    for what, query in nasties.QUERIES.items():
        harmless(browser.get(f"{page}?{query}"), (page, what))


def test_what_is_no_id_in_an_address_is_not_found(browser, names):
    addresses = ["/machines/{}", "/machines/{}/live", "/sessions/{}", "/sessions/{}/live", "/results/{}"]
    addresses += ["/results/{}.md", "/results/{}/samples.csv", "/results/{}/telemetry.json", "/machines/{}/remove"]

    for address in addresses:
        for what, nasty in nasties.IDS.items():
            response = browser.get(address.format(nasty))
            harmless(response, (address, what))
            assert response.status_code in (302, 400, 404), (address, what, response.status_code)


@pytest.mark.parametrize("path", ["/static/", "/", "/api/v1/", "/admin/"])
def test_no_way_leads_out_of_what_is_served(browser, path):
    ways = ["../obt_site/settings.py", "%2e%2e/manage.py", "..%2f..%2fmanage.py", "....//manage.py", "/etc/passwd",
            "css/%00base.css", "..%5c..%5cmanage.py", "css/../../manage.py"]  # fmt: skip

    for way in ways:
        response = browser.get(path + way)
        assert response.status_code in (301, 302, 400, 404), (path, way, response.status_code)
        content = b"".join(response.streaming_content) if response.streaming else response.content
        assert b"SECRET_KEY" not in content
        assert b"root:" not in content


@pytest.mark.parametrize("form", FORMS)
def test_a_nasty_value_of_a_field_is_refused_or_kept_as_the_text_it_is(browser, names, form):
    view = saved_views.save("1", "mine", "model=x")
    known = {**names, "view": str(view.id)}
    good = {name: value.format(**known) for name, value in FORMS[form].items()}

    for field in good:
        for what, text in nasties.TEXTS.items():
            harmless(browser.post(form.format(**known), {**good, field: text}), (form, field, what))
    for page in ("/fleet", f"/machines/{names['client']}", "/sessions", "/events", "/results/views", "/models"):
        response = browser.get(page)
        assert response.status_code in (200, 302), page
        harmless(response, (form, page))


def test_a_body_that_is_no_form_is_harmless(browser, names):
    kinds = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x")
    for form in ("/machines/{client}/rename", "/sessions/new", "/results/views/save"):
        for what, body in nasties.BODIES.items():
            for kind in kinds:
                harmless(browser.post(form.format(**names), body, content_type=kind), (form, what, kind))


def test_a_visitor_is_sent_to_no_other_site_after_signing_in(database):
    browser = Browser()
    from obt_site.tests.people import person

    person("jo", Role.VIEWER)
    for way in (
        "//evil.test",
        "https://evil.test/",
        "/\\evil.test",
        "javascript:alert(1)",
        "\\\\evil.test",
        "http:///evil.test",
    ):
        answer = browser.post("/sign-in", {"username": "jo", "password": PASSWORD, "next": way})
        assert "evil.test" not in answer.get("Location", ""), way
        assert not answer.get("Location", "").startswith("javascript"), way
