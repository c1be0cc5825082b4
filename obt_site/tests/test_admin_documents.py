"""The data in Django's admin: lists with search, filters and pages, what is stored of one, and who may look."""

import re

import pytest
from django.contrib import admin

from agents import enrolment, verbs
from benchmarks import sessions
from benchmarks.tests import world
from obt_site.access import Role
from obt_site.admin import documents, measurements
from obt_site.tests.people import all_tags, links, person, tags, words
from obt_site.tokens import create_token

pytestmark = pytest.mark.django_db
SECTIONS = ("machines", "hardware", "models", "sessions", "jobs", "results", "api-tokens", "enrolment-tokens")


def browser_of(role=Role.ADMIN, staff=True, name="ada"):
    from django.test import Client

    user = person(name, role)
    user.is_staff = staff
    user.save()
    browser = Client()
    browser.force_login(user)
    return browser


@pytest.fixture
def ada(database):
    return browser_of()


@pytest.fixture
def stored(database):
    """One of everything."""
    machine = world.machine("forge")
    result = world.result(machine)
    world.session(machine, world.MODELS[1])
    create_token("dashboard", Role.VIEWER)
    return machine, result


def first_of(browser, section):
    """The address of the first document in a section's list."""
    base = f"/admin/documents/{section}/"
    return next(link for link in links(browser.get(base)) if link.startswith(base) and link != base)


def test_the_admins_index_lists_every_section_beside_people(ada):
    found = links(ada.get("/admin/"))

    assert {f"/admin/documents/{section}/" for section in SECTIONS} <= set(found)
    assert set(admin.site.documents) == set(SECTIONS)
    assert "/admin/auth/user/" in links(browser_of_superuser().get("/admin/"))


def browser_of_superuser():
    from django.test import Client

    from obt_site.accounts import setup

    user = person("root", Role.ADMIN)
    user.is_staff = user.is_superuser = True
    user.save()
    setup.ensure_roles()
    browser = Client()
    browser.force_login(user)
    return browser


@pytest.mark.parametrize("section", SECTIONS)
def test_each_section_is_empty_at_first_and_lists_what_is_stored(section, ada, database):
    empty = ada.get(f"/admin/documents/{section}/")

    assert empty.status_code == 200
    assert "There is nothing here yet" in words(empty)


@pytest.mark.parametrize("section", SECTIONS)
def test_each_document_has_a_page_with_what_is_stored_of_it(section, stored, ada):
    page = ada.get(first_of(ada, section))

    assert page.status_code == 200
    assert "What is stored" in words(page)
    assert len(tags(page, "h1")) >= 1


def test_no_page_shows_a_secret_or_a_hash(stored, ada):
    token = enrolment.create_token("anvil")[0]
    hashes = {enrolment.token_id(token), stored[0].credential_hash, stored[0].credential_id, stored[1].body_hash}
    hashes |= {one.secret_hash for one in documents_of("api-tokens")}

    for section in SECTIONS:
        listed = ada.get(f"/admin/documents/{section}/").content.decode()
        shown = ada.get(first_of(ada, section)).content.decode()
        for secret in (*hashes, token):
            assert secret not in listed, section
            assert secret not in shown, section


def documents_of(section):
    return list(admin.site.section(section).document.objects)


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize(
    ("role", "staff"), [(Role.ADMIN, False), (Role.OPERATOR, True), (Role.VIEWER, True), (None, True)]
)
def test_only_staff_who_are_administrators_may_look(section, role, staff, stored):
    answer = browser_of(role, staff, "eve").get(f"/admin/documents/{section}/", follow=True)

    assert answer.status_code == 403
    assert "forge" not in words(answer)


def test_strangers_are_sent_to_the_one_sign_in(database, client):
    answer = client.get("/admin/documents/machines/", follow=True)

    assert answer.redirect_chain[-1][0].startswith("/sign-in?next=")


def test_search_and_filters_narrow_and_what_does_not_fit_is_said(stored, ada):
    world.machine("atlas")
    verbs.set_paused(stored[0], True)

    def listed(**query):
        return words(ada.get("/admin/documents/machines/", query))

    assert ("forge" in listed(q="FOR"), "atlas" in listed(q="FOR")) == (True, False)
    assert ("forge" in listed(paused="yes"), "atlas" in listed(paused="yes")) == (True, False)
    assert "Nothing is like that" in listed(q="nothing")
    assert "forge" in listed(paused="perhaps")


