"""What goes wrong in the user API, brought into the one error shape of `obt_site/errors.py`."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from agent.obt_agent.wire import WireError
from benchmarks.lifecycle import Overtaken
from obt_site.errors import (
    Conflict,
    FieldError,
    Invalid,
    Malformed,
    MethodNotAllowed,
    NotFound,
    Refusal,
    Unauthenticated,
    respond,
)

ERRORS_MAXIMUM = 20
FIELD_LENGTH = 120  # characters of a field's name that are said back
NOWHERE = ("body", "query", "path")
PLAIN_MESSAGES = {
    "extra_forbidden": "is not a field of this call",
    "missing": "is required",
    "string_type": "must be a string",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "string_unicode": "has characters that are not text",
}


def install(api: NinjaAPI) -> None:
    """Every exception a route can raise becomes a problem; what is left is Django's 500, in the same shape."""
    for kind in (Refusal, ValidationError, HttpError, Http404, Overtaken, Exception):
        api.add_exception_handler(kind, _answer)


def _answer(request: HttpRequest, error: Any) -> HttpResponse:
    refusal = _refusal(error)
    if refusal is None:
        raise error
    return respond(request, refusal)


def _refusal(error: Exception) -> Refusal | None:
    """What to tell the caller; None for a defect of ours or a database that is away: the middleware tells those."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, ValidationError):
        return invalid(error.errors)
    if isinstance(error, HttpError):
        return _http(error)
    if isinstance(error, Http404):
        return NotFound("There is nothing at this address. It may have been removed.")
    return _overtaken() if isinstance(error, Overtaken) else None


def invalid(problems: Sequence[dict[str, Any]]) -> Invalid:
    """Pydantic's findings as field errors that people can act on."""
    errors = [FieldError(_field(problem["loc"]), _message(problem)) for problem in problems[:ERRORS_MAXIMUM]]
    first = f"{errors[0].field or 'The body'}: {errors[0].message}."
    return Invalid(first if len(problems) == 1 else f"{len(problems)} values cannot be used. {first}", errors)


def _field(location: Sequence[str | int]) -> str:
    """`targets.0.model`, without the words for where the value was sent and the name of the route's parameter."""
    parts = [str(part) for part in location]
    if parts and parts[0] in NOWHERE:
        parts = parts[2:] if parts[0] == "body" else parts[1:]
    return ".".join(parts)[:FIELD_LENGTH]


def _message(problem: dict[str, Any]) -> str:
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    if problem["type"] in ("too_long", "string_too_long"):
        what = "items" if problem["ctx"].get("field_type") == "List" else "characters"
        return f"has more than {problem['ctx']['max_length']} {what}"
    return PLAIN_MESSAGES.get(problem["type"]) or problem["msg"][0].lower() + problem["msg"][1:]


def _http(error: HttpError) -> Refusal:
    """Ninja's own errors: nobody signed in, or a body that the parser refused (whose own words are the cause)."""
    if error.status_code == 401:
        return Unauthenticated("Sign in, or send a user API token: Authorization: Bearer obtu_….")
    cause = error.__cause__
    if isinstance(cause, Refusal):
        return cause
    if isinstance(cause, WireError):
        return Malformed(f"The body {cause.problems[0].message}."[:500])
    return Malformed("The server could not read this request.")


def _overtaken() -> Conflict:
    return Conflict("The job changed at the same moment. Look at it again, then repeat the call if it still applies.")


def method_in_shape(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Ninja answers a method that an address does not take with an empty 405; this gives it the shape."""

    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        if response.status_code != 405:
            return response
        shaped = respond(request, MethodNotAllowed(f"This address takes {response['Allow']}."))
        shaped["Allow"] = response["Allow"]
        return shaped

    return answered
