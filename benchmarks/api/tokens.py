"""API tokens over the user API: one's own, and for administrators everybody's."""

from typing import Annotated

from django.http import HttpRequest
from ninja import Query as FromQuery
from ninja import Router
from ninja.responses import Status
from pydantic import Field, StringConstraints

from benchmarks.api import cursors
from benchmarks.api.callers import caller_of, open_to
from benchmarks.api.shapes import Body, Line, PageQuery, Shape, Time
from obt_site import tokens
from obt_site.access import Role
from obt_site.clock import rfc3339
from obt_site.tokens import ApiToken

DAYS = 90
router = Router(tags=["tokens"])


class TokenShape(Shape):
    """A token without its secret. `state`: works, expired or revoked."""

    id: str
    name: str
    role: str = Field(description="what it was made for; it can do no more than its person can when it is used")
    user: str | None = Field(description="whose it is; null for one made at the terminal")
    state: str
    created_at: Time
    expires_at: Time | None
    last_used_at: Time | None = Field(description="within a minute")
    revoked_at: Time | None


class NewTokenShape(TokenShape):
    """A token that was made just now."""

    token: str = Field(description="the text to send as Bearer; shown only now")


class TokenPage(Shape):
    items: list[TokenShape]
    next: str | None


class TokenBody(Body):
    """What the token is for. Its role is at most the caller's; one made by a token ends no later than that."""

    name: Annotated[Line, StringConstraints(min_length=1, max_length=tokens.NAME_LENGTH)]
    role: Annotated[Line, StringConstraints(pattern="^(viewer|operator|admin)$")] = "viewer"
    days: Annotated[int, Field(ge=1, le=tokens.DAYS_MAXIMUM)] | None = Field(
        DAYS, description="how long it works; null: without end"
    )


def fields(token: ApiToken) -> dict[str, object]:
    """What every shape of a token tells."""
    names = ("id", "name", "role", "user", "created_at", "expires_at", "last_used_at", "revoked_at")
    return {name: token[name] for name in names} | {"state": tokens.state_of(token).value}


def _place(token: ApiToken) -> tuple[str, str]:
    return rfc3339(token.created_at) or "", token.id


@router.get("/tokens", **open_to(Role.VIEWER, TokenPage))
def list_tokens(request: HttpRequest, query: FromQuery[PageQuery]) -> TokenPage:
    """One's own tokens, the newest first; everybody's for an administrator."""
    found = tokens.seen_by(caller_of(request).maker)
    page, following = cursors.page(found, query.limit, query.cursor, _place)
    return TokenPage(items=[TokenShape(**fields(token)) for token in page], next=following)  # type: ignore[arg-type]


@router.post("/tokens", **open_to(Role.VIEWER, NewTokenShape, 201))
def create_token(request: HttpRequest, body: TokenBody) -> Status[NewTokenShape]:
    """Make a token for oneself. Its text is in this answer and nowhere else."""
    text, token = tokens.create(caller_of(request).maker, body.name, Role[body.role.upper()], body.days)
    return Status(201, NewTokenShape(token=text, **fields(token)))  # type: ignore[arg-type]


@router.delete("/tokens/{token_id}", **open_to(Role.VIEWER, None, 204))
def revoke_token(request: HttpRequest, token_id: str) -> Status[None]:
    """End a token at once; again changes nothing."""
    tokens.revoke(caller_of(request).maker, token_id)
    return Status(204, None)
