"""`manage.py enrol_token create|list|revoke`."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from agent.obt_agent import contract
from agents import enrolment
from agents.documents import Client, EnrolmentToken
from benchmarks.tests import world
from obt_site import mongo
from obt_site.errors import Unauthenticated


def run(*words: str) -> str:
    out = StringIO()
    call_command("enrol_token", *words, stdout=out)
    return out.getvalue()


def register(token: str) -> contract.RegisterResponse:
    return enrolment.register(contract.RegisterRequest(token, "forge.lan", "0.1.0", contract.PROTOCOL))


def test_it_prints_a_token_that_enrols_one_machine_and_nothing_else(database):
    text = run("create")

    assert text == f"{text.strip()}\n"
    assert register(text.strip()).name == "forge.lan"
    with pytest.raises(Unauthenticated, match="already used"):
        register(text.strip())


def test_a_name_given_with_it_is_the_machines_name(database):
    assert register(run("create", "--name", "Forge").strip()).name == "Forge"


def test_only_the_tokens_hash_is_kept(database):
    text = run("create").strip()

    stored = EnrolmentToken.objects.first().to_mongo().to_dict()

    assert text not in str(stored)
    assert stored["created_by"] == "command line"


@pytest.mark.parametrize("words", [(), ("make",), ("create", "--name", "x" * 101), ("create", "--name", "two\nlines")])
def test_it_refuses_what_makes_no_token(database, words):
    with pytest.raises(CommandError):
        run(*words)

    assert EnrolmentToken.objects.count() == 0


def test_without_a_database_it_says_what_to_do():
    mongo.connect(mongo.NOWHERE)

    with pytest.raises(CommandError, match="make up"):
        run("create")


def test_labels_given_with_it_are_the_machines(database):
    register(run("create", "--label", "lab", "--label", "fast").strip())

    assert list(Client.objects.get().labels) == ["lab", "fast"]


def test_one_for_a_machine_enrols_that_machine_again(database):
    forge = world.machine("forge")

    assert register(run("create", "--client", str(forge.id)).strip()).client == str(forge.id)
    with pytest.raises(CommandError, match="no such machine"):
        run("create", "--client", "6b02d6a12eea9e1e74c2adf2")


def test_it_lists_what_became_of_them_and_never_a_text(database):
    used, open_one = run("create", "--name", "Forge").strip(), run("create").strip()
    register(used)

    lines = [line.split("\t") for line in run("list").splitlines()]

    assert [(line[1], line[3], line[4]) for line in lines] == [
        ("open", "command line", "—"),
        ("used", "command line", "Forge"),
    ]
    assert open_one not in run("list")


def test_it_ends_one_by_the_beginning_of_its_id(database):
    text = run("create").strip()
    listed = run("list").split("\t")[0]

    assert "works no more" in run("revoke", listed)

    with pytest.raises(Unauthenticated, match="was revoked"):
        register(text)
    for none in ("feed", ""):
        run("create")
        with pytest.raises(CommandError, match="begin with"):
            run("revoke", none)
