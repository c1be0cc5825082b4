"""Saved views of the results: kept by name, per person, opened whatever has gone since."""

import pytest
from bson import ObjectId

from benchmarks import saved_views
from benchmarks.tests import world
from obt_site.access import Role
from obt_site.errors import NotFound
from obt_site.tests.people import links, person, signed_in, words

pytestmark = pytest.mark.django_db

HOSTILE = ["<script>alert(1)</script>", "💥" * 20, "a\u202eb", "{{ 7|add:7 }}", "'; --"]


@pytest.fixture
def jo(database):
    return signed_in(Role.VIEWER)


def save(browser, name, query="valid=true", **more):
    return browser.post("/results/views/save", {"name": name, "query": query, **more})


def test_a_view_is_a_link_on_the_results_page_and_opens_with_its_filters(jo):
    world.result(world.machine())

    answer = save(jo, "Valid ones")
    page = jo.get(answer["Location"])

    assert answer["Location"] == "/results?valid=true"
    assert "Valid ones" in words(page)
    assert "?valid=true" in links(page)


def test_views_are_each_persons_own(jo):
    world.result(world.machine())
    save(jo, "Mine")
    (mine,) = saved_views.SavedView.objects
    al = signed_in(Role.ADMIN, "al")

    assert "Mine" not in words(al.get("/results"))
    al.post(f"/results/views/{mine.id}/remove")
    al.post(f"/results/views/{mine.id}/rename", {"name": "His"})

    assert [view.name for view in saved_views.SavedView.objects] == ["Mine"]


def test_a_name_in_use_is_said_what_was_typed_stays_and_replacing_is_a_choice(jo):
    save(jo, "Fast", "sort=ttft")

    refused = save(jo, "Fast", "sort=decode_rate")
    kept = [view.query for view in saved_views.SavedView.objects]
    save(jo, "Fast", "sort=decode_rate", replace="1")

    assert refused.status_code == 409
    assert "You have a view called “ Fast ” already" in words(refused)
    assert 'value="sort=decode_rate"' in refused.content.decode()
    assert kept == ["sort=ttft"]
    assert [view.query for view in saved_views.SavedView.objects] == ["sort=decode_rate"]


@pytest.mark.parametrize("name", ["", "   ", "\u202e", "n" * 81])
def test_a_name_that_is_none_is_refused_beside_the_field(jo, name):
    answer = save(jo, name)
    assert answer.status_code == 422
    assert "A view's name has 1 to 80 characters." in words(answer)
    assert saved_views.SavedView.objects.count() == 0


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_does_no_harm(jo, name):
    world.result(world.machine())
    save(jo, name)

    for address in ("/results", "/results/views"):
        source = jo.get(address).content.decode()
        assert "<script>alert" not in source
        assert "\u202e" not in source
        assert "{{ 14 }}" not in source


def test_a_view_too_long_is_refused(jo):
    answer = save(jo, "Long", "model=" + "é" * 4000)
    assert answer.status_code == 422
    assert "at most 4096 bytes" in words(answer)


def test_a_query_cannot_lead_elsewhere(jo):
    answer = save(jo, "Away", "\r\nLocation: //example.org?x")
    assert answer["Location"].startswith("/results?")


def test_renaming_and_removing(jo):
    save(jo, "Old")
    (view,) = saved_views.SavedView.objects

    renamed = jo.post(f"/results/views/{view.id}/rename", {"name": "New"}, follow=True)
    assert "It is called “New” now." in words(renamed)
    removed = jo.post(f"/results/views/{view.id}/remove", follow=True)

    assert "The view “New” is removed." in words(removed)
    assert saved_views.SavedView.objects.count() == 0


def test_a_rename_to_a_name_in_use_is_refused_in_words(jo):
    save(jo, "One")
    save(jo, "Two")
    one = next(view for view in saved_views.SavedView.objects if view.name == "One")

    answer = jo.post(f"/results/views/{one.id}/rename", {"name": "Two"}, follow=True)

    assert "You have a view called “Two” already." in words(answer)
    assert {view.name for view in saved_views.SavedView.objects} == {"One", "Two"}


@pytest.mark.parametrize("view_id", ["x", "65a1b2c3d4e5f60718293a4b"])
def test_a_view_that_is_not_there_is_said(jo, view_id):
    answer = jo.post(f"/results/views/{view_id}/remove", follow=True)
    assert "You have no such view" in words(answer)
    with pytest.raises(NotFound):
        saved_views.rename("1", view_id, "x")


def test_a_view_that_names_a_removed_machine_still_opens(jo):
    forge = world.machine("forge")
    world.result(forge)
    save(jo, "Forge only", f"client={forge.id}&session={ObjectId()}&valid=perhaps")
    forge.delete()

    page = words(jo.get("/results?" + saved_views.SavedView.objects.first().query))

    assert "forge (removed machine)" in page
    assert "removed session" in page
    assert "Left out of this view." in page


def test_without_one_the_page_of_views_teaches(jo):
    assert "No saved view yet" in words(jo.get("/results/views"))


def test_nobody_without_a_role_keeps_views(client, database):
    client.force_login(person("no", None))
    assert save(client, "x").status_code == 403
    assert saved_views.SavedView.objects.count() == 0
