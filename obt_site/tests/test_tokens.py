"""User API tokens: what is kept of one, what it opens and for how long, and what its maker may make."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import override_settings

from obt_site import tokens
from obt_site.access import Role, role_of
from obt_site.audit import AuditEntry
from obt_site.clock import now
from obt_site.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from obt_site.tests.people import person
from obt_site.tokens import ApiToken, Maker, TokenState, create, create_token, token_holder

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("database")]


def maker(role=Role.OPERATOR, name="jo"):
    return Maker(role, person(name, role))


def by_token(text):
    """The holder of a token as one who makes tokens."""
    holder = token_holder(text)
    return Maker(holder.role, holder.user, holder.token)


# -- what opens ------------------------------------------------------------------------------------------------------


def test_a_new_token_opens_as_what_it_was_made_for():
    user = person("jo", Role.OPERATOR)

    holder = token_holder(create_token("dashboard", Role.OPERATOR, user))

    assert (holder.token.name, holder.role, holder.name, holder.user) == ("dashboard", Role.OPERATOR, "jo", user)


def test_one_made_at_the_terminal_belongs_to_nobody():
    holder = token_holder(create_token("dashboard", Role.ADMIN))

    assert (holder.role, holder.name, holder.user) == (Role.ADMIN, "dashboard", None)


def test_only_a_keyed_hash_of_the_secret_is_kept_and_nothing_of_it_written_down():
    text = create_token("dashboard", Role.VIEWER)
    secret = text.split("_", 2)[2]

    stored = ApiToken.objects.first().to_mongo().to_dict()

    assert secret not in str(stored) + AuditEntry.objects.to_json()
    assert len(stored["secret_hash"]) == 64


def test_two_tokens_of_one_name_are_two_tokens():
    assert create_token("a", Role.VIEWER) != create_token("a", Role.VIEWER)
    assert ApiToken.objects.count() == 2


def test_under_another_server_key_no_token_opens():
    text = create_token("dashboard", Role.VIEWER)

    with override_settings(SECRET_KEY="another key"), pytest.raises(Unauthenticated):
        token_holder(text)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text[:-1],
        lambda text: text + "x",
        lambda text: text.replace("obtu_", "obta_"),
        lambda text: "obtu_00000000_" + text.split("_", 2)[2],
        lambda text: text.upper(),
        lambda text: f"{text} ",
        lambda text: "obtu_" + "x" * 300,
        lambda text: "obtu_\0_\0",
    ],
)
def test_a_text_that_is_almost_a_token_does_not_open(change):
    text = create_token("dashboard", Role.ADMIN)

    with pytest.raises(Unauthenticated):
        token_holder(change(text))


def test_a_token_opens_until_it_expires():
    text = create_token("dashboard", Role.ADMIN, days=1)
    assert token_holder(text).token.name == "dashboard"

    ApiToken.objects.update(set__expires_at=now() - timedelta(seconds=1))

    with pytest.raises(Unauthenticated, match="revoked or has expired"):
        token_holder(text)


# -- never more than its person --------------------------------------------------------------------------------------


def test_a_token_is_lowered_with_its_person_and_raised_again_no_higher_than_it_was_made():
    user = person("jo", Role.OPERATOR)
    text = create_token("dashboard", Role.OPERATOR, user)

    roles = []
    for role in (Role.VIEWER, Role.OPERATOR, Role.ADMIN):
        user.groups.set([Group.objects.get_or_create(name=role.word)[0]])
        roles.append(token_holder(text).role)

    assert roles == [Role.VIEWER, Role.OPERATOR, Role.OPERATOR]


def test_a_token_of_someone_without_a_role_is_forbidden_and_of_someone_locked_out_or_gone_refused():
    user = person("jo", Role.OPERATOR)
    text = create_token("dashboard", Role.VIEWER, user)
    user.groups.clear()
    with pytest.raises(Forbidden, match="no role any more"):
        token_holder(text)

    user.is_active = False
    user.save()
    with pytest.raises(Unauthenticated, match="can no longer sign in"):
        token_holder(text)

    user.delete()
    with pytest.raises(Unauthenticated, match="was removed"):
        token_holder(text)


def test_a_person_who_is_called_something_else_now_is_called_so():
    user = person("jo", Role.VIEWER)
    text = create_token("dashboard", Role.VIEWER, user)
    user.username = "joan"
    user.save()

    assert token_holder(text).name == "joan"


# -- making ----------------------------------------------------------------------------------------------------------


def test_nobody_makes_a_token_above_themselves():
    viewer = maker(Role.VIEWER)

    for role in (Role.OPERATOR, Role.ADMIN):
        with pytest.raises(Forbidden, match="at most viewer"):
            create(viewer, "more", role, None)
    assert ApiToken.objects.count() == 0


def test_a_token_makes_none_above_itself_even_where_its_person_could():
    user = person("ann", Role.ADMIN)
    text = create_token("script", Role.OPERATOR, user)

    with pytest.raises(Forbidden, match="at most operator"):
        create(by_token(text), "more", Role.ADMIN, None)
    made, token = create(by_token(text), "less", Role.VIEWER, None)

    assert token_holder(made).name == "ann"
    assert token.made_by == text.split("_")[1]


@pytest.mark.parametrize("days", [None, 30])
def test_a_token_makes_none_that_outlives_it(days):
    text = create_token("script", Role.VIEWER, person("jo", Role.VIEWER), days=2)

    _, token = create(by_token(text), "more", Role.VIEWER, days)

    assert token.expires_at == token_holder(text).token.expires_at


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "two\nlines", "a\0b"])
def test_a_name_that_is_none_makes_no_token(name):
    with pytest.raises(Invalid):
        create(maker(), name, Role.VIEWER, None)


@pytest.mark.parametrize("days", [0, -1, 3651])
def test_a_length_that_is_none_makes_no_token(days):
    with pytest.raises(Invalid):
        create(maker(), "a", Role.VIEWER, days)


def test_a_person_has_only_so_many_that_work(monkeypatch):
    monkeypatch.setattr(tokens, "LIVE_MAXIMUM", 2)
    jo = maker()
    first, _ = create(jo, "a", Role.VIEWER, None)
    create(jo, "b", Role.VIEWER, None)
    with pytest.raises(Conflict, match="Revoke one of them first"):
        create(jo, "c", Role.VIEWER, None)

    tokens.revoke(jo, first.split("_")[1])

    assert create(jo, "c", Role.VIEWER, None)


def test_nobodys_token_makes_only_so_many(monkeypatch):
    monkeypatch.setattr(tokens, "LIVE_MAXIMUM", 1)
    script = by_token(create_token("script", Role.ADMIN))
    create(script, "a", Role.ADMIN, None)

    with pytest.raises(Conflict):
        create(script, "b", Role.ADMIN, None)


# -- seeing and revoking ---------------------------------------------------------------------------------------------


def test_a_revoked_token_opens_nothing_and_is_revoked_once():
    jo = maker()
    text, token = create(jo, "a", Role.VIEWER, None)

    first = tokens.revoke(jo, token.id)
    again = tokens.revoke(jo, token.id)

    assert tokens.state_of(first) is TokenState.REVOKED
    assert again.revoked_at == first.revoked_at
    with pytest.raises(Unauthenticated):
        token_holder(text)
    assert [entry.action for entry in AuditEntry.objects.order_by("number")] == ["token.create", "token.revoke"]


def test_people_see_and_revoke_their_own_and_administrators_all():
    jo, ann = maker(), maker(Role.ADMIN, "ann")
    _, of_jo = create(jo, "of jo", Role.VIEWER, None)
    _, of_ann = create(ann, "of ann", Role.VIEWER, None)

    assert [token.name for token in tokens.seen_by(jo)] == ["of jo"]
    assert {token.name for token in tokens.seen_by(ann)} == {"of jo", "of ann"}
    with pytest.raises(NotFound):
        tokens.revoke(jo, of_ann.id)
    assert tokens.revoke(ann, of_jo.id).revoked_at is not None


def test_nobodys_token_sees_itself_alone_unless_it_is_an_administrators():
    viewer = create_token("v", Role.VIEWER)
    admin = create_token("a", Role.ADMIN)

    assert [token.name for token in tokens.seen_by(by_token(viewer))] == ["v"]
    assert len(tokens.seen_by(by_token(admin))) == 2
    with pytest.raises(NotFound):
        tokens.revoke(by_token(viewer), admin.split("_")[1])


def test_a_token_does_not_end_one_that_can_do_more():
    user = person("ann", Role.OPERATOR)
    low = create_token("low", Role.VIEWER, user)
    high = create_token("high", Role.OPERATOR, user)

    with pytest.raises(Forbidden):
        tokens.revoke(by_token(low), high.split("_")[1])
    assert tokens.revoke(by_token(high), low.split("_")[1]).revoked_at is not None


# -- last use --------------------------------------------------------------------------------------------------------


def test_its_last_use_is_kept_and_written_at_most_once_a_minute(monkeypatch):
    text = create_token("dashboard", Role.VIEWER)
    moment = now()
    kept = []
    for later_s in (0, 30, 59, 60, 90, 121):
        monkeypatch.setattr(tokens, "now", lambda later_s=later_s: moment + timedelta(seconds=later_s))
        token_holder(text)
        kept.append((ApiToken.objects.first().last_used_at - moment).total_seconds())

    assert kept == [0, 0, 0, 60, 60, 121]


def test_a_use_that_is_refused_is_none():
    text = create_token("dashboard", Role.VIEWER)
    ApiToken.objects.update(set__revoked_at=now())

    with pytest.raises(Unauthenticated):
        token_holder(text)
    assert ApiToken.objects.first().last_used_at is None


def test_at_the_terminal_too_a_token_is_never_above_its_person():
    viewer, nobody = person("jo", Role.VIEWER), person("al", None)

    with pytest.raises(Forbidden, match="at most viewer"):
        create_token("a", Role.ADMIN, viewer)
    with pytest.raises(Forbidden, match="al has no role"):
        create_token("a", Role.VIEWER, nobody)
    assert role_of(nobody) is None
