"""The audit is only ever appended to: no route, no page of the admin and no verb changes or removes an entry."""

import ast

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from benchmarks.tests import world
from benchmarks.tests.api_calls import Api
from obt_site import actor, audit, env
from obt_site.access import Role
from obt_site.audit import AuditEntry
from obt_site.tests.people import person

pytestmark = pytest.mark.django_db
ROOMS = ("obt_site", "agents", "benchmarks")
WRITES = {
    "save", "delete", "update", "update_one", "update_many", "modify", "drop", "drop_collection", "delete_one",
    "delete_many", "replace_one", "insert", "insert_one", "insert_many", "find_one_and_update", "bulk_write", "remove",
}  # fmt: skip


@pytest.fixture
def entries(database):
    with actor.acting(actor.Actor(actor.PERSON, "ada", "1")):
        world.machine("forge")
        audit.record("data.try", "one", before={"a": 1}, after={"a": 2})
    return kept()


def kept():
    return [entry.to_mongo() for entry in AuditEntry.objects.order_by("number")]


def addresses(patterns=None, before=""):
    """Every address of the audit, with a number where it takes one."""
    for each in get_resolver().url_patterns if patterns is None else patterns:
        path = before + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from addresses(each.url_patterns, path)
        elif isinstance(each, URLPattern) and "audit" in path:
            yield "/" + path.replace("<int:number>", "1").replace("^", "").replace("$", "")


def test_the_addresses_of_the_audit_are_these():
    assert sorted(addresses()) == [
        "/api/v1/audit", "/audit", "/audit.csv", "/audit.jsonl", "/audit/1", "/audit/1/undo",
    ]  # fmt: skip


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_no_route_changes_or_removes_an_entry(entries, method):
    browser = Client()
    user = person("ada", Role.ADMIN)
    user.is_staff = user.is_superuser = True
    user.save()
    browser.force_login(user)
    api = Api(Role.ADMIN)
    number = len(kept())

    for address in addresses():
        getattr(browser, method)(address)
        api.send(method, address.removeprefix("/api/v1/"), {"words": "nothing happened", "number": 1})

    assert kept()[: len(entries)] == entries
    assert len(kept()) >= number


def test_the_admin_has_no_section_for_it(entries):
    from django.contrib import admin

    assert all(section.document is not AuditEntry for section in admin.site.documents.values())
    assert "audit" not in admin.site.documents


def test_only_recording_writes_to_it():
    """Whoever names the entries outside of `obt_site/audit.py` reads them: looked for in all of our sources."""
    wrong = []
    for path in (path for room in ROOMS for path in (env.ROOT / room).rglob("*.py")):
        if "tests" in path.parts or path == env.ROOT / "obt_site" / "audit.py":
            continue
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITES:
                target = ast.unparse(node.func.value)
                if "AuditEntry" in target or '"audit"' in target.replace("'", '"'):
                    wrong.append(f"{path}: {ast.unparse(node)}")
    assert wrong == []


def test_the_number_of_an_entry_is_given_out_once(entries):
    numbers = [entry["number"] for entry in kept()]

    assert numbers == sorted(set(numbers))
    from mongoengine import NotUniqueError

    with pytest.raises(NotUniqueError):
        AuditEntry(number=numbers[0], actor_kind="person", actor_name="eve", action="x.y", words="x").save(
            force_insert=True
        )
