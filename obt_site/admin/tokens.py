"""API tokens and enrolment tokens in the admin, without what would let anyone in."""

from collections.abc import Mapping, Sequence

from agents import enrolment
from agents.documents import EnrolmentToken
from obt_site import token_names
from obt_site.access import Role
from obt_site.admin.documents import Asked, Column, DocumentAdmin, Filter, Input, Page, has, whole
from obt_site.errors import NotFound
from obt_site.tokens import NAME_LENGTH, ApiToken

ROLES = [(role.word, role.word.capitalize()) for role in Role]
ENROLMENT_STATES = [(state.value, state.value.capitalize()) for state in enrolment.TokenState]
SHOWN_OF_ID = 12  # characters: an enrolment token's id is its hash, and is not shown
LATEST_S = 10**10  # so that the newest comes first where texts are sorted


class ApiTokens(DocumentAdmin[ApiToken]):
    """The name may be corrected."""

    document, slug, name, plural = ApiToken, "api-tokens", "API token", "API tokens"
    about = "What scripts use. The token itself was shown once and is kept nowhere."
    search_help = "name, person or id"
    may_be_corrected = True

    def columns(self) -> Sequence[Column[ApiToken]]:
        return (
            Column("Name", lambda one: one.name),
            Column("Id", lambda one: one.id),
            Column("Role", lambda one: one.role),
            Column("Person", lambda one: one.user),
            Column("Made", lambda one: one.created_at),
            Column("Expires", lambda one: one.expires_at),
            Column("Revoked", lambda one: one.revoked_at),
        )

    def filters(self) -> Sequence[Filter]:
        return (Filter("role", "Role", lambda: ROLES),)

    def page(self, asked: Asked) -> Page[ApiToken]:
        role = asked.value("role")

        def keep(one: ApiToken) -> bool:
            return (not role or one.role == role) and has(asked.search, one.name, one.user, one.id)

        return whole(ApiToken, asked, keep, lambda one: one.name.casefold())

    def find(self, identity: str) -> ApiToken:
        return token_names.find(identity)

    def inputs(self, document: ApiToken) -> Sequence[Input]:
        return (Input("name", "Name", longest=NAME_LENGTH),)

    def values(self, document: ApiToken) -> Mapping[str, str]:
        return {"name": document.name}

    def correct(self, document: ApiToken, values: Mapping[str, str]) -> None:
        token_names.rename(document, values["name"])


class EnrolmentTokens(DocumentAdmin[EnrolmentToken]):
    """Read only: a token works once, for an hour."""

    document, slug, name, plural = EnrolmentToken, "enrolment-tokens", "enrolment token", "Enrolment tokens"
    about = "What adds a machine: each works once, for an hour. The token itself was shown once and is kept nowhere."
    search_help = "name or who made it"
    hidden = frozenset({"id"})

    def columns(self) -> Sequence[Column[EnrolmentToken]]:
        return (
            Column("For", lambda one: one.name or "any name"),
            Column("State", _state),
            Column("Made by", lambda one: one.created_by),
            Column("Labels", lambda one: ", ".join(one.labels)),
            Column("Made", lambda one: one.created_at),
            Column("Expires", lambda one: one.expires_at),
            Column("Used", lambda one: one.used_at),
        )

    def filters(self) -> Sequence[Filter]:
        return (Filter("state", "State", lambda: ENROLMENT_STATES),)

    def page(self, asked: Asked) -> Page[EnrolmentToken]:
        state = asked.value("state")

        def keep(one: EnrolmentToken) -> bool:
            return (not state or _state(one) == state) and has(asked.search, one.name, one.created_by, *one.labels)

        return whole(EnrolmentToken, asked, keep, lambda one: f"{LATEST_S - one.created_at.timestamp():014.3f}")

    def identity(self, document: EnrolmentToken) -> str:
        return str(document.id)[:SHOWN_OF_ID]

    def find(self, identity: str) -> EnrolmentToken:
        for found in EnrolmentToken.objects:
            if len(identity) == SHOWN_OF_ID and found.id.startswith(identity):
                return found  # type: ignore[no-any-return]
        raise NotFound("There is no such enrolment token. It may have been removed.")


def _state(token: EnrolmentToken) -> str:
    return enrolment.state_of(token).value
