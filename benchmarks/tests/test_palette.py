"""/palette: pages, actions, machines, models and sessions by any part of their name."""

import pytest

from agents.documents import Client, ModelInstallation
from benchmarks import pausing
from benchmarks.presenters import palette
from benchmarks.tests import world
from obt_site.access import Role
from obt_site.tests.people import by_id, links, signed_in, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def forge(database):
    return world.machine("forge")


def found(text, role=Role.VIEWER):
    return {group.word: [entry.word for entry in group.entries] for group in palette.find(text, role)}


def test_without_words_it_offers_pages_actions_and_the_newest_sessions(forge):
    world.session(forge)

    groups = found("", Role.ADMIN)

    assert list(groups) == ["Pages", "Actions", "Sessions"]
    assert "Job queue" in groups["Pages"]
    assert "Add a machine" in groups["Actions"]
    assert groups["Sessions"] == ["#1 2 models on forge"]


def test_each_kind_is_found_by_any_part_of_its_name_in_any_case(forge):
    world.machine("anvil")
    world.session(forge, "gemma3:4b")

    assert found("ANV")["Machines"] == ["anvil"]
    assert found("mma3")["Models"] == ["gemma3:4b"]
    assert found("emma3:4b on")["Sessions"] == ["#1 gemma3:4b on forge"]
    assert found("versions")["Pages"] == ["About"]


def test_what_begins_with_the_words_comes_first(database):
    world.machine("forge", models=["code-llama:7b", "llama3.2:3b"])

    assert found("llama")["Models"] == ["llama3.2:3b", "code-llama:7b"]


def test_a_model_on_many_machines_stands_once_and_a_new_one_is_there_at_once(forge):
    world.machine("atlas")
    assert found("llama")["Models"] == ["llama3.2:3b"]

    ModelInstallation(client=forge.id, name="llama4:16x17b", digest="d").save()
    Client.objects(id=forge.id).update_one(set__models_hash="models-2")

    assert found("llama")["Models"] == ["llama3.2:3b", "llama4:16x17b"]


def test_a_session_is_found_by_its_number_however_old(forge, monkeypatch):
    for _ in range(3):
        world.session(forge)
    monkeypatch.setattr(palette, "NEWEST_SESSIONS", 1)

    assert found("#1")["Sessions"] == ["#1 2 models on forge"]
    assert "Sessions" not in found("models on forge #2")


def test_a_paused_session_says_so(forge):
    pausing.pause(world.session(forge), "jo")

    (entry,) = palette.find("#1", Role.VIEWER)[0].entries
    assert (entry.word, entry.note) == ("#1 2 models on forge", "paused")


def test_more_than_fit_are_counted(database):
    world.machine("forge", models=[f"llama:{i}b" for i in range(palette.MOST_OF_A_KIND + 5)])

    (group,) = palette.find("llama", Role.VIEWER)

    assert (len(group.entries), group.more) == (palette.MOST_OF_A_KIND, 5)


def test_it_is_a_page_with_a_form_without_scripts(forge):
    page = signed_in().get("/palette?q=forge")

    assert f"/machines/{forge.id}" in links(page)
    assert by_id(page, "palette") is None
    assert "Go to" in words(page)


def test_htmx_gets_the_list_alone(forge):
    part = signed_in().get("/palette?q=forge", headers={"HX-Request": "true"})

    assert "<html" not in part.content.decode()
    assert f"/machines/{forge.id}" in links(part)


@pytest.mark.parametrize("text", ["²", "#", "9" * 30, "#99999", "%00", "<b>", "x" * 150])
def test_any_text_gives_an_answer(forge, text):
    assert "Nothing is called that" in words(signed_in().get("/palette", {"q": text}))


def test_what_it_left_out_is_said(forge):
    page = words(signed_in().get("/palette", {"q": "x" * 300, "no": "1"}))

    assert "at most 200 characters" in page
    assert "this page has no such filter" in page


def test_hostile_names_stay_words(database):
    world.machine("forge", models=["<script>alert(1)</script>"])

    page = signed_in().get("/palette?q=script")

    assert "<script>alert(1)" in words(page)
    assert b"<script>alert(1)" not in page.content