@pytest.mark.parametrize(
    ("section", "query", "there", "not_there"),
    [
        ("models", {"q": "qwen"}, "qwen3:8b", "gemma3:4b"),
        ("sessions", {"state": "queued"}, world.MODELS[1], "#1 "),
        ("jobs", {"state": "succeeded"}, world.MODELS[0], world.MODELS[1]),
        ("jobs", {"q": "qwen"}, world.MODELS[1], world.MODELS[0]),
        ("results", {"valid": "true"}, world.MODELS[0], "Nothing is like that"),
        ("results", {"excluded": "only"}, "Nothing is like that", world.MODELS[0]),
        ("api-tokens", {"role": "viewer"}, "dashboard", "Nothing is like that"),
        ("api-tokens", {"role": "admin"}, "Nothing is like that", "dashboard"),
        ("enrolment-tokens", {"state": "used"}, "any name", "Nothing is like that"),
        ("hardware", {"q": "4090"}, "4090", "Nothing is like that"),
    ],
)
def test_each_section_is_searched_and_filtered(section, query, there, not_there, stored, ada):
    shown = words(ada.get(f"/admin/documents/{section}/", query))

    assert there in shown
    assert not_there not in shown


def walked(browser, section):
    """The first column of every page of a section, in order."""
    address, found = f"/admin/documents/{section}/", []
    for _ in range(20):
        page = browser.get(address)
        found += re.findall(r'<th scope="row"><a href="([^"]+)"', page.content.decode())
        following = [link for link in links(page) if "cursor=" in link]
        if not following:
            return found
        address = f"/admin/documents/{section}/{following[0]}"
    raise AssertionError("the list does not end")


@pytest.mark.parametrize("section", ["machines", "models", "sessions", "jobs", "results"])
def test_pages_hold_everything_once(section, database, ada, monkeypatch):
    for module in (documents, measurements):
        monkeypatch.setattr(module, "PAGE", 2)
    monkeypatch.setattr(measurements, "MOST_SESSIONS", 2)
    for name in ("a", "b", "c"):
        machine = world.machine(name)
        world.result(machine)
    sessions.start(
        [sessions.Target(str(machine.id), model) for model in world.MODELS], "standard", "quick", "jo", name="three"
    )

    found = walked(ada, section)

    assert len(found) == len(set(found)) == len(documents_of(section))


def test_machine_that_comes_while_one_turns_pages_moves_nothing(database, ada, monkeypatch):
    monkeypatch.setattr(documents, "PAGE", 2)
    for name in ("b", "d", "f"):
        world.register(name)
    following = next(link for link in links(ada.get("/admin/documents/machines/")) if "cursor=" in link)
    world.register("a")

    second = ada.get(f"/admin/documents/machines/{following}")

    assert re.findall(r'">(?:<bdi class="cut">)?(\w+)', second.content.decode().split("<tbody>")[1])[:1] == ["f"]


@pytest.mark.parametrize("section", SECTIONS)
def test_what_is_not_there_is_said(section, ada):
    assert ada.get(f"/admin/documents/{section}/{'a' * 24}/").status_code == 404
    assert ada.get("/admin/documents/nonsense/").status_code == 404
    assert ada.get(f"/admin/documents/{section}/?cursor=nonsense").status_code == 422


def test_nothing_of_the_admin_is_inline(stored, ada):
    browser = browser_of_superuser()
    pages = ["/admin/", "/admin/auth/user/", "/admin/auth/user/add/", "/admin/auth/group/", "/admin/documents/"]
    pages += [f"/admin/documents/{section}/" for section in SECTIONS] + [first_of(ada, section) for section in SECTIONS]

    for address in pages:
        page = browser.get(address)
        assert page.status_code == 200, address
        for name, attributes in all_tags(page):
            assert "style" not in attributes, (address, name)
            assert name != "style", address
            assert name != "script" or attributes.get("src"), address
            assert not [key for key in attributes if key.startswith("on")], (address, name)


def test_hostile_names_do_no_harm(database, ada):
    hostile = "<script>alert(1)</script>{{ 7|add:7 }}"
    machine = world.machine(hostile, models=[hostile])
    world.result(machine, hostile)

    for section in ("machines", "models", "sessions", "jobs", "results"):
        for address in (f"/admin/documents/{section}/", first_of(ada, section)):
            content = ada.get(address).content.decode()
            assert "<script>alert" not in content, address
            assert "{{ 14 }}" not in content, address
