"""`manage.py api_token create|list|revoke`."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from obt_site import mongo
from obt_site.access import Role
from obt_site.audit import AuditEntry
from obt_site.clock import now
from obt_site.errors import Unauthenticated
from obt_site.tests.people import person
from obt_site.tokens import ApiToken, create_token, token_holder


def run(*words: str) -> str:
    out = StringIO()
    call_command("api_token", *words, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("role", [role.word for role in Role])
def test_it_prints_a_token_that_opens_with_the_role_and_nothing_else(database, role):
    text = run("create", "dashboard", "--role", role)

    holder = token_holder(text.strip())
    assert text == f"{text.strip()}\n"
    assert (holder.name, holder.role.word) == ("dashboard", role)


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


@pytest.mark.django_db
def test_a_token_for_a_person_is_theirs_and_ends_when_it_was_told_to(database):
    person("jo", Role.OPERATOR)

    holder = token_holder(run("create", "dashboard", "--role", "viewer", "--user", "jo", "--days", "7").strip())

    assert (holder.name, holder.role) == ("jo", Role.VIEWER)
    assert (holder.token.expires_at - holder.token.created_at).days == 7


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--user", "nobody"), "no person called"),
        (("--user", "jo"), "at most viewer"),
        (("--days", "0"), "1 to 3650 days"),
    ],
)
def test_what_it_cannot_make_it_says(database, words, said):
    person("jo", Role.VIEWER)

    with pytest.raises(CommandError, match=said):
        run("create", "dashboard", "--role", "admin", *words)
    assert ApiToken.objects.count() == 0


def test_it_lists_every_token_without_a_secret(database):
    text = create_token("dashboard", Role.VIEWER)
    token_holder(text)
    create_token("old", Role.ADMIN)
    ApiToken.objects(name="old").update_one(set__revoked_at=now())

    lines = [line.split("\t") for line in run("list").splitlines()]

    assert {(line[1], line[2], line[3], line[-1]) for line in lines} == {
        ("works", "viewer", "nobody", "dashboard"),
        ("revoked", "admin", "nobody", "old"),
    }
    assert text.split("_", 2)[2] not in run("list")


def test_it_ends_a_token_and_who_did_is_written_down(database):
    text = create_token("dashboard", Role.VIEWER)

    assert "works no more" in run("revoke", text.split("_")[1])

    with pytest.raises(Unauthenticated):
        token_holder(text)
    entry = AuditEntry.objects(action="token.revoke").get()
    assert (entry.actor_kind, entry.actor_name.endswith("manage.py api_token")) == ("command", True)
    with pytest.raises(CommandError, match="no such token"):
        run("revoke", "00000000")
