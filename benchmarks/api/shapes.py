"""The building blocks of the user API's types: strict input, times and pages in the output.

Input is taken exactly as typed: unknown fields, "1" for 1 and texts with control characters are refused. Output models
are filled by the routes.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from django.conf import settings
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints
from pydantic import WithJsonSchema as JsonSchema

from agent.obt_agent import validity
from benchmarks.api.cursors import LONGEST
from obt_site import publishing
from obt_site.clock import rfc3339

MODEL_LENGTH = 300
ID_PATTERN = "^[0-9a-f]{24}$"
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
TIME_PATTERN = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)")


def _line(value: str) -> str:
    if CONTROL.search(value):
        raise ValueError("has characters that are not text on one line")
    return value


def _lines(value: str) -> str:
    if CONTROL_BUT_LINES.search(value):
        raise ValueError("has characters that are not text")
    return value


def _moment(value: Any) -> datetime:
    if not isinstance(value, str) or not TIME_PATTERN.fullmatch(value):
        raise ValueError("must be an RFC 3339 time with its zone, e.g. 2026-01-31T12:00:00Z (write + as %2B)")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except OverflowError:
        raise ValueError("is too far away") from None


def flag_sentences(flags: Iterable[str]) -> dict[str, str]:
    """What each of these flags means; one of a newer agent is said by its name."""
    return {flag: validity.SENTENCES.get(flag, flag.replace("_", " ")) for flag in flags}


Line = Annotated[str, AfterValidator(_line)]
Text = Annotated[str, AfterValidator(_lines)]
Word = Annotated[Line, StringConstraints(min_length=1, max_length=120)]
Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
Truth = Literal["true", "false"]
ModelName = Annotated[Line, StringConstraints(min_length=1, max_length=MODEL_LENGTH)]
Moment = Annotated[datetime, BeforeValidator(_moment), JsonSchema({"type": "string", "format": "date-time"})]
Time = Annotated[
    datetime, PlainSerializer(rfc3339, return_type=str), JsonSchema({"type": "string", "format": "date-time"})
]
Private = Annotated[str | None, PlainSerializer(publishing.private, return_type=str | None)]  # null for strangers
Reason = Annotated[str, PlainSerializer(publishing.reason, return_type=str)]  # strangers are told that there is one


class Body(BaseModel):
    """What a call takes: exactly these fields, in exactly these types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Query(BaseModel):
    """What a call takes in its address."""


class PageQuery(Query):
    """How a list is walked through."""

    limit: Annotated[int, Field(ge=1, le=settings.API_ITEMS_MAXIMUM)] = settings.PAGE_ITEMS
    cursor: Annotated[str, StringConstraints(max_length=LONGEST)] | None = Field(
        None, description="the `next` of the page before"
    )


class Shape(BaseModel):
    """What a call answers."""


class FieldProblem(Shape):
    field: str
    message: str


class Problem(Shape):
    """RFC 9457: what was wrong, as `application/problem+json`."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem]
    request_id: str | None
