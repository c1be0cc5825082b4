"""Enrolment tokens over the user API."""

from typing import Annotated

from django.http import HttpRequest
from ninja import Query as FromQuery
from ninja import Router
from ninja.responses import Status
from pydantic import Field, StringConstraints

from agents import enrolment, verbs
from agents.documents import EnrolmentToken
from benchmarks.api import cursors
from benchmarks.api.callers import caller_of, open_to
from benchmarks.api.shapes import Body, Id, Line, PageQuery, Shape, Time
from obt_site.access import Role
from obt_site.clock import rfc3339

router = Router(tags=["machines"])


class EnrolmentTokenShape(Shape):
    """An enrolment token without its text. `state`: open, used, expired or revoked."""

    id: str = Field(description="a hash of the token, which enrols nothing")
    state: str
    name: str | None = Field(description="the name its machine will have; null: its host name")
    labels: list[str]
    for_client: str | None = Field(description="the machine it enrols again; null: it enrols a new one")
    client: str | None = Field(description="the machine that used it")
    created_by: str | None
    created_at: Time
    expires_at: Time
    used_at: Time | None
    revoked_at: Time | None


class NewEnrolmentTokenShape(EnrolmentTokenShape):
    """An enrolment token that was made just now."""

    token: str = Field(description="for the agent's --token or OBT_ENROL_TOKEN; shown only now")


class EnrolmentTokenPage(Shape):
    items: list[EnrolmentTokenShape]
    next: str | None


class EnrolmentTokenBody(Body):
    """For a new machine its name and labels, where wanted; or a machine that is enrolled again as what it is."""

    name: Annotated[Line, StringConstraints(min_length=1, max_length=verbs.NAME_LENGTH)] | None = None
    labels: Annotated[
        list[Annotated[Line, StringConstraints(min_length=1, max_length=verbs.LABEL_LENGTH)]],
        Field(max_length=verbs.LABELS_MAXIMUM),
    ] = []
    for_client: Id | None = None


def fields(token: EnrolmentToken) -> dict[str, object]:
    """What every shape of an enrolment token tells."""
    names = ("id", "name", "created_by", "created_at", "expires_at", "used_at", "revoked_at")
    return {name: token[name] for name in names} | {
        "state": enrolment.state_of(token).value,
        "labels": list(token.labels),
        "for_client": str(token.for_client) if token.for_client else None,
        "client": str(token.client) if token.client else None,
    }


def _place(token: EnrolmentToken) -> tuple[str, str]:
    return rfc3339(token.created_at) or "", token.id


@router.get("/enrolment-tokens", **open_to(Role.ADMIN, EnrolmentTokenPage))
def list_enrolment_tokens(request: HttpRequest, query: FromQuery[PageQuery]) -> EnrolmentTokenPage:
    """The enrolment tokens of the last months, the newest first, with what became of each."""
    page, following = cursors.page(enrolment.tokens(), query.limit, query.cursor, _place)
    items = [EnrolmentTokenShape(**fields(token)) for token in page]  # type: ignore[arg-type]
    return EnrolmentTokenPage(items=items, next=following)


@router.post("/enrolment-tokens", **open_to(Role.ADMIN, NewEnrolmentTokenShape, 201))
def create_enrolment_token(request: HttpRequest, body: EnrolmentTokenBody) -> Status[NewEnrolmentTokenShape]:
    """Make a token that enrols one machine, once, within the hour. Its text is in this answer and nowhere else."""
    client = verbs.find(body.for_client) if body.for_client else None
    text, _ = enrolment.create_token(body.name, caller_of(request).name, labels=body.labels, client=client)
    token = enrolment.find_token(enrolment.token_id(text))
    return Status(201, NewEnrolmentTokenShape(token=text, **fields(token)))  # type: ignore[arg-type]


@router.delete("/enrolment-tokens/{token_id}", **open_to(Role.ADMIN, None, 204))
def revoke_enrolment_token(request: HttpRequest, token_id: str) -> Status[None]:
    """End a token that no machine has used yet; again changes nothing."""
    enrolment.revoke(enrolment.find_token(token_id))
    return Status(204, None)
