"""`manage.py enrol_token create`."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from agent.obt_agent import contract
from agents import verbs
from agents.documents import EnrolmentToken
from obt_site import mongo
from obt_site.errors import Unauthenticated


def run(*words: str) -> str:
    out = StringIO()
    call_command("enrol_token", *words, stdout=out)
    return out.getvalue()


def register(token: str) -> contract.RegisterResponse:
    return verbs.register(contract.RegisterRequest(token, "forge.lan", "0.1.0", contract.PROTOCOL))


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
