"""/audit and /audit/N: who did what, narrowed and in pages, and what differs."""

from datetime import timedelta

import pytest

from agents import removal, verbs
from benchmarks.tests import world
from obt_site import actor, audit
from obt_site.access import Role
from obt_site.audit import AuditEntry
from obt_site.auditing import page as audit_page
from obt_site.clock import now
from obt_site.tests.people import links, signed_in, words

pytestmark = pytest.mark.django_db
JO = actor.Actor(actor.PERSON, "jo", "1", "192.0.2.1")
SCRIPT = actor.Actor(actor.TOKEN, "script", "ab12cd34", "192.0.2.2")


@pytest.fixture
def forge(database):
    with actor.acting(JO):
        machine = world.machine("forge")
        return verbs.set_paused(machine, True)


@pytest.fixture
def admin(database):
    return signed_in(Role.ADMIN, "ada")


def number(action):
    return AuditEntry.objects(action=action).first().number


def test_before_anything_was_changed_it_says_what_comes_here(admin):
    assert "Nothing has been changed yet" in words(admin.get("/audit"))


def test_a_line_says_who_what_and_leads_to_both(forge, admin):
    page = admin.get("/audit")

    assert "forge is paused" in words(page)
    assert "192.0.2.1" in words(page)
    assert {f"/machines/{forge.id}", "/audit?by=jo", f"/audit/{number('machine.pause')}"} <= set(links(page))


def test_only_administrators_see_it(forge):
    for name, role in (("vi", Role.VIEWER), ("op", Role.OPERATOR), ("no", None)):
        browser = signed_in(role, name)
        for address in ("/audit", "/audit/1", "/audit.csv", "/audit.jsonl"):
            assert browser.get(address).status_code == 403, (name, address)


def test_newest_first_in_pages_that_new_entries_do_not_move(forge, admin, monkeypatch):
    monkeypatch.setattr(audit_page, "PAGE", 2)
    for i in range(4):
        audit.record("data.try", f"change {i}", by=JO)

    first = admin.get("/audit")
    older = next(link for link in links(first) if "before=" in link)
    audit.record("data.try", "a newer one", by=JO)
    second = words(admin.get(f"/audit{older}"))

    assert words(first).index("change 3") < words(first).index("change 2")
    assert "change 1" in second
    assert "change 2" not in second
    assert "a newer one" not in second


FILTERS = [
    ({"by": "script"}, "by a script", "by a person"),
    ({"as": "token"}, "by a script", "by a person"),
    ({"action": "person.try"}, "by a person", "by a script"),
    ({"kind": "result"}, "by a script", "by a person"),
    ({"about": "r-1"}, "by a script", "by a person"),
    ({"q": "A PERSON"}, "by a person", "by a script"),
    ({"by": "script", "action": "result.try", "q": "script"}, "by a script", "by a person"),
]


@pytest.mark.parametrize(("query", "there", "not_there"), FILTERS)
def test_it_narrows_by_actor_action_thing_and_text(admin, query, there, not_there):
    audit.record("person.try", "changed by a person", about=("person", "p-1", "jo"), by=JO)
    audit.record("result.try", "changed by a script", about=("result", "r-1", "a result"), by=SCRIPT)

    shown = words(admin.get("/audit", query))

    assert there in shown
    assert not_there not in shown


def test_it_narrows_by_days(admin):
    audit.record("data.try", "long ago", by=JO)
    AuditEntry.objects(words="long ago").update(set__at=now() - timedelta(days=10))
    audit.record("data.try", "just now", by=JO)
    day = (now() - timedelta(days=5)).date().isoformat()

    later, earlier = words(admin.get("/audit", {"since": day})), words(admin.get("/audit", {"until": day}))

    assert ("just now" in later, "long ago" in later) == (True, False)
    assert ("just now" in earlier, "long ago" in earlier) == (False, True)


@pytest.mark.parametrize("query", ["as=robot", "since=ever", "before=-1", "until=2026-13-01", "what=ever"])
def test_what_makes_no_sense_is_said_and_left_out(forge, admin, query):
    page = admin.get(f"/audit?{query}")

    assert page.status_code == 200
    assert "Left out of this view." in words(page)
    assert "forge is paused" in words(page)


def test_nothing_like_that_leads_back_to_all(forge, admin):
    page = admin.get("/audit?by=nobody")

    assert "No change is like that" in words(page)
    assert "/audit" in links(page)


def test_a_thing_that_is_gone_is_named_and_leads_nowhere_dead(forge, admin):
    removal.remove(forge, "jo")

    page = admin.get("/audit", {"about": str(forge.id)})

    assert "forge was removed" in words(page)
    assert f"/machines/{forge.id}" not in links(page)


def test_an_entry_shows_before_and_after_and_where_it_came_from(forge, admin):
    page = words(admin.get(f"/audit/{number('machine.pause')}"))

    assert "paused no yes" in page
    assert "192.0.2.1" in page
    assert "machine.pause" in page


def test_an_entry_that_is_not_there_is_a_page_that_says_so(admin):
    answer = admin.get("/audit/99999")

    assert answer.status_code == 404
    assert "no such entry" in words(answer)


def test_names_do_no_harm(admin):
    audit.record(
        "data.try", "<script>alert(1)</script>\u202e", about=("data", "x", "<b>{{ 7|add:7 }}"),
        before={"<i>": "<script>alert(2)</script>"}, by=JO,
    )  # fmt: skip

    for address in ("/audit", f"/audit/{number('data.try')}"):
        content = admin.get(address).content.decode()
        assert "<script>alert" not in content
        assert "\u202e" not in content
        assert "{{ 14 }}" not in content


def test_the_pages_of_a_machine_and_a_session_lead_to_their_changes_for_administrators(forge, admin):
    result = world.result(verbs.set_paused(forge, False))
    viewer = signed_in(Role.VIEWER, "vi")

    for address, identity in ((f"/machines/{forge.id}", forge.id), (f"/sessions/{result.session}", result.session)):
        link = f"/audit?about={identity}"
        assert link in links(admin.get(address))
        assert link not in links(viewer.get(address))
        assert admin.get(link).status_code == 200


def test_the_menu_leads_to_it_for_administrators_only(admin):
    assert "/audit" in links(admin.get("/settings"))
    assert "/audit" not in links(signed_in(Role.OPERATOR, "op").get("/settings"))
