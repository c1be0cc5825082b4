"""Everything that goes wrong in a way people can act on, and its one shape on the wire and on a page.

    Refusal                 the base: status, kind, a sentence, and where it helps a list of field errors
    ├── Invalid (422)       a value is not allowed; `errors` names each field
    ├── Malformed (400)     the body is not JSON, or not of the shape of this call
    ├── Unauthenticated (401), Forbidden (403), NotFound (404)
    ├── MethodNotAllowed (405)
    ├── Conflict (409)      the state no longer allows it, or someone else got there first
    ├── TooLarge (413), WrongMediaType (415), TooMany (429)
    └── Unavailable (503)   the database or another part is away

Verbs raise these; middleware turns them into RFC 9457 problem+json under /api/ and into a page elsewhere.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import NamedTuple

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from obt_site.came_from import came_from


class FieldError(NamedTuple):
    """Where (`targets.0.model`) and what to do about it."""

    field: str
    message: str


class Refusal(Exception):
    """A call that is not carried out, with the sentence that says why. Nothing was written."""

    status = 400
    kind = "refused"

    def __init__(self, detail: str, errors: Sequence[FieldError] = (), retry_after_s: int | None = None) -> None:
        self.detail = detail
        self.errors = list(errors)
        self.retry_after_s = retry_after_s
        super().__init__(detail)


class Malformed(Refusal):
    status, kind = 400, "malformed"


class Unauthenticated(Refusal):
    status, kind = 401, "unauthenticated"


class Forbidden(Refusal):
    status, kind = 403, "forbidden"


class NotFound(Refusal):
    status, kind = 404, "not_found"


class MethodNotAllowed(Refusal):
    status, kind = 405, "method_not_allowed"


class Conflict(Refusal):
    status, kind = 409, "conflict"


class TooLarge(Refusal):
    status, kind = 413, "too_large"


class WrongMediaType(Refusal):
    status, kind = 415, "wrong_media_type"


class Invalid(Refusal):
    status, kind = 422, "invalid"


class TooMany(Refusal):
    status, kind = 429, "too_many"


class Unavailable(Refusal):
    status, kind = 503, "unavailable"


def wants_problem(request: HttpRequest) -> bool:
    """Whether the caller reads JSON rather than pages. So does htmx, which shows the sentence as a toast."""
    return request.path.startswith(("/api/", "/health/", "/metrics")) or "HX-Request" in request.headers


def respond(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """The refusal as problem+json or as a page, with its status and `Retry-After`."""
    response = _problem(request, refusal) if wants_problem(request) else _page(request, refusal)
    if refusal.retry_after_s is not None:
        response["Retry-After"] = str(refusal.retry_after_s)
    if isinstance(refusal, Unauthenticated):
        response["WWW-Authenticate"] = "Bearer"
    return response


def _problem(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    body = {
        "type": f"urn:obt:error:{refusal.kind}",
        "title": HTTPStatus(refusal.status).phrase,
        "status": refusal.status,
        "detail": refusal.detail,
        "errors": [error._asdict() for error in refusal.errors],
        "request_id": getattr(request, "request_id", None),
    }
    return JsonResponse(body, status=refusal.status, content_type="application/problem+json")


TITLES = {
    400: "That request was not understood",
    401: "Sign in first",
    403: "This is not open to you",
    404: "There is nothing here",
    409: "That is no longer possible",
    413: "That is too large",
    422: "That cannot be done as asked",
    429: "That was too often",
    500: "Something broke on the server",
    503: "The database is away",
}
TRY_AGAIN = (429, 500, 503)
NEXT_STEPS = {
    400: "Check the address, or go back and try it from the page.",
    403: "An administrator can give you another role. Who you are is in the menu at the top right.",
    404: "Part of the address may be missing. Look for what you wanted by its name.",
    409: "Go back and reload the page to see how things are now.",
    413: "Send less at once.",
    429: "Wait a moment, then try again.",
    500: "This is a fault in OBT, not in what you did; stored results are safe. Try again, and if it stays, give the "
    "request id to whoever runs this server.",
    503: "Machines go on measuring and keep their results until it is back. Try again in a few seconds; if it stays "
    "away, look at the terminal or the log of the server.",
}


def _page(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    status = HTTPStatus(refusal.status)
    context = {
        "status": refusal.status,
        "title": TITLES.get(refusal.status, status.phrase),
        "text": refusal.detail,
        "next": NEXT_STEPS.get(refusal.status, ""),
        "again": request.method == "GET" and refusal.status in TRY_AGAIN,
        "back_url": came_from(request) if request.method == "POST" else None,
    }
    try:
        return render(request, "error.html", context, status=refusal.status)
    except Exception:
        if status is not HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
        # What broke may be in every page's frame: this page has none.
        return HttpResponse(render_to_string("500.html"), status=refusal.status)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django calls this when a form or script comes without the token of the page it should come from."""
    return respond(
        request, Forbidden("This form is too old or came from another site. Go back, reload the page, and try again.")
    )


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404"""
    return respond(request, NotFound("There is nothing at this address. It may have been removed."))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400"""
    return respond(request, Malformed("The server could not read this request."))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler403"""
    return respond(request, Forbidden("Your role does not allow this. Ask an administrator for another role."))


class _Broken(Refusal):
    status, kind = 500, "internal"


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500: says nothing about the inside, but gives the id under which the log has it."""
    return respond(request, _Broken("Something broke in the server. The log has the details under this request id."))
