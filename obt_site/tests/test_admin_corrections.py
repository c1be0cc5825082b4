"""What may be corrected in the admin, by whom, and that nothing else can be: no measured number."""

import pytest

from agents import verbs
from benchmarks import results, sessions
from benchmarks.tests import world
from obt_site import token_names
from obt_site.access import Role
from obt_site.audit import AuditEntry
from obt_site.tests.people import links, tags, words
from obt_site.tests.test_admin_documents import SECTIONS, browser_of, first_of
from obt_site.tokens import create_token

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(database):
    return browser_of()


@pytest.fixture
def forge(database):
    return world.machine("forge")


def test_a_machines_name_and_labels_are_corrected_and_written_down(forge, ada):
    answer = ada.post(f"/admin/documents/machines/{forge.id}/", {"name": "anvil", "labels": "lab, old"}, follow=True)

    found = verbs.find(str(forge.id))
    assert (found.name, list(found.labels)) == ("anvil", ["lab", "old"])
    assert "Machine corrected" in words(answer)
    assert {entry.actor_name for entry in AuditEntry.objects(action__in=["machine.rename", "machine.label"])} == {"ada"}
    assert any(link.startswith("/audit?about=") for link in links(answer))


def test_a_name_that_is_taken_stays_in_the_form_with_the_reason(forge, ada):
    world.machine("atlas")

    answer = ada.post(f"/admin/documents/machines/{forge.id}/", {"name": "atlas", "labels": ""})

    assert answer.status_code == 409
    assert "already called" in words(answer)
    assert [tag["value"] for tag in tags(answer, "input") if tag.get("name") == "name"] == ["atlas"]
    assert verbs.find(str(forge.id)).name == "forge"


def test_labels_that_are_too_many_change_nothing_at_all(forge, ada):
    labels = ",".join(f"l{i}" for i in range(30))

    answer = ada.post(f"/admin/documents/machines/{forge.id}/", {"name": "anvil", "labels": labels})

    assert answer.status_code == 422
    assert verbs.find(str(forge.id)).name == "forge"


def test_a_sessions_name_and_note_are_corrected(forge, ada):
    session = world.session(forge)

    ada.post(f"/admin/documents/sessions/{session.id}/", {"name": "Before the move", "note": "two\nlines"})

    found = sessions.find(str(session.id))
    assert (found.name, found.note) == ("Before the move", "two\nlines")


def test_an_api_tokens_name_is_corrected_and_it_goes_on_working(ada):
    text = create_token("old", Role.VIEWER)
    identity = text.split("_")[1]

    ada.post(f"/admin/documents/api-tokens/{identity}/", {"name": "new"})

    assert token_names.find(identity).name == "new"
    answer = browser_of(name="eve").get("/api/v1/results", headers={"Authorization": f"Bearer {text}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [("cells", "[]"), ("cells.0.metrics.decode_rate.median", "9999"), ("valid", "false"), ("number", "1"),
     ("duration_s", "1"), ("excluded", "x"), ("simulated", "false"), ("comparison_key", "x"), ("model", "other")],
)  # fmt: skip
def test_no_measured_number_can_be_typed(forge, ada, name, value):
    result = results.find(world.result(forge).id)
    before = result.to_mongo()

    answer = ada.post(f"/admin/documents/results/{result.id}/", {name: value})

    assert answer.status_code == 422
    assert "Nothing was changed" in words(answer)
    assert results.find(result.id).to_mongo() == before


@pytest.mark.parametrize(
    ("section", "extra"),
    [("machines", "credential_hash"), ("machines", "state"), ("sessions", "counts"), ("sessions", "state"),
     ("api-tokens", "role"), ("api-tokens", "secret_hash")],
)  # fmt: skip
def test_what_is_not_declared_is_refused_with_the_rest(forge, ada, section, extra):
    world.session(forge)
    create_token("dashboard", Role.VIEWER)
    address = first_of(ada, section)
    before = ada.get(address).content.decode().partition("What is stored")[2]

    answer = ada.post(address, {"name": "changed", "labels": "", "note": "", extra: "admin"})

    assert answer.status_code == 422
    assert ada.get(address).content.decode().partition("What is stored")[2] == before


@pytest.mark.parametrize("section", ["hardware", "models", "jobs", "results", "enrolment-tokens"])
def test_what_has_no_fields_takes_nothing(forge, ada, section):
    world.result(forge)
    address = first_of(ada, section)

    assert ada.post(address, {"name": "x"}).status_code == 422
    assert not [tag for tag in tags(ada.get(address), "input") if tag.get("name") == "name"]


@pytest.mark.parametrize("section", SECTIONS)
def test_a_form_without_its_csrf_token_is_refused(section, forge):
    from django.test import Client

    world.result(forge)
    create_token("dashboard", Role.VIEWER)
    looking = browser_of()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = looking.cookies

    assert strict.post(first_of(looking, section), {"name": "x"}).status_code == 403


def test_who_may_not_look_may_not_correct_either(forge):
    for name, role, staff in (("vi", Role.VIEWER, True), ("op", Role.OPERATOR, True), ("no", Role.ADMIN, False)):
        browser_of(role, staff, name).post(f"/admin/documents/machines/{forge.id}/", {"name": "x", "labels": ""})

    assert verbs.find(str(forge.id)).name == "forge"
