"""POST /audit/N/undo: takes a change back by its verb, while things are as it left them."""

import pytest

from agents import removal, verbs
from benchmarks import fixes, results, sessions
from benchmarks.tests import world
from obt_site import token_names
from obt_site.access import Role
from obt_site.audit import AuditEntry
from obt_site.auditing.undo import WAYS
from obt_site.tests.people import signed_in, words
from obt_site.tokens import create_token

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(database):
    return signed_in(Role.ADMIN, "ada")


@pytest.fixture
def forge(database):
    return world.machine("forge")


def newest(action):
    return AuditEntry.objects(action=action).order_by("-number").first()


def undo(browser, action):
    return browser.post(f"/audit/{newest(action).number}/undo")


def test_a_name_comes_back_and_the_way_back_is_written_down(admin, forge):
    verbs.rename(forge, "anvil")
    changed = newest("machine.rename")

    answer = undo(admin, "machine.rename")

    assert answer.status_code == 302
    assert verbs.find(str(forge.id)).name == "forge"
    back = newest("machine.rename")
    assert (back.undoes, back.after, back.actor_name) == (changed.number, {"name": "forge"}, "ada")
    assert f"change #{changed.number}" in words(admin.get(f"/audit/{back.number}"))


def test_labels_and_pausing_come_back(admin, forge):
    verbs.set_paused(verbs.set_labels(forge, ["lab"]), True)

    undo(admin, "machine.label")
    undo(admin, "machine.pause")

    found = verbs.find(str(forge.id))
    assert (list(found.labels), found.paused) == ([], False)


def test_name_and_note_of_a_session_come_back(admin, forge):
    session = world.session(forge)
    fixes.describe(session, "Before the move", "in the old rack")

    undo(admin, "session.edit")

    found = sessions.find(str(session.id))
    assert (found.name, found.note) == (session.name, None)


def test_an_exclusion_and_a_mark_come_back_and_go_again(admin, forge):
    result = world.result(forge)
    fixes.mark_invalid(fixes.exclude(result, "thermal paste was missing"), "wrong machine")

    undo(admin, "result.exclude")
    undo(admin, "result.invalidate")
    taken_back = results.find(result.id)
    undo(admin, "result.include")

    assert (taken_back.excluded, taken_back.marked_invalid, taken_back.valid) == (None, None, True)
    assert results.find(result.id).excluded["reason"] == "thermal paste was missing"


def test_the_name_of_a_token_comes_back(admin):
    identity = create_token("old", Role.VIEWER).split("_")[1]
    token_names.rename(token_names.find(identity), "new")

    undo(admin, "token.rename")

    assert token_names.find(identity).name == "old"


def test_what_has_moved_on_is_refused_with_a_sentence_and_kept(admin, forge):
    verbs.rename(verbs.rename(forge, "anvil"), "hammer")
    first = AuditEntry.objects(action="machine.rename").order_by("number").first()

    answer = admin.post(f"/audit/{first.number}/undo")

    assert answer.status_code == 409
    assert "changed again since" in words(answer)
    assert verbs.find(str(forge.id)).name == "hammer"
    assert "Undo" not in words(admin.get(f"/audit/{first.number}"))


def test_twice_is_refused(admin, forge):
    verbs.rename(forge, "anvil")
    number = newest("machine.rename").number
    admin.post(f"/audit/{number}/undo")

    answer = admin.post(f"/audit/{number}/undo")

    assert answer.status_code == 409
    assert "as it was before this change already" in words(answer)


def test_what_is_gone_or_has_no_way_back_says_so(admin, forge):
    verbs.rename(forge, "anvil")
    removal.remove(verbs.find(str(forge.id)), "ada")

    gone, none = undo(admin, "machine.rename"), undo(admin, "machine.remove")

    assert (gone.status_code, none.status_code) == (409, 409)
    assert "no such machine" in words(gone)
    assert "no way back" in words(none)


def test_a_name_that_is_taken_by_now_is_refused_and_nothing_changes(admin, forge):
    verbs.rename(forge, "anvil")
    world.register("forge")

    answer = undo(admin, "machine.rename")

    assert answer.status_code == 409
    assert verbs.find(str(forge.id)).name == "anvil"


def test_only_administrators_may_and_only_by_post(forge):
    verbs.rename(forge, "anvil")
    number = newest("machine.rename").number

    assert signed_in(Role.OPERATOR, "op").post(f"/audit/{number}/undo").status_code == 403
    assert signed_in(Role.ADMIN, "ad").get(f"/audit/{number}/undo").status_code == 405
    assert verbs.find(str(forge.id)).name == "anvil"


def test_every_way_back_reads_what_its_entries_keep(admin, forge):
    verbs.rename(forge, "anvil")
    entry = newest("machine.rename")

    assert set(WAYS["machine.rename"].now(entry.about_id)) == set(entry.after) == set(entry.before)
