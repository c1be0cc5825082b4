"""`Idempotency-Key` on every POST: the first answer again for the same call, marked `Idempotency-Replayed: true`.

Two layers around a route: `claims` inside, once caller and input are known to be good, and `keeps_answers` outside,
where the whole answer is there. `made_id` is for routes that make something: the id it should get.
"""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from bson import ObjectId
from django.http import HttpRequest, HttpResponse
from pymongo.errors import PyMongoError

from benchmarks import idempotency
from benchmarks.idempotency import HEADER, Answer, Claim
from obt_site.errors import Conflict

log = logging.getLogger(__name__)
REPLAYED = "Idempotency-Replayed"
KEPT_HEADERS = ("Content-Type", "Location")
PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
    "description": "any text of your own, such as a UUID: sent again with it, the call is not carried out again",
}


def claims(view: Callable[..., Any]) -> Callable[..., Any]:
    """Around the route's function: a POST with a key is carried out once."""

    @wraps(view)
    def claimed(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        key = request.headers.get(HEADER)
        if request.method != "POST" or key is None:
            return view(request, *args, **kwargs)
        found = idempotency.claim(key, "POST", request.get_full_path(), request.body)
        if isinstance(found, Answer):
            return _again(found)
        request.claim = found  # type: ignore[attr-defined]
        return view(request, *args, **kwargs)

    return claimed


def keeps_answers(run: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Around the whole call: what came of it decides what becomes of its key."""

    @wraps(run)
    def answered(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            response = run(request, **kwargs)
        except Exception:
            _settle(request, idempotency.abandon)
            raise
        if not hasattr(request, "claim"):
            return response
        if response.status_code < 300:
            headers = {name: response[name] for name in KEPT_HEADERS if response.has_header(name)}
            answer = Answer(response.status_code, headers, response.content)
            _settle(request, lambda claim: idempotency.keep(claim, answer))
        else:
            _settle(request, idempotency.abandon if response.status_code >= 500 else idempotency.release)
        return response

    return answered


def made_id(request: HttpRequest) -> ObjectId | None:
    """The id for what this call makes; None for a call without a key."""
    claim: Claim | None = getattr(request, "claim", None)
    return claim.made if claim else None


def _settle(request: HttpRequest, settle: Callable[[Claim], None]) -> None:
    """What is done is done: a key that cannot be written down costs the key, not the answer."""
    claim: Claim | None = getattr(request, "claim", None)
    if claim is None:
        return
    try:
        settle(claim)
    except PyMongoError as error:
        log.warning("the answer of a call was not kept with its key: %s", type(error).__name__)


def _again(answer: Answer) -> HttpResponse:
    if answer.body is None:
        raise Conflict("This call was carried out before. Its answer held a secret, which is shown once only.")
    response = HttpResponse(answer.body, status=answer.status)
    for name, value in answer.headers.items():
        response[name] = value
    response[REPLAYED] = "true"
    return response
