"""`manage.py api_token create`."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from obt_site import mongo
from obt_site.access import ApiToken, Role, token_holder


def run(*words: str) -> str:
    out = StringIO()
    call_command("api_token", *words, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("role", [role.word for role in Role])
def test_it_prints_a_token_that_opens_with_the_role_and_nothing_else(database, role):
    text = run("create", "dashboard", "--role", role)

    holder = token_holder(text.strip())
    assert text == f"{text.strip()}\n"
    assert (holder.name, holder.role) == ("dashboard", role)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("create",),
        ("create", "dashboard"),
        ("create", "dashboard", "--role", "root"),
    ],
)
def test_it_refuses_what_makes_no_token(database, words):
    with pytest.raises(CommandError):
        run(*words)

    assert ApiToken.objects.count() == 0


def test_without_a_database_it_says_what_to_do():
    mongo.connect(mongo.NOWHERE)

    with pytest.raises(CommandError, match="make up"):
        run("create", "dashboard", "--role", "viewer")
