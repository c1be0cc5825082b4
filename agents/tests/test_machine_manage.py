"""/machines/<id>: labels, removal as a question, what was changed, and the parts that follow by themselves."""

from dataclasses import replace

import pytest

from agents import hardware, verbs
from agents.documents import Client as Machine
from benchmarks.tests import world
from obt_site.access import Role
from obt_site.tests.people import by_id, links, signed_in, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def forge(database):
    return world.machine("forge")


def test_labels_are_typed_with_commas_and_filter_the_fleet(forge):
    world.machine("atlas")
    browser = signed_in(Role.ADMIN)

    page = browser.post(f"/machines/{forge.id}/labels", {"labels": "lab, fast,, lab"}, follow=True)
    fleet = browser.get("/fleet?label=fast")

    assert list(verbs.find(str(forge.id)).labels) == ["lab", "fast"]
    assert "/fleet?label=lab" in links(page)
    assert f"/machines/{forge.id}" in links(fleet)
    assert 'href="/machines/' in fleet.content.decode()
    assert "atlas" not in words(fleet)


def test_a_label_that_is_too_long_stays_typed_and_is_said_beside_its_field(forge):
    page = signed_in(Role.ADMIN).post(f"/machines/{forge.id}/labels", {"labels": "x" * 61})

    assert page.status_code == 422
    assert by_id(page, "machine-labels")["value"] == "x" * 61
    assert by_id(page, "machine-labels-e") is not None


def test_removing_asks_first_and_names_what_goes_and_what_stays(forge):
    world.session(forge)
    browser = signed_in(Role.ADMIN)

    asked = browser.get(f"/machines/{forge.id}/remove")
    still_there = Machine.objects(id=forge.id).count()
    done = browser.post(f"/machines/{forge.id}/remove", follow=True)

    assert "2 waiting jobs are cancelled." in words(asked)
    assert "Its results, sessions and events stay" in words(asked)
    assert still_there == 1
    assert Machine.objects.count() == 0
    assert "forge was removed. Its results stay." in words(done)


@pytest.mark.parametrize("tail", ["labels", "remove"])
def test_only_administrators_do_that(forge, tail):
    assert signed_in(Role.OPERATOR).post(f"/machines/{forge.id}/{tail}", {"labels": "x"}).status_code == 403
    assert Machine.objects(id=forge.id, labels=[]).count() == 1


def test_what_was_changed_of_its_hardware_stands_with_before_and_after(forge):
    other = replace(world.HARDWARE, gpus=[replace(world.HARDWARE.gpus[0], driver_version="580.01")])
    request = world.sync_request(hardware=other, hardware_hash=hardware.content_hash(other))
    verbs.take_in(verbs.find(str(forge.id)), request)

    page = words(signed_in().get(f"/machines/{forge.id}"))

    assert "What was changed" in page
    assert "GPU driver version 570.86.16 → 580.01" in page


def test_the_live_address_gives_the_parts_of_the_page(forge):
    verbs.take_in(verbs.find(str(forge.id)), world.sync_request())

    parts = signed_in().get(f"/machines/{forge.id}/live").json()["html"]

    assert set(parts) == {"machine-state", "machine-now", "work", "events-new"}
    assert "The same numbers" in parts["machine-now"]


@pytest.mark.parametrize("query", ["label=none", "os=Plan9", "gpu=<b>", "sort=luck", "stranger=1"])
def test_a_filter_that_no_machine_has_is_said_and_left_out(forge, query):
    page = signed_in().get(f"/fleet?{query}")

    assert "Left out of this view." in words(page)
    assert f"/machines/{forge.id}" in links(page)


def test_rows_in_sight_stay_where_they_are():
    from django.http import QueryDict

    from benchmarks.presenters.fleet_query import read_query
    from benchmarks.presenters.machines import MachineRow, Reading

    def row(name: str) -> MachineRow:
        return MachineRow(
            name, name, "idle", "online", None, None, None, None, None, False, Reading(), [], [], None, 0, None, [],
            None, "CPU only",
        )  # fmt: skip

    query = read_query(QueryDict("q=a"))
    shown = query.arranged([row("a1"), row("a2"), row("b"), row("a0")], in_sight=["b", "gone", "a2"])

    assert [each.id for each in shown] == ["b", "a2", "a0", "a1"]
